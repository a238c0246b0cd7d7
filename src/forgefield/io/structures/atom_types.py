"""MacroModel's atom types: their numbers, two-character names, elements and formal charges."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from forgefield.errors import InputError, located
from forgefield.io.sources import is_smiles
from forgefield.io.text import integer, read_text
from forgefield.molecules.elements import SYMBOLS, WEIGHTS

FILE_NAME = "atom.typ"

_NUMBER, _ATOMIC_NUMBER, _NAME, _CHARGE = 0, 1, 3, 15
"""Columns of an atom.typ file that are read."""
_ABSENT = "!"
_ELEMENTS, _CHARGES = (-2, 118), (-10, 10)
"""What the columns may hold; lone pairs are -1, dummies -2."""
_FIRST_FREE, _LAST_FREE = 201, 300
"""Numbers that MacroModel leaves to the user."""

# number, name, atomic number (0: no element of its own, -1: lone pair, -2: dummy), formal charge; from the
# vendor's published table.
_STANDARD = """
1 C1 6 0     2 C2 6 0     3 C3 6 0     4 CA 6 0     5 CB 6 0     6 CC 6 0     7 CD 6 0     8 CE 6 0
9 CF 6 0     10 CM 6 -1   11 CP 6 1    12 CR 6 0    14 C0 6 0    15 O2 8 0    16 O3 8 0    17 OA 8 0
18 OM 8 -1   19 OW 8 0    20 OP 8 1    21 OQ 8 1    23 O0 8 0    24 N1 7 0    25 N2 7 0    26 N3 7 0
27 NA 7 0    28 NB 7 0    29 NC 7 0    30 ND 7 0    31 N4 7 1    32 N5 7 1    33 NE 7 1    34 NF 7 1
35 NG 7 1    36 NH 7 1    37 NI 7 1    38 NM 7 -1   39 NP 7 -1   40 N0 7 0    41 H1 1 0    42 H2 1 0
43 H3 1 0    44 H4 1 0    45 H5 1 0    48 H0 1 0    49 S1 16 0   50 SA 16 0   51 SM 16 -1  52 S0 16 0
53 P3 15 0   54 B2 5 0    55 B3 5 -1   56 F0 9 0    57 Cl 17 0   58 Br 35 0   59 I0 53 0   60 Si 14 0
61 Du -2 0   62 Z0 0 0    63 Lp -1 0   64 00 0 0    65 Li 3 1    66 Na 11 1   67 K0 19 1   68 Rb 37 1
69 Cs 55 1   70 Ca 20 2   71 Ba 56 2   72 Mg 12 2   87 Zn 30 2   100 SP 16 1  101 S2 16 0  102 Cm 17 -1
103 B0 5 0   104 Fm 9 -1  105 Bm 35 -1 106 Im 53 -1 107 P5 15 0  108 P0 15 0  109 S4 16 0  110 S6 16 0
111 P4 15 1  112 Se 34 0  113 ST 16 0
"""


@dataclass(frozen=True)
class AtomType:
    """One atom type of MacroModel."""

    number: int
    name: str
    atomic_number: int
    """0 where the type stands for no particular element, -1 for a lone pair, -2 for a dummy atom."""
    formal_charge: int


@dataclass(frozen=True)
class AtomTypes:
    """Atom types by number, and the file that added to the standard ones."""

    types: Mapping[int, AtomType]
    source: str = ""

    def find(self, number: int) -> AtomType | None:
        """Return the type of this number, or None."""
        return self.types.get(number)

    def advice(self, atoms: Iterable[tuple[int, int | None, int | None]]) -> str:
        """Return how to make unknown numbers known: the rows to add, and where.

        `atoms` are the numbers, each with the atomic number and the formal charge of an atom that has it, where known.
        """
        where = self.source or f"a file {FILE_NAME} beside the structures or the force field"
        return (
            f"add a row such as {' and '.join(f'`{_advised(*atom)}`' for atom in atoms)} (number, atomic number, mass, "
            "two-character name as the force field has it, twelve more columns with the formal charge in the 16th) to "
            f"{where}; numbers {_FIRST_FREE} to {_LAST_FREE} are free for your own types"
        )


def _advised(number: int, atomic_number: int | None, formal_charge: int | None) -> str:
    element = "<atomic number> <mass> <name>"
    if atomic_number is not None and 0 < atomic_number < len(SYMBOLS):
        # A letter behind the symbols of one letter makes them names of two.
        name = SYMBOLS[atomic_number].upper().ljust(2, "X")
        element = f"{atomic_number} {WEIGHTS[atomic_number]:.4f} {name}"
    return f"{number} {element} 4 1.75 T F ! 1.50 T ! ! ! ! {formal_charge or 0:+d} NCA 1 !"


def standard_atom_types() -> AtomTypes:
    """Return the types that every MacroModel installation has."""
    words = _STANDARD.split()
    rows = (words[i : i + 4] for i in range(0, len(words), 4))
    types = (AtomType(int(number), name, int(z), int(charge)) for number, name, z, charge in rows)
    return AtomTypes({t.number: t for t in types})


def read_atom_types(path: Path) -> AtomTypes:
    """Return the standard types with those of an atom.typ file added, which replace standard ones of their number.

    A row has at least 16 free-format columns, `!` for an absent one; `#` starts a comment. Raises InputError.
    """
    added: dict[int, AtomType] = {}
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        words = text.split("#")[0].split()
        if not words:
            continue
        found = _atom_type(path, line, words)
        if found.number in added:
            raise InputError(
                located(path, line, f"type {found.number} is defined a second time; remove one of the two")
            )
        added[found.number] = found
    if not added:
        raise InputError(f"{path}: holds no atom type")
    # A number without a name is reserved, not a type.
    named = {number: t for number, t in added.items() if t.name != _ABSENT}
    return AtomTypes({**standard_atom_types().types, **named}, source=str(path))


def find_atom_types(files: Iterable[Path]) -> AtomTypes:
    """Return the types of the atom.typ beside the first of `files` that has one, else the standard types."""
    for file in files:
        beside = file.parent / FILE_NAME
        if not is_smiles(file) and beside.is_file():
            return read_atom_types(beside)
    return standard_atom_types()


def _atom_type(path: Path, line: int, words: list[str]) -> AtomType:
    if len(words) <= _CHARGE:
        message = f"a row has at least {_CHARGE + 1} columns, this one {len(words)}; write ! for an absent one"
        raise InputError(located(path, line, message))
    absent_is_zero = ["0" if word == _ABSENT else word for word in words]
    name = words[_NAME]
    if name != _ABSENT and len(name) != 2:
        raise InputError(located(path, line, f"the name of a type has two characters, not {name!r}"))
    return AtomType(
        number=integer(path, line, words[_NUMBER], "the number of the type"),
        name=name,
        atomic_number=_between(path, line, absent_is_zero[_ATOMIC_NUMBER], "the atomic number (column 2)", _ELEMENTS),
        formal_charge=_between(path, line, absent_is_zero[_CHARGE], "the formal charge (column 16)", _CHARGES),
    )


def _between(path: Path, line: int, word: str, what: str, limits: tuple[int, int]) -> int:
    value = integer(path, line, word, what)
    if not limits[0] <= value <= limits[1]:
        raise InputError(located(path, line, f"{what} is {value}, expected {limits[0]} to {limits[1]}"))
    return value
