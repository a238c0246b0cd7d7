"""What readers of printed results share: finding tables by their heads, matrices in blocks of columns, wrong ends."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning, UnfinishedJob, located
from forgefield.io.assemble.parts import Part
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.elements import GHOST, atomic_number, is_ghost

NUMBER = r"[+-]?\d*\.\d*(?:[EeDd][+-]?\d+)?"
"""A number with a decimal point, as programs print results."""
_IMAGINARY = re.compile(r"\bi(\d\S*)|(\d\S*?) *[iI]\b")
ZERO = 0.01
"""cm⁻¹; what is below is what rounding leaves of a translation or rotation."""
_LABEL = re.compile(r"([A-Za-z]{1,2})(?:[\d_].*)?")
_BEYOND_SCF = re.compile(
    r"(?:ri-?|df-?|local_?|so-?s-?|sc-?s-?|u|ro)*(?:mp\d|cc|qci|ci[sd]|eom|adc|bd|omp|b2|xyg|dsd|wb97x-2|wb97m\(2\))",
    re.IGNORECASE,
)
"""Names of methods whose energy is not that of their SCF, whatever else a file says."""
_NO_ATOM = re.compile(rf" *(?:\d+ +)?(?P<label>\S+(?: ?:)?) +(?:{NUMBER}(?: +|$)){{3,}}")
"""A row of a table of atoms, whatever its label is."""
_GLUED = re.compile(r"(?<=\d)-(?=\d*\.)")
"""A minus that leaves no blank before it."""


@dataclass(frozen=True)
class Kind:
    """One kind of file that a program writes."""

    name: str
    """What messages call it."""
    known: Callable[[Path, str], bool]
    """Whether a file is of this kind, by its text."""
    read: Callable[[Path], Part] | None = None
    """Reads what is said of one structure."""
    has_geometry: bool = True
    frames: Callable[[Path], list[Part]] | None = None
    """Reads the same of several."""


@dataclass(frozen=True)
class Printout:
    """The text of a file, in which tables are found by their heads; places are offsets in the text, -1 for none."""

    path: Path
    text: str

    @classmethod
    def of(cls, path: Path) -> "Printout":
        """Read a file."""
        return cls(path, read_text(path))

    def last(self, mark: str, after: int = 0) -> int:
        """Return where a text stands for the last time."""
        return self.text.rfind(mark, max(after, 0))

    def line(self, place: int) -> int:
        """Return the 1-based number of the line of a place."""
        return self.text.count("\n", 0, place) + 1

    def lines(self, place: int, skip: int = 1) -> Iterable[str]:
        """Return the lines from the one that is `skip` lines below a place on, one by one."""
        for _ in range(skip):
            place = self.text.find("\n", place) + 1 or len(self.text)
        while place < len(self.text):
            end = self.text.find("\n", place)
            end = len(self.text) if end < 0 else end
            yield self.text[place:end]
            place = end + 1

    def rows(self, place: int, pattern: re.Pattern[str], skip: int = 1) -> list[re.Match[str]]:
        """Return the matches of a table's rows, which begin `skip` lines below its head and match each for itself."""
        found = []
        for line in self.lines(place, skip) if place >= 0 else ():
            match = pattern.fullmatch(line)
            if match is None:
                break
            found.append(match)
        return found

    def table(self, place: int, pattern: re.Pattern[str], skip: int = 1) -> list[re.Match[str]]:
        """Return the rows of a table; raises InputError where it ends with a row that does not match, or that of a
        ghost atom."""
        rows = self.rows(place, pattern, skip)
        after = next(iter(self.lines(place, skip + len(rows))), "") if place >= 0 else ""
        other = _NO_ATOM.match(after)
        if other and is_ghost(other["label"]):
            raise self.ghost(place, other["label"])
        if rows and after.strip(" -=*"):
            raise self.wrong(place, f"the table that begins here has a row that is not read: {after.strip()!r}")
        return rows

    def matches(self, pattern: re.Pattern[str], place: int = 0) -> list[re.Match[str]]:
        """Return all matches from a place on."""
        return list(pattern.finditer(self.text, max(place, 0)))

    def wrong(self, place: int, message: str) -> InputError:
        """Return an error that names the line of a place."""
        return InputError(located(self.path, self.line(place), message))

    def ghost(self, place: int, label: str) -> InputError:
        """Return an error that names an atom without a nucleus, the basis of which adds to the energy of the others."""
        return self.wrong(place, f"{label!r} {GHOST}")

    def number(self, place: int, word: str, what: str) -> float:
        """Return one number of a place."""
        return float(self.numbers(place, [word], what)[0])

    def numbers(self, place: int, words: Sequence[str], what: str) -> Float[np.ndarray, " numbers"]:
        """Return numbers of a place; raises InputError that quotes those that are none."""
        text = " ".join(words)
        try:
            return floats(self.path, None, [text], what)
        except InputError:
            # Lines are counted where one has to be named.
            return floats(self.path, None if place < 0 else self.line(place), [text], what)

    def column(self, place: int, pattern: re.Pattern[str], skip: int, what: str) -> Float[np.ndarray, " rows"]:
        """Return the numbers in the first group of a table's rows."""
        return self.numbers(place, [row[1] for row in self.rows(place, pattern, skip)], what)

    def frequencies(self, place: int, rows: Sequence[str]) -> Float[np.ndarray, " modes"]:
        """Return the frequencies [cm⁻¹] in rows of numbers but those of projected translations and rotations."""
        return vibrations(self.numbers(place, [signed(row) for row in rows], "frequencies"))

    def energy(self, match: re.Match[str]) -> float:
        """Return the energy [kcal/mol] that stands in the first group of a match, or the one named energy [Hartree].

        Raises InputError for one without a decimal point, which no program prints.
        """
        word = match[match.re.groupindex.get("energy", 1)]
        if "." not in word:
            raise self.wrong(match.start(), f"energy: {word!r} has no decimals; the file is damaged")
        return self.number(match.start(), word, "energy") * units.HARTREE

    def gradient(self, place: int, pattern: re.Pattern[str], skip: int) -> Float[np.ndarray, "atoms 3"] | None:
        """Return the gradient [kcal/mol/Å] in the groups of a table's rows [Hartree/Bohr], None where there is none."""
        rows = self.rows(place, pattern, skip)
        return (
            self.vectors(place, [row.groups() for row in rows], "gradient") * units.HARTREE_PER_BOHR if rows else None
        )

    def program(self, name: str, version: re.Pattern[str]) -> str:
        """Return the name of a program with the version that it printed."""
        found = version.search(self.text)
        return f"{name} {found[1]}" if found else name

    def integer(self, pattern: re.Pattern[str], what: str, place: int = 0) -> int | None:
        """Return the integer in the first group of the last match, None where nothing matches."""
        found = self.matches(pattern, place)
        return integer(self.path, None, found[-1][1], what) if found else None

    def geometry(
        self, place: int, pattern: re.Pattern[str], skip: int = 1, unit: float = 1.0
    ) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
        """Return species and positions [Å] of a table, in the rows of which a label and three coordinates match."""
        return self.atoms(place, [(row[1], row.groups()[1:4]) for row in self.table(place, pattern, skip)], unit)

    def atoms(
        self, place: int, rows: Sequence[tuple[str, Sequence[str]]], unit: float = 1.0
    ) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
        """Return species and positions [Å] from labels, or atomic numbers, and coordinates in a unit [Å]."""
        if not rows:
            raise self.wrong(max(place, 0), "holds no geometry here; is the file truncated?")
        species = np.array([element(self.path, label) for label, _ in rows])
        numbers = self.numbers(place, [word for _, words in rows for word in words], "coordinates")
        if len(numbers) != 3 * len(rows):
            raise self.wrong(place, f"{len(rows)} atoms have {len(numbers)} coordinates")
        return species, numbers.reshape(-1, 3) * unit

    def vectors(self, place: int, rows: Sequence[Sequence[str]], what: str) -> Float[np.ndarray, "atoms 3"]:
        """Return three numbers for each atom."""
        numbers = self.numbers(place, [word for words in rows for word in words], what)
        if len(numbers) % 3:
            raise self.wrong(place, f"{what}: {len(numbers)} numbers, not three for each atom")
        return numbers.reshape(-1, 3)

    def ended(self, *marks: str) -> None:
        """Raise UnfinishedJob where none of the lines is there with which a program says that all went well."""
        if not any(mark in self.text for mark in marks):
            raise UnfinishedJob(f"{self.path}: the job did not end (no line `{marks[0]}`); repeat it")


def element(path: Path, label: str) -> int:
    """Return the atomic number of a label such as C, CL, H12 or 6; raises InputError where it names no element."""
    if label.isdecimal() and label.isascii():
        return int(label[:4])
    found = None if is_ghost(label) else _LABEL.fullmatch(label)
    try:
        return atomic_number(found[1].capitalize() if found else label)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def signed(row: str) -> str:
    """Return a row of frequencies with a minus before imaginary ones, which are written 123.4i, 123.4 I or i123.4."""
    return _IMAGINARY.sub(lambda found: f"-{found[1] or found[2]}", row)


def vibrations(frequencies: Float[np.ndarray, " all"]) -> Float[np.ndarray, " modes"]:
    """Return the frequencies [cm⁻¹] that are not zero but for rounding."""
    return frequencies[np.abs(frequencies) >= ZERO]


def blocks(
    printout: Printout, place: int, skip: int, n: int, what: str, *, triangular: bool = False
) -> Float[np.ndarray, "rows columns"]:
    """Return a square matrix that is printed in blocks of columns, under heads without a decimal point.

    Each row has a label of one word. A triangular matrix is filled up by symmetry. Raises InputError where rows or
    blocks are missing.
    """
    words: list[str] = []
    spans: list[tuple[int, int, int]] = []
    first = width = 0
    row = n
    for line in printout.lines(place, skip):
        found = _GLUED.sub(" -", line).split()
        if not found or not line.strip(" -"):
            continue
        if "." not in line:
            if row < n or first >= n:
                break
            width, row = len(found), first if triangular else 0
            continue
        end = min(first + width, row + 1) if triangular else first + width
        if row >= n or end > n or len(found) - 1 != end - first:
            break
        words += found[1:]
        spans.append((row, first, end))
        row += 1
        if row == n:
            first += width
    if first != n:
        raise printout.wrong(place, f"the table of {what} has not {n} whole rows and columns; is the file truncated?")
    numbers = printout.numbers(place, words, what)
    matrix = np.zeros((n, n))
    at = 0
    for row, start, end in spans:
        matrix[row, start:end] = numbers[at : at + end - start]
        at += end - start
    return matrix + np.tril(matrix, -1).T if triangular else matrix


def square(printout: Printout, words: Sequence[str], n: int, what: str) -> Float[np.ndarray, "rows columns"]:
    """Return a square matrix from its numbers row by row."""
    numbers = printout.numbers(-1, words, what)
    if len(numbers) != n * n:
        message = f"{what}: {len(numbers)} numbers, expected {n * n}; the file is truncated or of another molecule"
        raise InputError(f"{printout.path}: {message}")
    return numbers.reshape(n, n)


def energy_of(
    printout: Printout, place: int, method: str, patterns: Mapping[str, re.Pattern[str]], others: re.Pattern[str]
) -> float | None:
    """Return the last energy [kcal/mol] of a method behind a place; `patterns` has that of SCF under no name.

    Of a method that has no pattern it is that of its SCF, unless its name or `others` says that more was computed: then
    there is none, of which an InputWarning tells.
    """
    beyond = _BEYOND_SCF.match(method) or others.search(printout.text, place)
    if method not in patterns and beyond:
        not_understood(printout.path, f"the energy of {method or 'the method'} is not told from that of its SCF")
        return None
    found = printout.matches(patterns.get(method, patterns[""]), place)
    if not found:
        raise printout.wrong(
            place, f"no energy of {method or 'the method'} follows the last geometry; is it truncated?"
        )
    return printout.energy(found[-1])


def not_understood(path: Path, what: str) -> None:
    """Give an InputWarning that an energy is left out."""
    warnings.warn(InputWarning(f"{path}: {what}; no energy is read"), stacklevel=3)
