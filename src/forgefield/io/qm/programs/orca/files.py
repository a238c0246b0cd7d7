"""Reads the files .hess and .engrad of ORCA; xTB writes .engrad as well."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.orca.output import unscaled
from forgefield.io.qm.programs.printout import Kind, Printout, blocks
from forgefield.io.text import integer, read_text


def _is_hess(_: Path, text: str) -> bool:
    return text[:400].lstrip().startswith("$orca_hessian_file")


def read_hess(path: Path) -> Part:
    """Return geometry, masses, Hessian and frequencies of a .hess file."""
    printout = Printout.of(path)
    text = printout.text
    missing = [head for head in ("$hessian", "$atoms") if f"\n{head}\n" not in text]
    if missing or "\n$end" not in text:
        raise InputError(f"{path}: has no {' and no '.join(missing) or '$end'}; the file is truncated")
    place = text.index("\n$atoms\n") + 1
    n_atoms = _count(printout, place)
    rows = [line.split() for line, _ in zip(printout.lines(place, 2), range(n_atoms), strict=False)]
    if len(rows) < n_atoms or any(len(row) != 5 for row in rows):
        raise printout.wrong(place, f"expected {n_atoms} atoms: element, mass and three coordinates")
    species, positions = printout.atoms(place, [(row[0], row[2:]) for row in rows], units.BOHR)
    head = text.index("\n$hessian\n") + 1
    n = _count(printout, head)
    if n != 3 * n_atoms:
        raise printout.wrong(head, f"{n_atoms} atoms have {3 * n_atoms} coordinates, the Hessian {n}")
    factor = _after(printout, "$frequency_scale_factor")
    multiplicity = _after(printout, "$multiplicity")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        hessian=full_hessian(path, blocks(printout, head, 2, n, "the Hessian"), n_atoms),
        frequencies=_listed_frequencies(printout, 1.0 if factor is None else printout.number(head, factor, "scale")),
        masses=printout.numbers(place, [row[1] for row in rows], "masses"),
        program="ORCA",
        multiplicity=None if multiplicity is None else integer(path, None, multiplicity, "multiplicity"),
    )


def _count(printout: Printout, place: int) -> int:
    word = next(iter(printout.lines(place)), "").strip()
    return integer(printout.path, printout.line(place) + 1, word, "the number of rows")


def _after(printout: Printout, head: str) -> str | None:
    place = printout.text.find(f"\n{head}\n")
    return None if place < 0 else next(iter(printout.lines(place + 1)), "").strip()


def _listed_frequencies(printout: Printout, factor: float) -> Float[np.ndarray, " modes"] | None:
    place = printout.text.find("\n$vibrational_frequencies\n")
    if place < 0:
        return None
    n = _count(printout, place + 1)
    rows = [line.split() for line, _ in zip(printout.lines(place + 1, 2), range(n), strict=False)]
    if len(rows) < n or any(len(row) != 2 for row in rows):
        raise printout.wrong(place + 1, f"expected {n} rows of a number and a frequency")
    return printout.frequencies(place, [row[1] for row in rows]) / unscaled(printout, factor)


def _is_engrad(_: Path, text: str) -> bool:
    return "# Number of atoms" in text and "current gradient in Eh/bohr" in text


def read_engrad(path: Path) -> Part:
    """Return geometry, energy and gradient of an .engrad file."""
    lines = [line for line in read_text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    n_atoms = integer(path, None, lines[0].strip() if lines else "", "the number of atoms")
    printout = Printout(path, "\n".join(lines))
    if n_atoms < 1 or len(lines) != 2 + 4 * n_atoms:
        raise InputError(f"{path}: {n_atoms} atoms need {2 + 4 * n_atoms} rows, there are {len(lines)}; is it cut?")
    rows = [line.split() for line in lines[2 + 3 * n_atoms :]]
    species, positions = printout.atoms(-1, [(row[0], row[1:]) for row in rows], units.BOHR)
    gradient = printout.vectors(-1, [lines[2 : 2 + 3 * n_atoms]], "gradient")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.number(-1, lines[1], "energy") * units.HARTREE,
        gradient=gradient * units.HARTREE_PER_BOHR,
    )


KINDS = (Kind("ORCA Hessian", _is_hess, read_hess), Kind("engrad", _is_engrad, read_engrad))
