"""Charge and multiplicity as the atoms of ASE state them, under the names that are read and under no other."""

import difflib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Int

from forgefield.errors import InputError
from forgefield.molecules.electrons import electron_problem

CHARGE, MULTIPLICITY = "charge", "multiplicity"
"""The keys of `info` that are read."""
_MEANING = {CHARGE: "the total charge [e]", MULTIPLICITY: "the multiplicity (2S + 1)"}
_LOWEST = {CHARGE: None, MULTIPLICITY: 1}
_BESIDE = (
    "total|tot|net|overall|molecular|molecule|mol|system|sys|structure|global|formal|ionic|ion|integer|int|initial|"
    "target|state|value|number|num|no|n|of|the|electrons?|elec|ref|dft|qm|spin"
)
_OTHERS = {
    CHARGE: re.compile(rf"(?:{_BESIDE})*(?:charges?|chrg|chg|q)(?:{_BESIDE})*"),
    MULTIPLICITY: re.compile(
        rf"(?:{_BESIDE})*(?:multiplicit(?:y|ies)|multip|mult|spins?|unpaired|uhf|magmoms?|magneti[sz]ation|"
        rf"magneticmoments?|2s|2splus1|s)(?:{_BESIDE})*"
    ),
}
"""What other programs call them, in lower case and without anything but letters and digits."""
_ALIKE = 0.83
"""Share of letters from which on a key is taken for a misspelt one."""
_WORDS = {"change"}
"""As similar, but words of their own."""
_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Stated:
    """What the atoms say of their state; each is None where they say nothing."""

    charge: int | None = None
    multiplicity: int | None = None
    hinted: dict[str, int] = field(default_factory=dict)
    """What initial charges and moments of the atoms add up to, where this is not nothing and no key says it."""


def stated(atoms: Atoms) -> Stated:
    """Return what `info` of the atoms says of their charge and multiplicity.

    Raises InputError where a value is no whole number, and where another key looks as if it said one of them: it is
    not read, unless the right key stands beside it and says the same.
    """
    found = {name: _whole(name, atoms.info[name]) for name in _MEANING if name in atoms.info}
    wrong = [problem for key, value in atoms.info.items() if (problem := _unread(key, value, found))]
    if wrong:
        raise InputError("\n  ".join(wrong))
    hinted = {name: n for name, n in _hints(atoms).items() if n and name not in found}
    return Stated(found.get(CHARGE), found.get(MULTIPLICITY), hinted)


def require_state(species: Int[np.ndarray, " atoms"], charge: int, multiplicity: int) -> None:
    """Raise InputError where atoms cannot have a charge together with a multiplicity."""
    if problem := electron_problem(species, charge, multiplicity):
        raise InputError(
            f"{problem}; state both in info, for example "
            f'atoms.info["{CHARGE}"] = 1 and atoms.info["{MULTIPLICITY}"] = 2'
        )


def require_heeded(hinted: dict[str, int], charge: int, multiplicity: int) -> None:
    """Raise InputError where initial charges or moments of the atoms say another state than is going to be computed."""
    if hinted.get(CHARGE, charge) != charge:
        raise InputError(
            f"the initial charges add up to {hinted[CHARGE]:+d}, but they are not read: state the total charge as "
            f'atoms.info["{CHARGE}"]'
        )
    unpaired = hinted.get(MULTIPLICITY, multiplicity - 1)
    if unpaired != multiplicity - 1:
        raise InputError(
            f"the initial magnetic moments add up to {unpaired} unpaired electrons, but they are not read: state the "
            f'multiplicity as atoms.info["{MULTIPLICITY}"], for example {unpaired + 1}'
        )


def _whole(name: str, value: Any) -> int:
    """Return a value as an integer. Raises InputError where it is none that can be meant."""
    number = _number(value)
    lowest = _LOWEST[name]
    if number is None or (lowest is not None and number < lowest):
        bound = "" if lowest is None else f" from {lowest} on"
        raise InputError(
            f'info["{name}"] is {value!r}; {_MEANING[name]} is a whole number{bound}; give one, or delete the key'
        )
    return number


def _number(value: Any) -> int | None:
    """Return what is a whole number, as a number or in words, as an integer."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and float(value).is_integer():
        return int(float(value))
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else None


def _unread(key: Any, value: Any, found: dict[str, int]) -> str | None:
    """Return what is wrong with a key that looks as if it said a state, or None."""
    name = _meant(key) if isinstance(key, str) else None
    # Arrays and tables are charges and spins of atoms, or settings.
    if name is None or np.size(value) != 1 or isinstance(value, dict):
        return None
    if name in found and _says(value, name, found[name]):
        return None
    also = f', and info["{name}"] says {found[name]}' if name in found else ""
    return (
        f"info[{key!r}] is {value!r}, which is not read{also}: state {_MEANING[name]} as info[{name!r}], "
        f"a whole number, and delete {key!r}"
    )


@lru_cache(maxsize=1000)
def _meant(key: str) -> str | None:
    """Return which of the keys another one seems to stand for."""
    if key in _MEANING:
        return None
    bare = "".join(c for c in key.lower() if c.isalnum())
    if not bare or bare in _WORDS:
        return None
    for name, pattern in _OTHERS.items():
        misspelt = sorted(bare) == sorted(name) or difflib.SequenceMatcher(None, bare, name).ratio() >= _ALIKE
        if misspelt or pattern.fullmatch(bare):
            return name
    return None


def _says(value: Any, name: str, number: int) -> bool:
    """Say whether a value can be another program's way of saying it: of a multiplicity 2S + 1 also 2S, or S."""
    try:
        said = float(value.item() if isinstance(value, np.ndarray) else value)
    except (TypeError, ValueError):
        return False
    return said == number or (name == MULTIPLICITY and said in (number - 1, (number - 1) / 2))


def _hints(atoms: Atoms) -> dict[str, int]:
    """Return the sums of initial charges and of initial magnetic moments, in whole numbers."""
    charges, moments = atoms.get_initial_charges(), atoms.get_initial_magnetic_moments()
    if not (np.isfinite(charges).all() and np.isfinite(moments).all()):
        return {}
    # Moments may be vectors.
    length = np.linalg.norm(np.atleast_1d(moments.sum(axis=0)))
    return {CHARGE: round(float(charges.sum())), MULTIPLICITY: round(float(length))}
