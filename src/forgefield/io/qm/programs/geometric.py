"""Reads what TeraChem prints, geomeTRIC's Hessian and the data of ForceBalance's targets."""

import re
from collections import Counter
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.damage import tell_unbalanced
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.offenders import listed
from forgefield.io.qm.programs.molden import with_modes
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, element, square
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.io.text import floats, integer, read_text

_VERSION = re.compile(r"TeraChem v(\S+)")
_ATOM = re.compile(rf" *([A-Z][a-z]?) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MODE = re.compile(rf" *\d+ +{NUMBER} +({NUMBER}i?) +{NUMBER} .*")
_FINAL = re.compile(r"FINAL ENERGY: +(\S+) a\.u\.")
_CHARGE = re.compile(r"Total charge: +(-?\d+)")
_MULTIPLICITY = re.compile(r"Spin multiplicity: +(\d+)")
_METHOD = re.compile(r"^Method: +(\S+)", re.MULTILINE)
_BASIS = re.compile(r"^(?:Using basis set|Basis set): +(\S+)", re.MULTILINE)
# TeraChem itself leaves out a letter of OPTIMIZATION.
_OTHERS = (
    (re.compile(r"\*\*\* (?:RUNNING )?GEOMETRY OPTI?MIZATION"), "an optimisation"),
    (re.compile(r"\*\*\* (?:RUNNING )?(?:AB INITIO )?MOLECULAR DYNAMICS"), "molecular dynamics"),
)


def _is_terachem(_: Path, text: str) -> bool:
    return "TeraChem v" in text and "PetaChem" in text


def read_terachem(path: Path) -> Part:
    """Return geometry, energy, gradient and frequencies of a single point or a vibrational analysis."""
    printout = Printout.of(path)
    printout.ended("Job finished:")
    other = next((job for mark, job in _OTHERS if mark.search(printout.text)), None)
    if other:
        message = f"is {other}, whose geometries TeraChem writes elsewhere; give scr*/optim.xyz or scr*/coors.xyz"
        raise InputError(f"{path}: {message}")
    place = printout.text.find("****** QM coordinates ******")
    species, positions = printout.geometry(place, _ATOM) if place >= 0 else (None, None)
    if species is not None and positions is not None:
        check_repulsion(printout, place, species, positions)
    # Displaced geometries follow the first one.
    energy = _FINAL.search(printout.text, max(place, 0))
    if energy is None:
        raise InputError(f"{path}: holds no FINAL ENERGY; is the file truncated?")
    modes = printout.text.find("Frequency(cm-1)")
    method, basis = (pattern.search(printout.text) for pattern in (_METHOD, _BASIS))
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.energy(energy),
        gradient=printout.gradient(printout.text.find("Gradient units are Hartree/Bohr", energy.end()), _SLOPE, 3),
        frequencies=printout.frequencies(modes, [row[1] for row in printout.rows(modes, _MODE)])
        if modes >= 0
        else None,
        level="/".join(one[1] for one in (method, basis) if one),
        program=printout.program("TeraChem", _VERSION),
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=printout.integer(_MULTIPLICITY, "multiplicity"),
    )


def _is_hessian(path: Path, text: str) -> bool:
    if path.name.lower() != "hessian.txt":
        return False
    lines = text.strip().splitlines()
    return len(lines) % 3 == 0 and all(len(line.split()) == len(lines) for line in lines[:3])


def read_hessian(path: Path) -> Part:
    """Return the Hessian of a file that holds its rows [Hartree/Bohr²] and nothing else."""
    text = read_text(path)
    n = len(text.strip().splitlines())
    matrix = square(Printout(path, text), text.split(), n, "Hessian")
    return Part(source=str(path), hessian=full_hessian(path, matrix, n // 3), program="geomeTRIC")


_JOB = re.compile(r"^JOB\s+(\d+)\s*$", re.MULTILINE)
_KEY = re.compile(r"[A-Z]\w+", re.ASCII)
_KNOWN = ("COORDS", "ENERGY", "GRADIENT", "ESPXYZ", "ESPVAL", "CHARGES", "MULLIKEN", "INTERACTION", "EMD0")
"""What ForceBalance writes of a job, of which the first three are read."""
_SAME = 0.01
"""Å between the coordinates of a job and those of the frame beside it, which may have fewer digits."""


def _is_qdata(_: Path, text: str) -> bool:
    return "\nCOORDS" in text and bool(_JOB.search(text))


def read_qdata(path: Path) -> list[Part]:
    """Return the frames of a qdata.txt, with the elements of an xyz file beside it, which a target folder has.

    The gradient is one under either of its keys: FORCES is an older name for it.
    """
    text = read_text(path)
    printout = Printout(path, text)
    jobs = _jobs(path, text)
    frames = [printout.vectors(-1, [job["COORDS"].split()], "coordinates") for job in jobs]
    beside = ((other, *_beside(other)) for other in sorted(path.parent.glob("*.xyz")))
    other, species, placed = next((one for one in beside if len(one[1]) == len(frames[0])), (None, None, []))
    if other is None or species is None:
        raise InputError(f"{path}: holds no elements, and no xyz file of {len(frames[0])} atoms is beside it")
    if len(placed) == len(frames):
        apart = [
            float(np.abs(a - b).max()) if a.shape == b.shape else np.inf for a, b in zip(frames, placed, strict=True)
        ]
        if wrong := [f"{k} ({d:.2g} Å)" for k, d in enumerate(apart) if d > _SAME]:
            said = f"coordinates of job(s) {listed(wrong)} are not those of {other.name} beside it"
            warn(InputWarning(f"{path}: {said}; one of them is damaged, or of another target"), stacklevel=2)
    found = [
        _frame(printout, job, species, positions, k)
        for k, (job, positions) in enumerate(zip(jobs, frames, strict=True))
    ]
    tell_unbalanced(path, [(part.name, part.positions, part.gradient) for part in found])
    return found


def _jobs(path: Path, text: str) -> list[dict[str, str]]:
    """Return the entries of each job. Raises InputError for lines of no job and for jobs without coordinates."""
    jobs: list[dict[str, str]] = []
    numbers, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        key, *rest = line.split(maxsplit=1) or [""]
        if head := _JOB.match(line):
            numbers.append(int(head[1]))
            jobs.append({})
        elif key and jobs and rest and _KEY.fullmatch(key) and key not in jobs[-1]:
            jobs[-1][key] = rest[0]
        elif key:
            wrong.append(f"{line[:30]!r} (line {number})")
    wrong += [f"job {number} without COORDS" for number, job in zip(numbers, jobs, strict=True) if "COORDS" not in job]
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}: each job is JOB with its number and lines of a key and its numbers")
    _tell_odd_jobs(path, numbers, jobs)
    return jobs


def _tell_odd_jobs(path: Path, numbers: list[int], jobs: list[dict[str, str]]) -> None:
    """Give an InputWarning where jobs have gaps, keys that are not known, or lack what others have."""
    counts = Counter("GRADIENT" if key == "FORCES" else key for job in jobs for key in job)
    odd = [f"jobs are not numbered 0 to {len(jobs) - 1}"] * (numbers != [*range(len(jobs))])
    odd += [f"{key} is no known key" for key in counts if key not in _KNOWN]
    odd += [f"{key} is in {counts[key]} of {len(jobs)} jobs" for key in _KNOWN if 0 < counts[key] < len(jobs)]
    if odd:
        warn(InputWarning(f"{path}: {listed(odd)}; is the file damaged or cut?"), stacklevel=4)


def _beside(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the elements of the first frame of an xyz file, as far as its words are, and the coordinates of all."""
    lines = read_text(path).splitlines()
    count = lines[0].strip()
    n_atoms = int(count) if count.isdecimal() and len(count) < 7 else 0
    words = [line.split()[0] for line in lines[2 : 2 + n_atoms] if line.strip()]
    blocks = [lines[k : k + 2 + n_atoms] for k in range(0, len(lines), n_atoms + 2)] if n_atoms else []
    frames = [" ".join(" ".join(line.split()[1:4]) for line in block[2:]) for block in blocks]
    placed = [floats(path, None, [frame], "coordinates") for frame in frames]
    species = np.array([element(path, word) for word in words], dtype=np.int64)
    return species, [one.reshape(-1, 3) for one in placed if len(one) == 3 * n_atoms]


def _frame(printout: Printout, job: dict[str, str], species: np.ndarray, positions: np.ndarray, k: int) -> Part:
    slopes = job.get("GRADIENT", job.get("FORCES"))
    gradient = None if slopes is None else printout.vectors(-1, [slopes.split()], "gradient") * units.HARTREE_PER_BOHR
    energy = printout.number(-1, job["ENERGY"], "energy") * units.HARTREE if "ENERGY" in job else None
    return Part(
        source=str(printout.path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=gradient,
        name=f"{printout.path.parent.name}-{k + 1}",
    )


def _vdata(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _is_vdata(path: Path, text: str) -> bool:
    return (
        "vdata" in path.name.lower() and next((line for line in _vdata(text) if line.strip()), "").strip().isdecimal()
    )


def read_vdata(path: Path) -> Part:
    """Return geometry, frequencies and the Hessian that the modes make of a vdata.txt: an xyz frame, then the modes."""
    lines = _vdata(read_text(path))
    while lines and not lines[0].strip():
        lines.pop(0)
    printout = Printout(path, "\n".join(lines))
    n_atoms = integer(path, None, lines[0].strip(), "the number of atoms")
    rows = [line.split() for line in lines[2 : 2 + n_atoms]]
    if not rows or len(rows) != n_atoms or any(len(row) < 4 for row in rows):
        raise InputError(f"{path}: has not {n_atoms} rows of an element and three coordinates; is it truncated?")
    species, positions = printout.atoms(-1, [(row[0], row[1:4]) for row in rows])
    rest = [line.split() for line in lines[2 + n_atoms :] if line.strip()]
    step = 1 + n_atoms
    if len(rest) % step or any(len(row) != (1 if k % step == 0 else 3) for k, row in enumerate(rest)):
        raise InputError(f"{path}: its modes are not a frequency and {n_atoms} displacements each; is it truncated?")
    frequencies = printout.numbers(-1, [row[0] for row in rest[::step]], "frequencies")
    words = [word for k, row in enumerate(rest) if k % step for word in row]
    modes: Float[np.ndarray, "modes coordinates"] = printout.numbers(-1, words, "modes").reshape(-1, 3 * n_atoms)
    return with_modes(path, species, positions, frequencies, modes)


KINDS = (
    Kind("TeraChem output", _is_terachem, read_terachem),
    Kind("geomeTRIC Hessian", _is_hessian, read_hessian, has_geometry=False),
    Kind("ForceBalance qdata", _is_qdata, frames=read_qdata),
    Kind("ForceBalance vdata", _is_vdata, read_vdata),
)
