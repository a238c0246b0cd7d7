"""AMBER's parameter files (.dat, .frcmod), row by row as tleap reads them."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from warnings import warn

from forgefield.assign.instances import KINDS, Types
from forgefield.errors import InputError, InputWarning, located
from forgefield.io.offenders import listed
from forgefield.io.text import read_text, real

WILD = "X"
_MASS, _BOND, _ANGLE, _DIHEDRAL, _IMPROPER, _HYDROGEN_BOND, _NONBONDED, _ALIKE = (
    *("MASS", "BOND", "ANGL", "DIHE", "IMPR", "HBON", "NONB"),
    "ALIKE",
)
_TITLES = (_MASS, _BOND, _ANGLE, _DIHEDRAL, _IMPROPER, _HYDROGEN_BOND, _NONBONDED)
"""The first four letters of the titles in a .frcmod."""
_ORDER = (_MASS, "WATER", _BOND, _ANGLE, _DIHEDRAL, _IMPROPER, _HYDROGEN_BOND, _ALIKE, "FORM", _NONBONDED)
"""The sections of a .dat, which have no titles."""
_REFUSED = {
    "CMAP": "correction maps by residue",
    "LJED": "Lennard-Jones parameters of pairs of types",
    "IPOL": "polarisation",
}
_N_TYPES = {_BOND: 2, _ANGLE: 3, _DIHEDRAL: 4, _IMPROPER: 4}
_JOINED = {n: re.compile(r"\s*" + r"\s*-\s*".join([r"([^\s-]{1,2})"] * n) + r"(?!\S)") for n in (2, 3, 4)}
_SCALING = {name: re.compile(rf"\b{name}\s*=\s*([\d.]+)", re.IGNORECASE) for name in ("SCEE", "SCNB")}
_SCEE, _SCNB = 1.2, 2.0
DEGREE = 0.0174533
"""rad, as tleap has it: it moves the energies of bends by up to 1e-5 kcal/mol."""
_STRAIGHT = 180.0
_IS_SET = re.compile(r"^MOD4 +(RE|SK|AC)\b", re.MULTILINE)


@dataclass(frozen=True)
class Wave:
    """One cosine of a dihedral, k (1 + cos(nφ - phase)), and what divides 1-4 energies across it."""

    k: float
    n: int
    phase: float
    scee: float = _SCEE
    scnb: float = _SCNB


@dataclass(frozen=True)
class Parameters:
    """The rows of one file in internal units; of several rows for the same types the first counts."""

    source: str
    masses: dict[str, float] = field(default_factory=dict)
    bonds: dict[Types, tuple[float, float]] = field(default_factory=dict)
    angles: dict[Types, tuple[float, float]] = field(default_factory=dict)
    dihedrals: dict[Types, list[Wave]] = field(default_factory=dict)
    """From one end or the other, with wildcards."""
    impropers: dict[Types, list[Wave]] = field(default_factory=dict)
    """The centre third, with wildcards."""
    nonbonded: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Half the distance of the minimum, and the depth."""
    hydrogen_bonds: set[Types] = field(default_factory=set)
    """Pairs of types with a 10-12 potential."""


def is_parameter_set(_: Path, text: str) -> bool:
    """Return whether a text is that of a whole set of parameters (.dat)."""
    return bool(_IS_SET.search(text))


def read_parameters(path: Path) -> Parameters:
    """Return the rows of a .dat or .frcmod.

    Raises InputError that lists the lines that cannot be read, and names what ForgeField does not compute.
    """
    text = read_text(path)
    lines = list(enumerate(text.splitlines(), start=1))[1:]
    reader = _Reader(Parameters(str(path)))
    complaints = []
    is_set = is_parameter_set(path, text)
    for number, section, line in (_of_set if is_set else _of_changes)(path, lines):
        try:
            reader.take(section, line)
        except InputError as error:
            complaints.append(located(path, number, str(error)))
    if reader.open is not None:
        complaints.append(
            f"{path}: the last row of {'-'.join(reader.open)} has a negative periodicity: one that follows is missing"
        )
    if not is_set and not any(_title(line)[:4] in _TITLES for _, line in lines):
        complaints.append(f"{path}: holds no row of an AMBER parameter file")
    if complaints:
        raise InputError(listed(complaints, separator="\n"))
    return reader.finished()


def _of_set(path: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Yield the rows of a .dat with their sections, which end in blank lines; two are one line each."""
    del path
    place = 0
    for number, line in lines:
        section = _ORDER[place]
        if section == _NONBONDED and line.strip() == "END":
            return
        if line.strip():
            yield number, section, line
        if not line.strip() or section in ("WATER", "FORM"):
            place += 1
            # Sets of several kinds of parameters follow each other; the last of them ends the file.
            if place == len(_ORDER):
                return


def _of_changes(path: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Yield the rows of a .frcmod with their sections, each of which follows its title and ends in a blank line."""
    section = ""
    for number, line in lines:
        title = _title(line)
        if title[:4] in _REFUSED:
            raise InputError(located(path, number, f"{title}: ForgeField does not compute {_REFUSED[title[:4]]}"))
        if title[:4] in _TITLES:
            section = title[:4]
        elif not line.strip():
            section = ""
        elif section:
            yield number, section, line
        elif title and title != "END" and len(line.split()) == 1:
            said = f"{line.strip()!r} is no title of a section, and what follows it is not read"
            warn(InputWarning(located(path, number, said)), stacklevel=4)


def _title(line: str) -> str:
    """Return the title of a section that a line is, in capitals; nothing of another."""
    word = line.split(maxsplit=1)[0] if line.strip() else ""
    return word.upper() if len(word) >= 4 and word.isalpha() else ""


class _Reader:
    """Enters rows one after another."""

    def __init__(self, found: Parameters) -> None:
        self._found = found
        self._alike: dict[str, str] = {}
        self.open: Types | None = None
        """The dihedral whose last periodicity was negative: its next row may leave out the types."""

    def take(self, section: str, line: str) -> None:
        """Enter a row. Raises InputError."""
        found = self._found
        match section:
            case "MASS":
                name, *rest = line.split()
                found.masses.setdefault(name, first_numbers(" ".join(rest), 1)[0])
            case "BOND":
                types, rest = self._types(section, line)
                k, r0 = first_numbers(rest, 2)
                found.bonds.setdefault(KINDS["stretch"].canonical(types), (2.0 * k, r0))
            case "ANGL":
                types, rest = self._types(section, line)
                k, theta0 = first_numbers(rest, 2)
                found.angles.setdefault(KINDS["bend"].canonical(types), (2.0 * k, theta0 * DEGREE))
            case "DIHE":
                self._dihedral(line)
            case "IMPR":
                self._improper(line)
            case _:
                self._through_space(section, line)

    def _through_space(self, section: str, line: str) -> None:
        found = self._found
        match section:
            case "HBON":
                one, other, *rest = [*line.split(), "", ""]
                if any(number != 0.0 for number in first_numbers(" ".join(rest), 2)):
                    found.hydrogen_bonds.add(tuple(sorted((one, other))))
            case "ALIKE":
                first, *others = line.split()
                self._alike |= dict.fromkeys(others, first)
            case "FORM":
                if line.split()[1] != "RE":
                    raise InputError(f"{line.strip()!r}: van der Waals rows must be radii and depths (RE)")
            case "NONB":
                name, *rest = [*line.split(), ""]
                radius, depth = first_numbers(" ".join(rest), 2)
                found.nonbonded.setdefault(name, (radius, depth))

    def finished(self) -> Parameters:
        """Return all rows, with those of types that are like another."""
        table = self._found.nonbonded
        for name, first in self._alike.items():
            if first in table:
                table.setdefault(name, table[first])
        return self._found

    def _types(self, section: str, line: str) -> tuple[Types, str]:
        """Return the types that a row begins with, joined by hyphens, and the rest of it."""
        found = _JOINED[_N_TYPES[section]].match(line)
        if found is None:
            raise InputError(f"{line[:11]!r} does not name {_N_TYPES[section]} types, joined by hyphens")
        return found.groups(), line[found.end() :]

    def _dihedral(self, line: str) -> None:
        if self.open is not None and not line[:11].strip("- "):
            types, rest = self.open, line[11:]
        else:
            types, rest = self._types(_DIHEDRAL, line)
            types = KINDS["torsion"].canonical(types)
        divisor, k, phase, periodicity = first_numbers(rest, 4)
        scee, scnb = (_scaling(name, rest, default) for name, default in (("SCEE", _SCEE), ("SCNB", _SCNB)))
        wave = Wave(k / max(divisor, 1.0), _periodicity(periodicity), _phase(phase), scee, scnb)
        self.open = types if periodicity < 0.0 else None
        _add(self._found.dihedrals, types, wave)

    def _improper(self, line: str) -> None:
        types, rest = self._types(_IMPROPER, line)
        # tleap passes over a divisor.
        divided = rest[:4].strip().isdigit() and len(rest.split()) > 3
        k, phase, periodicity = first_numbers(rest[4:] if divided else rest, 3)
        if types[0] != WILD and types[1] == WILD:
            types = types[1], types[0], *types[2:]
        _add(self._found.impropers, types, Wave(k, _periodicity(periodicity), _phase(phase)))


def _add(table: dict[Types, list[Wave]], types: Types, wave: Wave) -> None:
    series = table.setdefault(types, [])
    if all(wave.n != other.n for other in series):
        series.append(wave)


def _periodicity(number: float) -> int:
    n = round(abs(number))
    if n != abs(number):
        raise InputError(f"a periodicity is a whole number, not {number:g}")
    return n


def _phase(degrees: float) -> float:
    """Return a phase in rad; sander takes 180° for what it is."""
    return math.copysign(math.pi, degrees) if abs(degrees) == _STRAIGHT else degrees * DEGREE


def _scaling(name: str, rest: str, default: float) -> float:
    """Return what divides 1-4 energies, where a row says it."""
    said = _SCALING[name].search(rest)
    value = default if said is None else first_numbers(said[1], 1)[0]
    if value <= 0.0:
        raise InputError(f"{name} must be positive, not {value:g}")
    return value


def first_numbers(rest: str, count: int) -> tuple[float, ...]:
    """Return the first numbers of a text. Raises InputError where it does not begin with so many."""
    words = rest.split()[:count]
    try:
        found = tuple(real(word) for word in words)
    except ValueError:
        found = ()
    if len(found) < count:
        raise InputError(f"{' '.join(words)!r} where {count} number{'s' * (count > 1)} are expected")
    return found
