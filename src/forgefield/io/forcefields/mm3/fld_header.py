"""The introductory section of a .fld file: which equations it is meant for, factors, and which rows are selected."""

import re
from dataclasses import dataclass, field

from forgefield.errors import InputError
from forgefield.io.text import LARGEST

EQUATIONS = {
    "STR": 3, "BND": 3, "TOR": 1, "IMP": 1, "S-B": 1, "B-B": 1, "T-S": 1, "VDW": 3, "ELE": 1, "HBD": 1,
}  # fmt: skip
"""The conversion factors that an MM3* file must state, and the equation of each that is implemented."""
ONE_FOUR = "V14"
_OTHER = ("FIX", "BCI", "FCH", "SOL", "WAT")
_LINE = re.compile(r" 0\s+(?P<name>\S+)\s+(?P<number>\d{1,9})\s*(?P<rest>.*)$")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(\s|$)")


@dataclass
class Header:
    """What has been read of the introductory section."""

    factors: dict[str, float] = field(default_factory=lambda: {ONE_FOUR: 1.0})
    selected: dict[int, set[str]] = field(default_factory=dict)
    """The labels that rows may have in each selection field; fields without an entry select nothing."""

    def selects(self, labels: tuple[str, ...]) -> bool:
        """Whether a row with these labels in fields 1, 2, … is in use."""
        return all(
            not label or place not in self.selected or label in self.selected[place]
            for place, label in enumerate(labels, 1)
        )

    def missing(self) -> str:
        """Return the names of the factors that were not given."""
        return ", ".join(name for name in EQUATIONS if name not in self.factors)


def header_line(header: Header, line: str) -> None:
    """Enter one line into the header; raises InputError for one that cannot be read or asks for another equation."""
    match = _LINE.match(line)
    if match is None:
        raise InputError(f"{line.strip()!r} is no header line (0, a name, the number of an equation, a factor)")
    name, number, rest = match["name"], int(match["number"]), match["rest"]
    if name == "SEL":
        if not rest:
            raise InputError("SEL without a label")
        header.selected.setdefault(number, set()).add(rest.split()[0])
        return
    if name == "ALT":
        raise InputError("alternative parameter sets (ALT) are not supported; delete the sets that are not meant")
    if name not in EQUATIONS and name not in (ONE_FOUR, *_OTHER):
        raise InputError(f"unknown header name {name!r}; known are {', '.join((*EQUATIONS, ONE_FOUR, *_OTHER))}")
    if EQUATIONS.get(name, number) != number:
        raise InputError(f"{name} asks for equation {number}; MM3* files use {EQUATIONS[name]}")
    factor = _NUMBER.match(rest)
    value = float(factor[1]) if factor else -1.0
    if not 0.0 <= value < LARGEST or (name in EQUATIONS and value == 0.0):
        raise InputError(f"{name} has no positive factor")
    header.factors[name] = value
