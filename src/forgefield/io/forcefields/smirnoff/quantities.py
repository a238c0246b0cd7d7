"""Numbers with units as SMIRNOFF files write them, such as `1.5 * angstrom ** 1`."""

import re
from collections import Counter

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.text import real

_UNITS: dict[str, tuple[float, dict[str, int]]] = {
    "angstrom": (1.0, {"length": 1}),
    "nanometer": (units.NANOMETRE, {"length": 1}),
    "kilocalorie": (1.0, {"energy": 1, "amount": 1}),
    "kilojoule": (units.KILOJOULE, {"energy": 1, "amount": 1}),
    "mole": (1.0, {"amount": 1}),
    "kilocalorie_per_mole": (1.0, {"energy": 1}),
    "kilojoule_per_mole": (units.KILOJOULE, {"energy": 1}),
    "radian": (1.0, {"angle": 1}),
    "degree": (units.DEGREE, {"angle": 1}),
    "elementary_charge": (1.0, {"charge": 1}),
    "dimensionless": (1.0, {}),
}
_FACTOR = re.compile(r"(?P<what>[^*/\s]+)(?:\s*\*\*\s*(?P<power>[+-]?\d+(?:\.0)?))?")
_OTHER_NAMES = {"kilocalories_per_mole": "kilocalorie_per_mole", "kilojoules_per_mole": "kilojoule_per_mole"}


def quantity(text: str, **dimensions: int) -> float:
    """Return a number in internal units. Raises InputError for one of other dimensions, such as energy=1, length=-2."""
    value, found = 1.0, Counter[str]()
    rest, sign = text.strip(), 1
    while rest:
        factor = _FACTOR.match(rest)
        if factor is None:
            raise InputError(f"{text!r} is no number with a unit")
        power = sign * int(float(factor["power"] or 1))
        size, of_unit = _factor(factor["what"], text)
        value *= size**power
        for name, exponent in of_unit.items():
            found[name] += power * exponent
        rest = rest[factor.end() :].lstrip()
        sign = -1 if rest.startswith("/") else 1
        rest = rest.removeprefix("/").removeprefix("*").lstrip()
    if {name: n for name, n in found.items() if n} != {name: n for name, n in dimensions.items() if n}:
        wanted = " ".join(f"{name}^{n}" for name, n in dimensions.items()) or "no unit"
        raise InputError(f"{text!r} is not of {wanted}")
    return value


def _factor(word: str, text: str) -> tuple[float, dict[str, int]]:
    name = _OTHER_NAMES.get(word, word)
    known = _UNITS.get(name) or _UNITS.get(name.removesuffix("s"))
    if known is not None:
        return known
    try:
        return real(word), {}
    except ValueError:
        raise InputError(f"{text!r}: the unit {word!r} is not known; known are {', '.join(_UNITS)}") from None
