"""The numbers of elements of a System's XML."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError


def children(force: Element, group: str, tag: str) -> list[Element]:
    """Return the elements of a group of a force; none where it has no such group."""
    return force.findall(f"{group}/{tag}")


def numbers(elements: Iterable[Element], keys: Sequence[str]) -> Float[np.ndarray, "elements keys"]:
    """Return the numbers under some keys. Raises InputError for those that are missing or no numbers."""
    found = [[_number(element, key) for key in keys] for element in elements]
    return np.array(found, dtype=np.float64).reshape(len(found), len(keys))


def atoms(
    elements: Iterable[Element], keys: Sequence[str], n_atoms: int, *, distinct: bool = True
) -> Int[np.ndarray, "elements keys"]:
    """Return the atoms of interactions.

    Raises InputError for those that there are not and, where they must be `distinct`, those that are twice in one.
    """
    elements = list(elements)
    found = numbers(elements, keys)
    repeated = distinct & (np.diff(np.sort(found, axis=1), axis=1) == 0).any(axis=1)
    wrong = ((found < 0) | (found >= n_atoms) | (found != np.floor(found))).any(axis=1) | repeated
    if wrong.any():
        element = elements[int(np.argmax(wrong))]
        shown = ", ".join(f"{key}={element.get(key)}" for key in keys)
        raise InputError(f"<{element.tag}> names atoms {shown} of a System of {n_atoms}, which cannot be")
    return found.astype(np.int64)


def _number(element: Element, key: str) -> float:
    text = element.get(key)
    try:
        number = float("nan" if text is None else text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"<{element.tag}> has {key}={text!r}, which is no number")
    return number
