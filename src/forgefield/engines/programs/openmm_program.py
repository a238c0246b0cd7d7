"""OpenMM: standard forces where it has them, expressions for all other terms."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import Stated
from forgefield.engines.programs.program import AbstractLaid, AbstractProgram, Hessian, Positions, by_differences
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.system.bonded import STIFFNESS
from forgefield.io.forcefields.openmm.system.expressions import expressed
from forgefield.io.forcefields.openmm.system.writer import SWITCHED, WITHOUT_ENERGY, series
from forgefield.molecules.elements import WEIGHTS
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cmap import correction_map
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

Arguments = Iterable[tuple]
"""What a force is told of each of its interactions, one after another."""
_STEP = 1e-4
"""Å; angles that are straight are rounded to 1e-8, by which smaller steps would be off."""
_DOUBLE = {"CUDA": {"Precision": "double"}, "OpenCL": {"Precision": "double"}, "CPU": {"Threads": "1"}}


class _Kind(NamedTuple):
    """A force that OpenMM has for a term."""

    force: str
    interaction: str
    arguments: Callable[[Stated], Arguments]


def _bonds(stated: Stated) -> Arguments:
    for chain, (k, r0) in zip(stated.atoms.tolist(), stated.values.tolist(), strict=True):
        yield *chain, r0 / units.NANOMETRE, k / STIFFNESS


def _angles(stated: Stated) -> Arguments:
    for chain, (k, theta0) in zip(stated.atoms.tolist(), stated.values.tolist(), strict=True):
        yield *chain, theta0, k / units.KILOJOULE


def _torsions(stated: Stated) -> Arguments:
    for part in series(stated):
        for chain, k, n, phase in zip(stated.atoms.tolist(), *(column.tolist() for column in part), strict=True):
            yield *chain, int(n), phase, k / units.KILOJOULE


def _ryckaert_bellemans(stated: Stated) -> Arguments:
    for chain, values in zip(stated.atoms.tolist(), (stated.values / units.KILOJOULE).tolist(), strict=True):
        yield *chain, *values


def _compounds(stated: Stated) -> Arguments:
    return zip(stated.atoms.tolist(), stated.values.tolist(), strict=True)


def _maps(stated: Stated) -> Arguments:
    assert stated.term.made is not None
    grid = np.array(stated.term.made[1][0]) / units.KILOJOULE
    for factor in stated.values[:, 0].tolist():
        # Its first angle runs fastest.
        yield len(grid), (factor * grid.T).ravel().tolist()


_BOND = _Kind("HarmonicBondForce", "Bond", _bonds)
_TORSION = _Kind("PeriodicTorsionForce", "Torsion", _torsions)
_STANDARD: dict[Term, _Kind] = {
    HARMONIC_STRETCH: _BOND,
    UREY_BRADLEY: _BOND,
    HARMONIC_BEND: _Kind("HarmonicAngleForce", "Angle", _angles),
    RYCKAERT_BELLEMANS: _Kind("RBTorsionForce", "Torsion", _ryckaert_bellemans),
    **dict.fromkeys((PERIODIC_TORSION, PERIODIC_IMPROPER, *SWITCHED), _TORSION),
}
_MAP = _Kind("CMAPTorsionForce", "Map", _maps)
_COMPOUND = _Kind("CustomCompoundBondForce", "Bond", _compounds)


@dataclass(frozen=True)
class OpenMM(AbstractProgram):
    """OpenMM on one of its platforms."""

    platform: str = "Reference"

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return "openmm" if self.platform == "Reference" else f"openmm-{self.platform.lower()}"

    @property
    def precision(self) -> str:
        """Of its numbers: pairs are listed, which no platform computes in single precision unless it is told to."""
        return "double"

    @property
    def step(self) -> float:
        """Of the differences of gradients [Å]."""
        return _STEP

    def why_not(self) -> str:
        """Return why it cannot be used here."""
        try:
            import openmm  # noqa: PLC0415 (an extra, and slow to load)
        except ImportError as error:
            return f"OpenMM is not installed ({error}); run: pip install 'forgefield[openmm]'"
        known = [openmm.Platform.getPlatform(k).getName() for k in range(openmm.Platform.getNumPlatforms())]
        if self.platform in known:
            return ""
        return f"this OpenMM has no platform {self.platform}, but {', '.join(known)}"

    def missing(self, molecule: Molecule, stated: Sequence[Stated]) -> list[str]:
        """Return the terms that no force of OpenMM expresses."""
        return [f"{one.term.name} ({len(one.atoms)})" for one in _acting(stated) if _kind(one.term) is None]

    def laid(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> "LaidOpenMM":
        """Lay interactions over a molecule."""
        return LaidOpenMM(self, molecule, stated)


class LaidOpenMM(AbstractLaid):
    """One context of OpenMM, whose parameters are updated."""

    def __init__(self, program: OpenMM, molecule: Molecule, stated: Sequence[Stated]) -> None:
        import openmm  # noqa: PLC0415

        system = openmm.System()
        for mass in WEIGHTS[molecule.species].tolist():
            system.addParticle(mass)
        self._forces = [_force(openmm, one) for one in _acting(stated)]
        for force in self._forces:
            system.addForce(force)
        platform = openmm.Platform.getPlatformByName(program.platform)
        self._integrator = openmm.VerletIntegrator(0.001)
        settings = _DOUBLE.get(program.platform, {})
        try:
            self._context = openmm.Context(system, self._integrator, platform, settings)
        except openmm.OpenMMException as error:
            # A platform may be installed where there is no device for it.
            raise InputError(f'engine = "{program.name}": OpenMM cannot use it here: {error}') from None

    def change(self, stated: Sequence[Stated]) -> None:
        """Update the parameters of all forces in the context."""
        for force, one in zip(self._forces, _acting(stated), strict=True):
            kind = _kind(one.term)
            assert kind is not None
            update = getattr(force, f"set{kind.interaction}Parameters")
            for number, arguments in enumerate(kind.arguments(one)):
                update(number, *arguments)
            force.updateParametersInContext(self._context)

    def energy_and_gradient(self, positions: Positions) -> tuple[float, Positions]:
        """Return energy and gradient of the context's state."""
        self._context.setPositions(positions / units.NANOMETRE)
        state = self._context.getState(getEnergy=True, getForces=True)
        forces = np.asarray(state.getForces(asNumpy=True)._value)
        return state.getPotentialEnergy()._value * units.KILOJOULE, forces * (-units.KILOJOULE / units.NANOMETRE)

    def hessian(self, positions: Positions) -> Hessian:
        """Return the Hessian by differences of forces."""
        return by_differences(self.energy_and_gradient, positions, _STEP)


def _acting(stated: Sequence[Stated]) -> list[Stated]:
    return [one for one in stated if len(one.atoms) and one.term not in WITHOUT_ENERGY]


def _kind(term: Term) -> _Kind | None:
    if term.made is not None and term.made[0] is correction_map:
        return _MAP
    return _STANDARD.get(term) or (_COMPOUND if expressed(term) else None)


def _force(openmm: Any, stated: Stated) -> Any:
    """Return a force of all interactions of a term."""
    kind = _kind(stated.term)
    assert kind is not None
    if kind is _COMPOUND:
        found = expressed(stated.term)
        assert found is not None
        energy, names = found
        force = openmm.CustomCompoundBondForce(stated.term.order, energy)
        for name in names:
            force.addPerBondParameter(name)
    else:
        force = getattr(openmm, kind.force)()
    if kind is _MAP:
        for number, chain in enumerate(stated.atoms.tolist()):
            force.addTorsion(number, *chain[:4], *chain[1:])
    add = getattr(force, f"add{kind.interaction}")
    for arguments in kind.arguments(stated):
        add(*arguments)
    return force
