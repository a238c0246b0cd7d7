"""Reads Jaguar's input files, which hold geometry and Hessian, and its output, which holds energy and frequencies."""

import re
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning, UnfinishedJob, located
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.qm.programs.printout import Printout
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.elements import atomic_number
from forgefield.molecules.molecule import AtomicCharges

_COLUMNS = 5
"""Columns in a block of the Hessian."""
_KEYWORD = re.compile(r"(\w+)\s*=\s*(\S+)")
_LABEL = re.compile(r"([A-Za-z]{1,2})\d*$")
_GEOMETRY = re.compile(r"^ *(?:input|new|final|symmetrized) geometry:", re.IGNORECASE | re.MULTILINE)
_ENERGY = re.compile(r"SCFE: (?:SCF|Solution phase) energy: .*?(\S+) hartrees")
_BEYOND_SCF = re.compile(r"^ *Post-SCF correlation type: +(\S+)", re.MULTILINE)
_CORRELATED = {"LMP2": re.compile(r"Total LMP2 Energy\.* *(\S+)")}
"""How the energies of methods beyond SCF are printed."""
_BASIS = re.compile(r"^ *basis set: +(\S+)", re.MULTILINE)
_COUNT = re.compile(r"Number of frequencies:\s*(\S+)")
_FREQUENCIES = re.compile(r"^ *harmonic frequencies in")
_CHARGES = re.compile(r"^ *Atomic charges from (electrostatic potential|Mulliken population)", re.IGNORECASE)
_STATIONARY_ORDER = {"1": 0, "2": 1}
"""By igeopt: 1 looks for a minimum, 2 for a transition state."""


def read_jaguar_input(path: Path) -> Part:
    """Return geometry (&zmat in Å), Hessian (&hess), charge, multiplicity and level of a Jaguar input file.

    Raises InputError, with its line, where a Z-matrix stands for the geometry or the Hessian is damaged.
    """
    lines = read_text(path).splitlines()
    sections = _sections(path, lines)
    if "zmat" not in sections:
        raise InputError(f"{path}: has no &zmat section; is it a Jaguar input file?")
    keywords = _keywords([line for _, line in sections.get("gen", [])])
    species, positions = _cartesians(path, sections["zmat"])
    if "iunit" in keywords:
        raise InputError(f"{path}: iunit={keywords['iunit']} is not supported; give the geometry in Å without it")
    if any(re.search(r"\b(?:mass|isotope)\b", line, re.IGNORECASE) for _, line in sections.get("atomic", [])):
        raise InputError(f"{path}: &atomic sets masses, which is not supported; repeat the job with the usual isotopes")
    hessian = _hessian(path, sections["hess"], len(species)) if "hess" in sections else None
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        hessian=hessian,
        level=_level(keywords),
        program="Jaguar",
        stationary_order=_STATIONARY_ORDER.get(keywords.get("igeopt", "")),
        charge=integer(path, None, keywords.get("molchg", "0"), "molchg"),
        multiplicity=integer(path, None, keywords["multip"], "multip") if "multip" in keywords else None,
    )


def _sections(path: Path, lines: list[str]) -> dict[str, list[tuple[int, str]]]:
    """Return the lines of each section, with their 1-based numbers; `&`, `&end` and `$end` close one."""
    sections: dict[str, list[tuple[int, str]]] = {}
    name = None
    for number, line in enumerate(lines, start=1):
        mark = line.strip()
        if mark[:1] in ("&", "$"):
            mark = mark[:1] if mark[1:].lower() == "end" else mark
            if (name is None) == (len(mark) == 1):
                raise InputError(located(path, number, f"{mark!r} does not fit: a section is open or none is"))
            words = mark[1:].split(maxsplit=1)
            name = words[0].lower() if words else None
            if name is not None:
                sections[name] = [(number, words[1])] if len(words) > 1 else []
        elif name is not None and mark:
            sections[name].append((number, mark))
    if name is not None:
        raise InputError(f"{path}: section &{name} is not closed; the file is truncated")
    return sections


def _keywords(lines: list[str]) -> dict[str, str]:
    return {key.lower(): value for key, value in _KEYWORD.findall("\n".join(lines))}


def _level(keywords: dict[str, str]) -> str:
    method = keywords.get("dftname") or ("mp2" if keywords.get("mp2", "0") != "0" else "hf")
    return f"{method}/{keywords['basis']}".upper() if "basis" in keywords else method.upper()


def _cartesians(
    path: Path, rows: list[tuple[int, str]]
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    species, positions, wrong = [], [], []
    # The first atom of a Z-matrix stands alone.
    if rows and len(rows[0][1].split()) == 1:
        message = "the geometry is a Z-matrix, which is not read; give the input that Jaguar writes (NAME.01.in)"
        raise InputError(located(path, rows[0][0], message))
    for number, row in rows:
        words = row.split()
        symbol = _LABEL.match(words[0])
        try:
            species.append(atomic_number(symbol[1] if symbol else words[0]))
        except InputError:
            wrong.append(f"line {number}: {words[0]!r} names no element")
        if len(words) != 4:
            wrong.append(f"line {number}: expected a label and three Cartesian coordinates, found {row!r}")
            continue
        # A # behind a coordinate freezes it.
        positions.append(floats(path, number, [" ".join(word.rstrip("#") for word in words[1:])], "coordinates"))
    if wrong or not rows:
        raise InputError(f"{path}: the geometry cannot be used:\n  " + "\n  ".join(wrong or ["it has no atoms"]))
    placed = [(number, word.rstrip("#")) for number, row in rows for word in row.split()[1:]]
    tell_odd_digits(path, placed, "coordinates")
    return np.array(species), np.array(positions)


def _hessian(path: Path, rows: list[tuple[int, str]], n_atoms: int) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return the Hessian [kcal/mol/Å²] from its lower triangle [Hartree/Bohr²] in blocks of five columns."""
    n = 3 * n_atoms
    matrix = np.zeros((n, n))
    placed = [(number, word) for number, row in rows for word in row.split()[1:] if "." in word]
    tell_odd_digits(path, placed, "Hessian")
    rest = iter(rows)
    for first in range(0, n, _COLUMNS):
        _expect_row(path, next(rest, None), str(first + 1), 1)
        for i in range(first, n):
            width = min(_COLUMNS, i - first + 1)
            number, words = _expect_row(path, next(rest, None), str(i + 1), width + 1)
            matrix[i, first : first + width] = floats(path, number, [words], "Hessian")
    extra = next(rest, None)
    if extra is not None:
        raise InputError(located(path, extra[0], f"the Hessian goes on after the {n} coordinates of {n_atoms} atoms"))
    return hessian_from_triangle(path, matrix[np.tril_indices(n)], n_atoms)


def _expect_row(path: Path, row: tuple[int, str] | None, label: str, n_words: int) -> tuple[int, str]:
    """Return the line number and what follows the label; raises InputError where the row is another one."""
    if row is None:
        raise InputError(
            f"{path}: the Hessian ends before the row or block of coordinate {label}; the file is truncated"
        )
    number, text = row
    head, _, words = text.partition(" ")
    if head != label or len(text.split()) != n_words:
        message = f"expected coordinate {label} and {n_words - 1} force constants of the Hessian, found {text!r}"
        raise InputError(located(path, number, message))
    return number, words


def read_jaguar_output(path: Path) -> Part:
    """Return geometry, energy, frequencies, atomic charges, charge, multiplicity and level of a Jaguar output file.

    The last of each counts; the energy is that of the method, SCF or LMP2, and of others beyond SCF there is none, of
    which an InputWarning tells. Raises InputError where the job did not end or announced frequencies that
    are not there.
    """
    text = read_text(path)
    lines = text.splitlines()
    if "Jaguar version" not in text:
        raise InputError(f"{path}: does not name its Jaguar version; is it Jaguar output?")
    keywords = _keywords(_echoed_keywords(lines))
    frequencies = _frequencies(path, lines)
    completed = any(line.startswith("Job ") and " completed on " in line for line in lines)
    if not completed and frequencies is None:
        raise UnfinishedJob(f"{path}: the job did not end (no line `Job ... completed on ...`); repeat it")
    if frequencies is None and keywords.get("ifreq", "0") != "0":
        raise InputError(f"{path}: the job asked for frequencies (ifreq), but none are there; is the file truncated?")
    species, positions = _printed_geometry(path, lines)
    place = [match.start() for match in _GEOMETRY.finditer(text)][-1]
    check_repulsion(Printout(path, text), place, species, positions)
    beyond = _BEYOND_SCF.search(text)
    basis = _BASIS.search(text)
    level = _level(keywords) if keywords else "/".join(one[1].upper() for one in (beyond, basis) if beyond and one)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(path, lines) if beyond is None else _correlated_energy(path, text, beyond[1].upper()),
        frequencies=frequencies,
        level=level,
        program="Jaguar",
        stationary_order=_STATIONARY_ORDER.get(keywords.get("igeopt", "")),
        charge=_stated(path, text, "net molecular charge"),
        multiplicity=_stated(path, text, "multiplicity"),
        charges=_charges(path, lines, len(species)),
    )


def _energy(path: Path, lines: list[str]) -> float:
    """Return the last SCF energy [kcal/mol]."""
    rows = [i for i, line in enumerate(lines) if "SCFE:" in line]
    if not rows:
        raise InputError(f"{path}: holds no SCF energy (SCFE)")
    found = _ENERGY.search(lines[rows[-1]])
    if found is None:
        raise InputError(located(path, rows[-1] + 1, f"expected the SCF energy, found {lines[rows[-1]].strip()!r}"))
    return float(floats(path, rows[-1] + 1, [found[1]], "SCF energy")[0]) * units.HARTREE


def _correlated_energy(path: Path, text: str, method: str) -> float | None:
    """Return the last energy [kcal/mol] of a method beyond SCF; None where it is not known how that is printed."""
    found = _CORRELATED[method].findall(text) if method in _CORRELATED else []
    if not found:
        warn(InputWarning(f"{path}: the energy of {method} is not read; only LMP2 is beyond SCF"), stacklevel=3)
        return None
    return float(floats(path, None, found[-1:], f"{method} energy")[0]) * units.HARTREE


def _charges(path: Path, lines: list[str], n_atoms: int) -> tuple[AtomicCharges, ...]:
    """Return the last charges of each kind: rows of labels, each over a row of numbers, up to their printed sum."""
    heads = {found[1].lower(): i for i, line in enumerate(lines) if (found := _CHARGES.match(line))}
    charges = []
    for name, start in heads.items():
        numbers = []
        for i in range(start + 1, len(lines)):
            head, _, row = lines[i].strip().partition(" ")
            if head == "Charge":
                numbers.append(floats(path, i + 1, [row], "atomic charges"))
            elif lines[i].strip().lower().startswith("sum of atomic charges") or head not in ("", "Atom"):
                break
        values = np.concatenate([np.zeros(0), *numbers])
        if len(values) != n_atoms:
            message = f"{n_atoms} atoms, but {len(values)} atomic charges; is the file truncated?"
            raise InputError(located(path, start + 1, message))
        charges.append(AtomicCharges("esp" if name.startswith("electrostatic") else "mulliken", values))
    return tuple(charges)


def _echoed_keywords(lines: list[str]) -> list[str]:
    start = next((i for i, line in enumerate(lines) if line.strip().lower() == "&gen"), len(lines))
    end = next((i for i in range(start + 1, len(lines)) if lines[i].strip() in ("&", "$")), len(lines))
    return lines[start + 1 : end]


def _stated(path: Path, text: str, what: str) -> int | None:
    found = re.search(rf"^ *{what}:\s+(\S+)", text, re.MULTILINE)
    return integer(path, None, found[1], what) if found else None


def _frequencies(path: Path, lines: list[str]) -> Float[np.ndarray, " modes"] | None:
    heads = [i for i, line in enumerate(lines) if _COUNT.search(line) or _FREQUENCIES.match(line)]
    if not heads:
        return None
    blocks = [
        floats(path, i + 1, [lines[i].split("frequencies", 1)[1]], "frequencies")
        for i in range(heads[-1] + 1, len(lines))
        if lines[i].startswith("  frequencies  ")
    ]
    frequencies = np.concatenate(blocks) if blocks else np.zeros(0)
    # Up to version 8.3 the number is not announced.
    counts = [(i, found[1]) for i, line in enumerate(lines) if (found := _COUNT.search(line))]
    for i, word in counts[-1:]:
        count = integer(path, i + 1, word, "the number of frequencies")
        if len(frequencies) != count:
            message = f"{count} frequencies are announced, {len(frequencies)} are there; is the file truncated?"
            raise InputError(located(path, i + 1, message))
    return frequencies


def _printed_geometry(path: Path, lines: list[str]) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    """Return the last geometry, after checking that all that are printed have the same number of rows."""
    heads = [i for i, line in enumerate(lines) if _GEOMETRY.match(line)]
    if not heads:
        raise InputError(f"{path}: holds no geometry; is the file truncated?")
    tables = [_rows(path, lines, head) for head in heads]
    sizes = {len(table): head + 1 for head, table in zip(heads, tables, strict=True)}
    if len(sizes) > 1:
        counts = ", ".join(f"{n} atoms on line {line}" for n, line in sizes.items())
        raise InputError(f"{path}: geometries of different sizes ({counts}); is the file damaged, or of several jobs?")
    return _cartesians(path, tables[-1])


def _rows(path: Path, lines: list[str], head: int) -> list[tuple[int, str]]:
    """Return the rows of a geometry, which go on to the next blank line, with their 1-based numbers."""
    unit = lines[head + 1].strip() if head + 1 < len(lines) else ""
    if unit != "angstroms":
        raise InputError(located(path, head + 2, f"expected a geometry in angstroms, found {unit!r}"))
    first = head + 3
    end = next((i for i in range(first, len(lines)) if not lines[i].strip()), None)
    if end is None:
        raise InputError(located(path, head + 1, "the file ends inside this geometry; it is truncated"))
    return [(i + 1, lines[i]) for i in range(first, end)]
