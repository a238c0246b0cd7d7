"""Relaxed scans among the references: the energies of reference and model by the angles that were held."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.judge.metrics import Judgement
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.scan_frames import scan_of
from forgefield.jobs.fit.run.relaxed_results import compares_energies
from forgefield.report.results import ScanPoint, ScanResult

_FEWEST = 2
"""Points of a scan that is told of."""


def scans(prepared: Prepared, start: Judgement, final: Judgement) -> list[ScanResult]:
    """Return each relaxed scan whose energies the references hold, in ascending order of the angles."""
    relaxed = final.relaxed is not None and not compares_energies(prepared.plan.targets)
    energies = [_energies(judged, relaxed) for judged in (start, final)]
    return [_scan(prepared.examples, frames, energies, relaxed) for frames in _frames(prepared)]


def _frames(prepared: Prepared) -> Iterator[list[int]]:
    """Yield the places of the frames of each scan that has energies at several angles."""
    scanned = [scan_of(example.reference) for example in prepared.examples]
    for scan in dict.fromkeys(filter(None, scanned)):
        frames = [k for k, name in enumerate(scanned) if name == scan and bool(prepared.data.has_energy[k])]
        if len(frames) >= _FEWEST and _varying([prepared.examples[k] for k in frames]):
            yield frames


def _varying(frames: list[Example]) -> list[int]:
    """Return which of the dihedrals that were held differ between frames."""
    angles = np.array([[held.angle for held in frame.reference.constraints] for frame in frames])
    return [k for k in range(angles.shape[1]) if np.ptp(angles[:, k]) > units.DEGREE]


def _energies(judged: Judgement, relaxed: bool) -> Float[np.ndarray, " molecules"]:
    """Return the energies of the model [kcal/mol], not a number for a structure that it does not relax to."""
    if not relaxed or judged.relaxed is None:
        return np.asarray(judged.observation.energy)
    return np.where(np.asarray(judged.relaxed.there), np.asarray(judged.relaxed.energy), np.nan)


def _scan(
    examples: list[Example], frames: list[int], energies: list[Float[np.ndarray, " molecules"]], relaxed: bool
) -> ScanResult:
    held = [examples[k] for k in frames]
    varying = _varying(held)
    reference = np.array([frame.reference.energy for frame in held])
    qm = reference - reference.min()
    model = [_beside(qm, one[frames]) for one in energies]
    points = [
        ScanPoint(
            molecule=frame.molecule.name,
            angles=[round(frame.reference.constraints[v].angle / units.DEGREE, 2) + 0.0 for v in varying],
            qm=float(qm[k]),
            start=float(model[0][k]),
            mm=float(model[1][k]),
        )
        for k, frame in enumerate(held)
    ]
    return ScanResult(
        name=held[0].molecule.name.rsplit(" ", len(held[0].reference.constraints))[0],
        dihedrals=[[atom + 1 for atom in held[0].reference.constraints[v].atoms] for v in varying],
        relaxed=relaxed,
        points=sorted(points, key=lambda point: point.angles),
    )


def _beside(
    reference: Float[np.ndarray, " frames"], model: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, " frames"]:
    """Return energies moved so that they deviate from the reference by zero in the mean."""
    known = np.isfinite(model)
    return model - np.mean(model[known] - reference[known]) if known.any() else model
