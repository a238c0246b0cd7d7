"""All that is looked at of one molecule: minimum, bonds, dynamics, distributions, speed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from forgefield.engines.teachers.model_teacher import ModelTeacher
from forgefield.engines.teachers.teacher import AbstractTeacher
from forgefield.errors import ForgeFieldError
from forgefield.io.datasets.records import Record
from forgefield.jobs.label.structures import Dynamics
from forgefield.jobs.validate.answers import answers
from forgefield.jobs.validate.distributions import Structures, distributions
from forgefield.jobs.validate.motion import EVERY, TIMESTEP, drift, stability
from forgefield.jobs.validate.settings import Settings, Stages
from forgefield.jobs.validate.speed import speed
from forgefield.jobs.validate.surface import COARSE, POINTS, bond_scans, minima, scan_structures
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.report.student.findings import BondScan, Distribution, Drift, Minimum, Speed, Stability

_DESCENT = 300
"""Labels that a relaxation takes, about."""
_FEWEST, _MOST = 40, 400
"""Structures of a teacher's dynamics."""
_TRIALS, _TRIAL_S = 4, 5.0
"""Labels that tell how long one takes, and seconds after which it is known."""
_DYNAMICS = re.compile(r"(?:^|, )dynamics at ([\d.]+) K")


@dataclass(frozen=True, eq=False)
class Checked:
    """What was found of one molecule."""

    minimum: Minimum
    scans: tuple[BondScan, ...]
    drift: Drift
    stabilities: tuple[Stability, ...]
    distributions: tuple[Distribution, ...]
    speed: Speed
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Taught:
    """A teacher whose time is short."""

    teacher: AbstractTeacher | None
    label_s: float
    """Seconds that one label takes."""
    most_s: float

    def within(self, n_labels: int) -> AbstractTeacher | None:
        """Return the teacher if it may be asked for so many labels."""
        return self.teacher if n_labels * self.label_s <= self.most_s else None


def checked_molecule(
    student: ModelTeacher,
    teacher: AbstractTeacher | None,
    records: Sequence[Record],
    settings: Settings,
    tell: Stages,
) -> Checked:
    """Return what is found of a molecule, of which some records are given, that of the lowest energy first."""
    notes: list[str] = []
    molecule = _bonded(records[0].molecule)
    taught = _Taught(teacher, _label_s(teacher, molecule), settings.teacher_seconds)
    tell(f"{molecule.name}: minimum", 0, 5)
    asked = taught.within(_DESCENT + 6 * molecule.n_atoms)
    if teacher is not None and asked is None:
        notes.append(_left_out(molecule, "relaxed structure and frequencies", taught))
    minimum, here, there = minima(molecule, student, asked)
    rest = here or there or molecule
    tell(f"{molecule.name}: bonds", 1, 5)
    asked = taught.within(len(molecule.bonds) * (POINTS // COARSE + 1))
    if teacher is not None and asked is None:
        notes.append(_left_out(molecule, "bond scans", taught))
    structures = scan_structures(rest)
    scans = bond_scans(rest, structures, answers(student.rules, structures), asked) if structures else []
    tell(f"{molecule.name}: speed", 2, 5)
    fast = speed([record.molecule for record in records[:16]], student, teacher)
    tell(f"{molecule.name}: constant energy", 3, 5)
    drifted = drift(student, rest, settings.nve, settings.seed)
    runs, compared, said = _thermal(student, taught, (molecule, rest), records, settings, tell)
    return Checked(minimum, tuple(scans), drifted, runs, compared, fast, (*notes, *said))


def _thermal(
    student: ModelTeacher,
    taught: _Taught,
    molecules: tuple[Molecule, Molecule],
    records: Sequence[Record],
    settings: Settings,
    tell: Stages,
) -> tuple[tuple[Stability, ...], tuple[Distribution, ...], list[str]]:
    """Return how long dynamics last at each temperature, and how structures are distributed where the teacher's are."""
    molecule, rest = molecules
    temperature, theirs, notes = _teachers_structures(taught, molecule, records, settings, tell)
    runs: dict[float, tuple[Stability, Structures]] = {}
    wanted = [*settings.temperatures, *([] if theirs is None else [temperature])]
    for t in sorted(set(wanted)):
        tell(f"{molecule.name}: {t:g} K", 4, 5)
        # In the well that the teacher's dynamics began in: a short run seldom leaves it.
        at = rest.positions if theirs is None or t != temperature else theirs[0]
        runs[t] = stability(student, rest, at, t, (settings.md, settings.replicas), settings.seed)
    compared: list[Distribution] = []
    if theirs is not None and len(runs[temperature][1]) >= _FEWEST:
        compared = distributions(rest, temperature, theirs, runs[temperature][1])
    elif theirs is not None:
        notes.append(f"{molecule.name}: the student's dynamics broke too soon for distributions.")
    return tuple(run for run, _ in runs.values()), tuple(compared), notes


def _teachers_structures(
    taught: _Taught, molecule: Molecule, records: Sequence[Record], settings: Settings, tell: Stages
) -> tuple[float, Structures | None, list[str]]:
    """Return structures of the teacher's dynamics and their temperature: those of the data set, else made now."""
    by_origin: dict[str, list[np.ndarray]] = {}
    for record in records:
        if _DYNAMICS.search(record.origin):
            by_origin.setdefault(record.origin, []).append(record.molecule.positions)
    origin = max(by_origin, key=lambda name: len(by_origin[name]), default="")
    if len(by_origin.get(origin, [])) >= _FEWEST:
        found = _DYNAMICS.search(origin)
        assert found is not None
        n = len(by_origin[origin])
        note = f"{molecule.name}: distributions of the teacher are those of {n} structures of the data set ({origin})."
        return float(found[1]), np.array(by_origin[origin]), [note]
    none = f"{molecule.name}: no distributions of distances and torsions: the data set holds no dynamics of the teacher"
    if taught.teacher is None:
        return 0.0, None, [f"{none}, which is not at hand."]
    n = int(min(taught.most_s / max(taught.label_s * EVERY, 1e-9), 1000.0 * settings.md / TIMESTEP / EVERY, _MOST))
    if n < _FEWEST:
        return 0.0, None, [f"{none}, and its own would take longer than {taught.most_s:g} s."]
    temperature = settings.temperatures[0] if settings.temperatures else 300.0
    tell(f"{molecule.name}: dynamics of the teacher", 4, 5)
    sampler = Dynamics(n, temperature, EVERY, TIMESTEP)
    made = sampler.geometries(molecule, taught.teacher, np.random.default_rng(settings.seed))
    if len(made) < _FEWEST:
        return 0.0, None, [f"{none}, and its own broke after {len(made) * EVERY * TIMESTEP / 1000.0:g} ps."]
    ps = len(made) * EVERY * TIMESTEP / 1000.0
    note = f"{molecule.name}: distributions of the teacher are those of {ps:g} ps of its dynamics."
    return temperature, made, [note]


def _left_out(molecule: Molecule, what: str, taught: _Taught) -> str:
    return (
        f"{molecule.name}: {what} of the teacher are left out: at {taught.label_s:.2g} s a label they take longer "
        f"than {taught.most_s:g} s (--teacher-seconds)."
    )


def _label_s(teacher: AbstractTeacher | None, molecule: Molecule) -> float:
    """Return how long one label takes, at best; none without a teacher."""
    if teacher is None:
        return 0.0
    taken = []
    for _ in range(_TRIALS):
        began = perf_counter()
        try:
            teacher.label(molecule)
        except ForgeFieldError:
            return np.inf
        taken.append(perf_counter() - began)
        if sum(taken) > _TRIAL_S:
            break
    return min(taken)


def _bonded(molecule: Molecule) -> Molecule:
    """Return a molecule with its bonds, which are perceived where the data set has none."""
    if len(molecule.bonds):
        return molecule
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)
    return replace(molecule, bonds=bonds, orders=orders)
