"""How well a model does on a training set, by one definition for fits, reports and benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from forgefield import units
from forgefield.fitting.cost.cost import Sights
from forgefield.fitting.data.observation import Observation, observed
from forgefield.fitting.data.training_set import Example, TrainingSet
from forgefield.fitting.targets.spectrum import FLOOR
from forgefield.fitting.targets.target import Seen, at_reference
from forgefield.models.model import AbstractModel
from forgefield.properties.matching import match_modes, matched_overlaps
from forgefield.properties.modes import signed_frequencies

_SIMILAR = 0.5
"""Modes with a larger overlap than this count as the same mode."""


@dataclass(frozen=True, eq=False)
class ModeComparison:
    """The modes of one molecule, in the order of the reference's."""

    reference: Float[np.ndarray, " modes"]
    """cm⁻¹ after the policy"""
    model: Float[np.ndarray, " modes"]
    """cm⁻¹ of the matching modes"""
    overlap: Float[np.ndarray, " modes"]
    diagonal: Float[np.ndarray, " modes"]
    """Of the eigenmatrix, minus the reference's eigenvalue [cm⁻¹]."""
    eigenvalue: Float[np.ndarray, " modes"]
    """kcal/mol/Å²/amu of the reference after the policy."""
    eigenmatrix: Float[np.ndarray, " modes"]
    """Diagonal [kcal/mol/Å²/amu]."""
    counted: np.ndarray
    """All modes but the reaction mode."""

    @property
    def reaction_mode(self) -> float | None:
        """Frequency [cm⁻¹] of the model's mode that matches the reaction mode; None where there is none."""
        left_out = np.flatnonzero(~self.counted)
        return float(self.model[left_out[0]]) if left_out.size else None


@dataclass(frozen=True)
class Metrics:
    """The figures of a model on one molecule or on all; None where there is no such data."""

    frequency_rmsd_cm1: float | None
    """Matched by overlap."""
    frequency_rmsd_sorted_cm1: float | None
    eigenmatrix_r2: float | None
    eigenmatrix_rmsd_cm1: float | None
    force_max_kcal_mol_a: float | None
    """Largest deviation of the force on an atom."""
    mode_overlap_share: float | None
    """Share of modes whose partner overlaps by more than a half."""
    reaction_mode_cm1: float | None
    bond_rmsd_a: float | None
    """Of the relaxed structure."""
    angle_rmsd_deg: float | None
    torsion_rmsd_deg: float | None
    energy_rmsd_kcal_mol: float | None
    """Relative to the mean of the group."""
    charge_rmsd_e: float | None
    """Of atomic charges."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Metrics of all molecules together and of each, with the comparison of their modes."""

    total: Metrics
    each: tuple[Metrics, ...]
    modes: tuple[ModeComparison | None, ...]
    sights: Sights
    """What was seen of the molecules, at relaxed structures where that was looked at."""

    @property
    def observation(self) -> Observation:
        """What was observed at the reference geometries."""
        return self.sights.reference.observed

    @property
    def relaxed(self) -> Seen | None:
        """Where the molecules relax to; None where that was not looked at."""
        return self.sights.relaxed


def judge(
    model: AbstractModel, data: TrainingSet, examples: list[Example], *, vibrating: Observation | None = None
) -> Judgement:
    """Return the metrics of a model at the reference geometries; modes are those that were seen `vibrating`, if any."""
    seen = observed(model, data)
    at = seen if vibrating is None else vibrating
    modes = tuple(_compare_modes(at, m, example) for m, example in enumerate(examples))
    forces = _force_deviations(seen, data)
    energies = energy_deviations(np.asarray(seen.energy), data, np.asarray(data.has_energy))
    charges = _charge_deviations(seen, data)
    each = tuple(
        _metrics([modes[m]], forces[m : m + 1], energies[m : m + 1], charges[data.topology.molecule == m])
        for m in range(data.topology.n_molecules)
    )
    return Judgement(_metrics(list(modes), forces, energies, charges), each, modes, Sights(at_reference(seen, data)))


def pooled(modes: Sequence[ModeComparison | None], each: Sequence[Metrics]) -> Metrics:
    """Return the metrics of molecules taken together, from the modes and the metrics of each.

    Those of geometries and charges are root mean squares over the molecules, whatever their sizes.
    """

    def known(name: str) -> Float[np.ndarray, " molecules"]:
        return np.array([np.nan if (value := getattr(one, name)) is None else value for one in each])

    found = _metrics(list(modes), known("force_max_kcal_mol_a"), known("energy_rmsd_kcal_mol"), known("charge_rmsd_e"))
    geometry = "bond_rmsd_a", "angle_rmsd_deg", "torsion_rmsd_deg"
    return replace(found, **{name: _or_none(_rms, known(name)) for name in geometry})


def _compare_modes(seen: Observation, m: int, example: Example) -> ModeComparison | None:
    if example.treated is None:
        return None
    n = len(example.treated.eigenvalues)
    reference = example.treated.eigenvalues
    eigenvalues = np.asarray(seen.eigenvalues)[m, :n]
    overlaps = np.asarray(seen.mixing)[m, :n, :n] ** 2
    partner = match_modes(overlaps, reference, eigenvalues)
    diagonal = np.diagonal(np.asarray(seen.eigenmatrix)[m])[:n]
    frequencies = signed_frequencies(reference)
    floored = np.maximum(np.abs(frequencies), FLOOR)
    counted = np.ones(n, dtype=bool)
    if example.treated.reaction_mode is not None:
        counted[example.treated.reaction_mode] = False
    return ModeComparison(
        reference=frequencies,
        model=signed_frequencies(eigenvalues)[partner],
        overlap=matched_overlaps(overlaps, partner, reference),
        diagonal=(diagonal - reference) * units.WAVENUMBER**2 / (2.0 * floored),
        eigenvalue=reference,
        eigenmatrix=diagonal,
        counted=counted,
    )


def _metrics(
    modes: list[ModeComparison | None],
    forces: Float[np.ndarray, " molecules"],
    energies: Float[np.ndarray, " molecules"],
    charges: Float[np.ndarray, " values"],
) -> Metrics:
    known = [mode for mode in modes if mode is not None]
    reaction = [mode.reaction_mode for mode in known if mode.reaction_mode is not None]
    return Metrics(
        **_frequency_metrics(known),
        force_max_kcal_mol_a=_or_none(np.max, forces),
        reaction_mode_cm1=reaction[0] if len(reaction) == 1 else None,
        bond_rmsd_a=None,
        angle_rmsd_deg=None,
        torsion_rmsd_deg=None,
        energy_rmsd_kcal_mol=_or_none(_rms, energies),
        charge_rmsd_e=_or_none(_rms, charges),
    )


def _frequency_metrics(known: list[ModeComparison]) -> dict[str, float | None]:
    """Return the metrics of the modes, pooled over molecules."""
    if not any(mode.counted.any() for mode in known):
        names = "frequency_rmsd_cm1", "frequency_rmsd_sorted_cm1", "eigenmatrix_r2"
        return dict.fromkeys((*names, "eigenmatrix_rmsd_cm1", "mode_overlap_share"))

    def pooled(what: str) -> np.ndarray:
        return np.concatenate([getattr(mode, what)[mode.counted] for mode in known])

    model, reference = pooled("model"), pooled("reference")
    in_order = [np.sort(mode.model[mode.counted]) - np.sort(mode.reference[mode.counted]) for mode in known]
    eigenvalue, eigenmatrix = pooled("eigenvalue"), pooled("eigenmatrix")
    spread = np.sum((eigenvalue - eigenvalue.mean()) ** 2)
    return {
        "frequency_rmsd_cm1": _rms(model - reference),
        "frequency_rmsd_sorted_cm1": _rms(np.concatenate(in_order)),
        "eigenmatrix_r2": float(1.0 - np.sum((eigenmatrix - eigenvalue) ** 2) / spread) if spread > 0.0 else None,
        "eigenmatrix_rmsd_cm1": _rms(pooled("diagonal")),
        "mode_overlap_share": float(np.mean(pooled("overlap") > _SIMILAR)),
    }


def _force_deviations(seen: Observation, data: TrainingSet) -> Float[np.ndarray, " molecules"]:
    """Return for each molecule the largest deviation of the force on one of its atoms; NaN where unknown."""
    deviation = np.linalg.norm(np.asarray(seen.gradient) - np.asarray(data.gradient), axis=1)
    largest = np.zeros(data.topology.n_molecules)
    np.maximum.at(largest, np.asarray(data.topology.molecule), deviation)
    return np.where(np.asarray(data.has_gradient), largest, np.nan)


def energy_deviations(
    energy: Float[np.ndarray, " molecules"], data: TrainingSet, has: Bool[np.ndarray, " molecules"]
) -> Float[np.ndarray, " molecules"]:
    """Return the deviation of each energy from the mean deviation of its group; NaN where there is none to compare."""
    group, deviation = np.asarray(data.group), energy - np.asarray(data.energy)
    result = np.full(len(group), np.nan)
    for g in np.unique(group):
        members = np.flatnonzero((group == g) & has)
        if len(members) > 1:
            result[members] = deviation[members] - deviation[members].mean()
    return result


def _charge_deviations(seen: Observation, data: TrainingSet) -> Float[np.ndarray, " atoms"]:
    """Return the deviation of each atom's charge [e]; NaN where one of the two is unknown."""
    known = np.asarray(data.has_charges)[np.asarray(data.topology.molecule)]
    found = np.asarray(seen.charges)
    return np.where(known, found - np.asarray(data.charges), np.nan) if found.size else np.full(len(known), np.nan)


def _rms(values: Float[np.ndarray, " _"]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _or_none(reduce, values: Float[np.ndarray, " _"]) -> float | None:
    known = values[np.isfinite(values)]
    return float(reduce(known)) if known.size else None
