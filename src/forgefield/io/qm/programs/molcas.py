"""Reads what Molcas and OpenMolcas print."""

import re
from itertools import takewhile
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.molden import printed_modes, with_modes
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.molecules.elements import SYMBOLS, is_ghost

_ENDS = ("Happy landing", "Timing: Wall=")
_VERSION = re.compile(r"\b(?:version|VERSION) +v?(\d\S*)")
_GATEWAY = "Cartesian Coordinates / Bohr, Angstrom"
_FINAL = re.compile(r"Nuclear coordinates (?:of|for) the final structure / (Bohr|Angstrom)", re.IGNORECASE)
_DISPLACED = "Accumulate the gradient for selected numerical differentiation"
_ROW = re.compile(rf" *\d+ +(\S+) +({NUMBER}) +({NUMBER}) +({NUMBER})(?: +{NUMBER}){{3}} *")
_FINAL_ROW = re.compile(rf" *(?:\d+ +)?([A-Z][A-Za-z]?\S*) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *[A-Z]\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_ENERGY = re.compile(
    r"^(?:::)? +(?:Total (?P<scf>SCF|KS-DFT|MBPT2) energy +|(?P<root>\S+) [Rr]oot +(?:number +)?(?P<n>\d+)"
    r"\s+Total energy:?(?: +=)? +|(?P<cc>CCSD(?:\(T\)|\+T)?) +(?:Total )?energy.*? )(?P<energy>-\d+\.\d+)",
    re.MULTILINE,
)
"""Version 7 marks these lines by nothing."""
_REPULSION = re.compile(r"Nuclear repulsion energy += +(\d+\.\d+)")
_SAME_PLACE = 1e-4
"""Å"""
_SAME_REPULSION = 2e-6
"""Hartree; six decimals are printed."""
_FREQUENCIES = re.compile(r"^ +Frequency: +((?:i?\d+\.\d+ *)+)$", re.MULTILINE)
_CHARGE = re.compile(r"(?:Molecular charge|Total molecular charge) +(-?\d+)\.")
_SPIN = re.compile(r"(?:Total spin, S|Spin quantum number) +(\d+\.\d+)")
_BASIS = re.compile(r"Basis set label: *[A-Za-z]{1,2}\.([^.\s]+)\.")
_FUNCTIONAL = re.compile(r"^ +(?:UHF +)?(\S+) +iterations: Energy and convergence statistics", re.MULTILINE)


def _is_output(_: Path, text: str) -> bool:
    page = text[:20000]
    return "This run of MOLCAS" in page or "OPENMOLCAS" in page or ("MOLCAS" in page and "Module" in page)


def read_output(path: Path) -> Part:
    """Return geometry, energy, gradient and frequencies: of the final structure, else of the first geometry, which
    others that are displaced follow."""
    printout = Printout.of(path)
    printout.ended(*_ENDS)
    final, place = _FINAL.search(printout.text), printout.text.find(_GATEWAY)
    start, end = 0, printout.text.find(_DISPLACED)
    end = end if end >= 0 else len(printout.text)
    if final:
        species, positions, start, end = _final(printout, final, end)
    else:
        species, positions = _whole(printout, place)
        check_repulsion(printout, place, species, positions)
        _check_unmoved(printout, end)
    method, energy = _energy(printout, start, end)
    bases = set(_BASIS.findall(printout.text))
    spin = printout.matches(_SPIN)
    gradient = None if final else _gradient(printout, len(species))
    frequencies, hessian, masses = _frequencies(printout), None, None
    if frequencies is not None:
        place = printout.last("Harmonic frequencies in cm-1")
        modes = printed_modes(printout, place, len(species), len(frequencies))
        found = with_modes(path, species, positions, frequencies, modes, gradient=gradient)
        hessian, masses = found.hessian, found.masses
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=gradient,
        hessian=hessian,
        frequencies=frequencies,
        masses=masses,
        level="/".join([method, *bases]) if len(bases) == 1 and method else method,
        program=printout.program("Molcas", _VERSION),
        stationary_order=0 if final and "Geometry is converged" in printout.text else None,
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=round(2 * printout.number(spin[-1].start(), spin[-1][1], "spin")) + 1 if spin else None,
    )


def _whole(printout: Printout, place: int) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    """Return species and positions of a table of all atoms."""
    rows = printout.rows(place, _ROW, 4)
    return printout.atoms(place, [(_symbol(row[1]), row.groups()[1:4]) for row in rows], units.BOHR)


def _final(
    printout: Printout, head: re.Match[str], displaced: int
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"], int, int]:
    """Return species and positions of the final structure, and the places between which its energy is printed.

    Atoms that symmetry makes of others are not in its table. They are in that of all atoms which heads a computation of
    the same structure; where one follows, its energy counts, as that of the last step is of the structure before.
    """
    unit = units.BOHR if head[1].lower() == "bohr" else 1.0
    lines = [line for line, _ in zip(printout.lines(head.start()), range(400), strict=False)]
    rows = [match for line in _until_rows(lines) if (match := _FINAL_ROW.fullmatch(line))]
    species, positions = printout.atoms(head.start(), [(_symbol(row[1]), row.groups()[1:4]) for row in rows], unit)
    tables = [match.start() for match in re.finditer(re.escape(_GATEWAY), printout.text)]
    whole = {place: _whole(printout, place) for place in tables}
    same = [place for place, (kinds, found) in whole.items() if _is_among(species, positions, kinds, found)]
    later = [place for place in same if head.start() < place < displaced and _ENERGY.search(printout.text, place)]
    if later:
        following = min((place for place in tables if place > later[0]), default=displaced)
        return *whole[later[0]], later[0], min(following, displaced)
    n_atoms = max((len(found) for _, found in whole.values()), default=len(positions))
    if n_atoms > len(positions):
        if not same:
            message = f"its final structure has {len(positions)} of {n_atoms} atoms, without those that symmetry makes"
            raise InputError(f"{printout.path}: {message}; repeat the last step without symmetry")
        species, positions = whole[same[-1]]
    return species, positions, 0, min(head.start(), displaced)


def _is_among(
    some: Int[np.ndarray, " some"],
    placed: Float[np.ndarray, "some 3"],
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
) -> bool:
    """Say whether some atoms are among those of a table."""
    apart = np.linalg.norm(placed[:, None] - positions, axis=-1)
    nearest = apart.argmin(axis=1)
    return bool((apart.min(axis=1) < _SAME_PLACE).all() and (species[nearest] == some).all())


def _symbol(label: str) -> str:
    """Return the element of a label; where its letters are none, as in Ha or O', it is the first of them.

    Whether they are, the repulsion of the nuclei tells.
    """
    letters = "".join(takewhile(str.isalpha, label))
    if is_ghost(label) or not letters:
        return label
    return letters if len(letters) <= 2 and letters.capitalize() in SYMBOLS else letters[:1]


def _check_unmoved(printout: Printout, end: int) -> None:
    """Raise InputError where geometries follow the first one that no end of an optimisation tells."""
    found = [match for match in printout.matches(_REPULSION) if match.start() < end]
    values = printout.numbers(-1, [match[1] for match in found], "nuclear repulsion")
    if len(values) and np.ptp(values) > _SAME_REPULSION:
        message = "holds several geometries, of which none is the final one of an optimisation that converged"
        raise InputError(f"{printout.path}: {message}; give single points of them")


def _until_rows(lines: list[str]) -> list[str]:
    """Return the rows of a table, which heads without a row precede."""
    first = next((i for i, line in enumerate(lines) if _FINAL_ROW.fullmatch(line)), len(lines))
    return list(takewhile(_FINAL_ROW.fullmatch, lines[first:]))


def _energy(printout: Printout, start: int, end: int) -> tuple[str, float | None]:
    """Return method and energy [kcal/mol] of what was computed last between places; of several states there is none."""
    found = [match for match in printout.matches(_ENERGY, start) if match.start() < end]
    if not found:
        raise InputError(f"{printout.path}: holds no energy; is the file truncated?")
    last = found[-1]
    if last["n"] not in (None, "1"):
        not_understood(printout.path, f"{last['n']} states were computed")
        return "", None
    functional = next((one for one in reversed(printout.matches(_FUNCTIONAL)) if one.start() < last.start()), None)
    method = last["root"] or last["cc"] or {"SCF": "HF", "MBPT2": "MP2"}.get(last["scf"], "")
    return method or (functional[1] if functional else "DFT"), printout.energy(last)


def _gradient(printout: Printout, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the first gradient, where no symmetry leaves atoms out."""
    place = printout.text.find("Molecular gradients")
    gradient = printout.gradient(place, _SLOPE, 8) if place >= 0 else None
    return gradient if gradient is not None and len(gradient) == n_atoms else None


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    place = printout.last("Harmonic frequencies in cm-1")
    found = printout.matches(_FREQUENCIES, place) if place >= 0 else []
    return printout.frequencies(place, [match[1] for match in found]) if found else None


KINDS = (Kind("Molcas output", _is_output, read_output),)
