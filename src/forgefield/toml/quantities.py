"""Numbers with their units as text, such as "20 cm-1", in the unit that is wanted."""

import re
import unicodedata
from dataclasses import dataclass

from forgefield import units

_NUMBER = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?P<unit>.*)")
_FACTOR = re.compile(r"(?P<sign>[/*·⋅\s]*)(?P<symbol>[^\W\d_]+|°)(?:\*\*|\^)?(?P<power>-?\d)?\s*")
_BRACKETS = re.compile(r"/\s*\((?P<inner>[^()/]*)\)")

_Dimension = tuple[int, int, int, int, int, int]
_LENGTH = (1, 0, 0, 0, 0, 0)
_ENERGY = (0, 1, 0, 0, 0, 0)
_AMOUNT = (0, 0, 1, 0, 0, 0)
_MOLAR_ENERGY = (0, 1, 1, 0, 0, 0)
_ANGLE = (0, 0, 0, 1, 0, 0)
_MASS = (0, 0, 0, 0, 1, 0)
_CHARGE = (0, 0, 0, 0, 0, 1)
_FORCE = (-1, 1, 0, 0, 0, 0)
_SYMBOLS: dict[str, tuple[float, _Dimension]] = {
    "å": (1.0, _LENGTH),
    "a": (1.0, _LENGTH),
    "ang": (1.0, _LENGTH),
    "angstrom": (1.0, _LENGTH),
    "nm": (units.NANOMETRE, _LENGTH),
    "pm": (0.01, _LENGTH),
    "cm": (1e8, _LENGTH),
    "bohr": (units.BOHR, _LENGTH),
    "kcal": (1.0, _MOLAR_ENERGY),
    "cal": (0.001, _MOLAR_ENERGY),
    "kj": (units.KILOJOULE, _MOLAR_ENERGY),
    "hartree": (units.HARTREE, _ENERGY),
    "eh": (units.HARTREE, _ENERGY),
    "ha": (units.HARTREE, _ENERGY),
    "ev": (units.ELECTRONVOLT, _ENERGY),
    "mev": (0.001 * units.ELECTRONVOLT, _ENERGY),
    "mol": (1.0, _AMOUNT),
    "deg": (units.DEGREE, _ANGLE),
    "degree": (units.DEGREE, _ANGLE),
    "degrees": (units.DEGREE, _ANGLE),
    "°": (units.DEGREE, _ANGLE),
    "rad": (1.0, _ANGLE),
    "amu": (1.0, _MASS),
    "u": (1.0, _MASS),
    "da": (1.0, _MASS),
    "e": (1.0, _CHARGE),
    "mdyn": (units.MILLIDYNE_PER_ANGSTROM, _FORCE),
}
"""Of each symbol its size in internal units, and its powers of length, energy, amount, angle, mass and charge."""


@dataclass(frozen=True)
class _Unit:
    factor: float
    dimension: tuple[int, ...]


def in_unit(text: str, wanted: str) -> float:
    """Return a number that is written with its unit, in the unit that is wanted. Raises ValueError with the reason."""
    example = f'write a number, or text such as "2 {wanted}"'
    found = _NUMBER.fullmatch(_plain(text))
    if found is None:
        raise ValueError(f"does not begin with a number; {example}")
    written = found["unit"].strip()
    if not written:
        raise ValueError(f"is text without a unit; {example}")
    unit, target = _unit(written), _unit(_plain(wanted))
    if unit is None:
        raise ValueError(f"has a unit that is not known, {written!r}; {example}")
    if target is None or unit.dimension != target.dimension:
        raise ValueError(f"is in {written}, which cannot be turned into {wanted}; {example}")
    return float(found["number"]) * (unit.factor / target.factor)


def _plain(text: str) -> str:
    """Return text without superscripts, and with one kind of minus and of Å."""
    return unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-").strip()


def _unit(text: str) -> _Unit | None:
    """Return what a product of symbols stands for; None where one of them is not known."""
    text = re.sub(r"^1\s*/", "/", text.strip())
    text = _BRACKETS.sub(
        lambda found: "".join(f"/{one}" for one in re.split(r"[\s*·⋅]+", found["inner"].strip())), text
    )
    factor, dimension, at = 1.0, (0,) * len(_LENGTH), 0
    while at < len(text):
        found = _FACTOR.match(text, at)
        known = None if found is None else _SYMBOLS.get(found["symbol"].casefold())
        if found is None or known is None:
            return None
        power = int(found["power"] or 1) * (-1 if "/" in found["sign"] else 1)
        factor *= known[0] ** power
        dimension = tuple(a + power * b for a, b in zip(dimension, known[1], strict=True))
        at = found.end()
    return _Unit(factor, dimension)
