"""Tinker's rows as tables by classes of atoms, its constants, and what is not read of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from warnings import warn

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.tinker.files import Row, rows
from forgefield.io.offenders import listed

Classes = tuple[int, ...]
DEGREES = 1.0 / units.DEGREE
"""In a radian."""
_DEGREE2 = 1.0 / DEGREES**2
_NUMBERS = {
    "bondunit": 1.0,
    "bond-cubic": 0.0,
    "bond-quartic": 0.0,
    "angleunit": _DEGREE2,
    "angle-cubic": 0.0,
    "angle-quartic": 0.0,
    "angle-pentic": 0.0,
    "angle-sextic": 0.0,
    "strbndunit": 1.0 / DEGREES,
    "angangunit": _DEGREE2,
    "ureyunit": 1.0,
    "urey-cubic": 0.0,
    "urey-quartic": 0.0,
    "opbendunit": _DEGREE2,
    "opbend-cubic": 0.0,
    "opbend-quartic": 0.0,
    "opbend-pentic": 0.0,
    "opbend-sextic": 0.0,
    "torsionunit": 1.0,
    "imptorunit": 1.0,
    "impropunit": 1.0,
    "strtorunit": 1.0,
    "a-expterm": 0.0,
    "b-expterm": 0.0,
    "c-expterm": 0.0,
    "electric": 332.063713,
    "dielectric": 1.0,
    **{f"{kind}-1{n}-scale": float(n > 3) for kind in ("vdw", "chg") for n in (2, 3, 4, 5)},
    "chg-buffer": 0.0,
}
"""Constants and what they are where no file states them."""
_WORDS = {
    "forcefield": "",
    "bondtype": "HARMONIC",
    "angle-trigonal": "",
    "opbendtype": "W-D-C",
    "vdwindex": "CLASS",
    "vdwtype": "LENNARD-JONES",
    "radiusrule": "ARITHMETIC",
    "radiustype": "R-MIN",
    "radiussize": "RADIUS",
    "epsilonrule": "GEOMETRIC",
}
_SYNONYMS = {"delectric": "dielectric", "imptorsunit": "imptorunit", "improperunit": "impropunit", "vdwpr": "vdwpair"}
COUNTS = {
    "atom": 1,
    "vdw": 1,
    "vdw14": 1,
    "vdwpair": 2,
    "hbond": 2,
    "charge": 1,
    "angang": 1,
    "electneg": 3,
    **dict.fromkeys(("bond", "bond5", "bond4", "bond3", "dipole", "dipole5", "dipole4", "dipole3"), 2),
    **dict.fromkeys(("angle", "angle5", "angle4", "angle3", "anglep", "anglef", "strbnd", "ureybrad"), 3),
    **dict.fromkeys(("torsion", "torsion5", "torsion4", "imptors", "improper", "opbend", "strtors"), 4),
}
"""How many classes the rows that are read name."""
_UNREAD = {
    "opdist": 4,
    "pitors": 2,
    "angtors": 4,
    "tortors": 5,
    "chgpen": 1,
    "dispersion": 1,
    "repulsion": 1,
    "chgtrn": 1,
    "multipole": 1,
    "polarize": 1,
    "bndcflux": 2,
    "angcflux": 3,
    "expol": 1,
    "metal": 1,
}
"""The same of rows that are refused where a molecule has these classes."""
_REFUSED = {
    **dict.fromkeys(("ewald", "a-axis", "b-axis", "c-axis", "lattice", "octahedron", "dodecadron"), "a periodic box"),
    **dict.fromkeys(("solvate", "solute", "gkterms", "reactionfield", "born-radius"), "a solvent that is a continuum"),
    **dict.fromkeys(("pisystem",), "orbitals of conjugated systems"),
    **dict.fromkeys(("rattle", "rattle-bond", "rattle-distance"), "constraints"),
    **dict.fromkeys(("active", "inactive", "group", "group-inter", "group-intra", "group-select"), "groups of atoms"),
    **dict.fromkeys(("lambda", "vdw-lambda", "ele-lambda", "ligand", "mutate"), "atoms that are switched on or off"),
    **dict.fromkeys(("polymer-cutoff", "smoothing", "neutral-groups", "neighbor-groups"), "another treatment of pairs"),
}
"""Keywords that change energies, and what they ask for."""
_CUTOFFS = ("cutoff", "vdw-cutoff", "chg-cutoff", "dpl-cutoff")


@dataclass(frozen=True, eq=False)
class Parameters:
    """All rows and constants of some files, those of a .key going before."""

    paths: tuple[Path, ...]
    rows: dict[str, list[Row]]
    numbers: dict[str, float]
    words: dict[str, str]

    @property
    def source(self) -> str:
        """What messages call it."""
        return "+".join(map(str, self.paths))

    def table(self, keyword: str, ordered: bool = True) -> dict[Classes, list[Row]]:
        """Return rows by their classes, from the lower end where `ordered`: of a .key first, else as they stand.

        A row of a .key takes the place of the first of the same classes, as in Tinker.
        """
        found: dict[Classes, list[Row]] = {}
        for row in self.rows.get(keyword, ()):
            key = canonical(row.classes(COUNTS[keyword])) if ordered else row.classes(COUNTS[keyword])
            held = found.setdefault(key, [])
            if row.in_key and held:
                held[0] = row
            else:
                held.append(row)
        return found

    def last(self, keyword: str) -> dict[int, Row]:
        """Return rows of one class or type, the last of several."""
        return {row.classes(1)[0]: row for row in self.rows.get(keyword, ())}

    def require_read(self, classes: Iterable[int], types: Iterable[int]) -> None:
        """Raise InputError for rows of kinds that are not read and that atoms of these classes or types may take."""
        there = {0, *classes, *types}
        acting = [row for word in _UNREAD for row in self.rows.get(word, ()) if _may_act(row, there)]
        if acting:
            said = listed([row.named for row in acting], separator="; ")
            raise InputError(f"{self.source}: has what ForgeField does not compute: {said}")


def _may_act(row: Row, there: set[int]) -> bool:
    return {abs(one) for one in row.classes(_UNREAD[row.words[0]])} <= there


def canonical(classes: Classes) -> Classes:
    """Return classes from the end that Tinker begins with: the lower one, of torsions by their middle first."""
    backward = classes[::-1]
    inside, outside = (classes[1:-1], backward[1:-1]), (classes[0], backward[0])
    if len(classes) == 4 and inside[0] != inside[1]:
        return classes if inside[0][0] < inside[1][0] else backward
    return classes if outside[0] <= outside[1] else backward


def read_parameters(prm: Sequence[Path], keys: Sequence[Path]) -> Parameters:
    """Return the parameters of files, and of those that keys name in lines `parameters`.

    Raises InputError for missing files, for keywords that ask for what is not computed, and for other constants.
    """
    of_keys = [row for key in keys for row in rows(key, in_key=True)]
    named = [*prm, *(_of_key(row) for row in of_keys if row.words[0] == "parameters")]
    files = [path for path in named if path.name.lower() not in ("none", "none.prm")]
    found = Parameters((*files, *keys), {}, dict(_NUMBERS), dict(_WORDS))
    for row in [row for path in files for row in rows(path)] + of_keys:
        _take(found, row)
    if not found.rows.get("atom"):
        said = "names no parameters (a line `parameters FILE.prm`)" if keys and not files else "has no rows `atom`"
        raise InputError(f"{found.source}: {said}")
    _require_forms(found)
    return found


def _of_key(row: Row) -> Path:
    if len(row.words) < 2:
        raise row.wrong("it names no file")
    name = row.words[1].strip('"')
    beside = row.path.parent / name
    for path in (beside, beside.with_name(f"{beside.name}.prm")):
        if path.is_file():
            return path
    if name.lower() == "none":
        return Path(name)
    raise row.wrong(f"there is no file {beside}")


def _take(found: Parameters, row: Row) -> None:
    """Take a row to account. Raises InputError for keywords that are not read."""
    word = _SYNONYMS.get(row.words[0], row.words[0])
    if word in _NUMBERS and _has_number(row):
        value = row.number(1)
        found.numbers[word] = 1.0 / value if word.endswith("-scale") and value > 1.0 else value
    elif word in _WORDS and len(row.words) > 1:
        found.words[word] = row.words[1].upper()
    elif (word in COUNTS or word in _UNREAD) and _has_number(row):
        found.rows.setdefault(word, []).append(row)
    elif row.in_key and (word in _REFUSED or word.startswith("restrain")):
        raise row.wrong(f"{_REFUSED.get(word, 'restraints')}: not computed; remove the line, or use Tinker")
    elif row.in_key and word.endswith("term") and row.words[1:]:
        raise row.wrong("terms are not switched off or on; remove the line")
    elif row.in_key and word in _CUTOFFS:
        warn(InputWarning(f"{row.path}, line {row.line}: {word} is not read; pairs act at any distance"), stacklevel=2)


def _has_number(row: Row) -> bool:
    """Say whether a line has a number, as rows do and prose does not."""
    return any(any(letter.isdigit() for letter in word) for word in row.words[1:])


def _require_forms(found: Parameters) -> None:
    """Raise InputError for functions that are not ours, all of them."""
    numbers, words = found.numbers, found.words
    wrong = [f"{name} {words[name]}" for name, known in _FORMS.items() if words[name] not in known]
    wrong += [f"forcefield {words['forcefield']}"] * words["forcefield"].startswith("MMFF")
    wrong += [f"{name} {numbers[name]:g}" for name in _MUST_BE_ZERO if numbers[name] != 0.0]
    wrong += [f"{name} {numbers[name]:g}" for name in ("vdw-15-scale", "chg-15-scale") if numbers[name] != 1.0]
    if wrong:
        raise InputError(f"{found.source}: has what ForgeField does not compute: {listed(wrong)}")


_FORMS = {
    "bondtype": ("HARMONIC",),
    "angle-trigonal": ("", "IN-PLANE", "NONE"),
    "opbendtype": ("W-D-C", "ALLINGER"),
    "vdwindex": ("CLASS", "TYPE"),
    "vdwtype": ("LENNARD-JONES", "BUCKINGHAM", "MM3-HBOND"),
    "radiusrule": ("ARITHMETIC", "GEOMETRIC", "CUBIC-MEAN"),
    "radiustype": ("R-MIN", "SIGMA"),
    "radiussize": ("RADIUS", "DIAMETER"),
    "epsilonrule": ("GEOMETRIC", "ARITHMETIC", "HARMONIC", "HHG"),
}
_MUST_BE_ZERO = ("urey-cubic", "urey-quartic", "chg-buffer")
