"""Stationary points of an engine's energy, found by geomeTRIC."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from forgefield import units
from forgefield.engines.qm.engine import AbstractEngine, label, missing_extra
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import Molecule

try:
    from geometric.engine import Engine
    from geometric.errors import Error as GeometricError
    from geometric.internal import DelocalizedInternalCoordinates, Dihedral
    from geometric.molecule import Molecule as Structure
    from geometric.optimize import Optimizer
    from geometric.params import OptParams
except ImportError as error:
    raise missing_extra("geomeTRIC", error) from error

# Hartree, Hartree/Bohr and Å. Gradients this small shift a frequency by less than 0.01 cm⁻¹.
_CONVERGED = {
    "convergence_energy": 1e-7,
    "convergence_grms": 2e-6,
    "convergence_gmax": 4e-6,
    "convergence_drms": 1e-4,
    "convergence_dmax": 2e-4,
}
_ENFORCED = 0.1
"""Radians; a dihedral closer than this to where it is held is put there exactly."""
# Grids do not turn with the molecule: their net force and torque would make it drift for ever.
_WITHOUT_NET_FORCE = 2


class _Surface(Engine):
    """Energy and gradient in atomic units, as geomeTRIC asks for them; each SCF starts from the one before."""

    def __init__(self, molecule: Molecule, engine: AbstractEngine) -> None:
        structure = Structure()
        structure.elem = list(molecule.symbols)
        structure.xyzs = [molecule.positions]
        super().__init__(structure)
        self._molecule = molecule
        self._engine = engine
        self._density: np.ndarray | None = None

    def calc_new(self, coords: np.ndarray, dirname: str) -> dict[str, object]:
        """Return what geomeTRIC names `energy` and `gradient`."""
        positions = np.asarray(coords, dtype=np.float64).reshape(-1, 3) * units.BOHR
        found = self._engine.evaluate(replace(self._molecule, positions=positions), self._density)
        self._density = found.density
        return {"energy": found.energy / units.HARTREE, "gradient": found.gradient.ravel() / units.HARTREE_PER_BOHR}


Seen = Callable[[Molecule], None]
"""Is told the last geometry of an optimisation, however it ends."""


def ignore(_: Molecule) -> None:
    """Let a geometry go."""


def descend(molecule: Molecule, engine: AbstractEngine, *, max_steps: int, seen: Seen = ignore) -> Molecule:
    """Return the molecule where its gradient vanishes (4e-6 Hartree/Bohr), downhill from where it is.

    Raises ConvergenceError. The order of the point is not checked.
    """
    return _walk(molecule, engine, OptParams(maxiter=max_steps, subfrctor=_WITHOUT_NET_FORCE, **_CONVERGED), seen)


def descend_held(
    molecule: Molecule, engine: AbstractEngine, held: dict[tuple[int, int, int, int], float], *, max_steps: int
) -> Molecule:
    """Return the molecule where its gradient vanishes but along dihedrals (0-based atoms) held at angles [degrees].

    Raises ConvergenceError.
    """
    parameters = OptParams(maxiter=max_steps, subfrctor=_WITHOUT_NET_FORCE, enforce=_ENFORCED, **_CONVERGED)
    return _walk(molecule, engine, parameters, ignore, held)


def climb(molecule: Molecule, engine: AbstractEngine, *, max_steps: int, seen: Seen = ignore) -> Molecule:
    """Return the molecule where its gradient vanishes, uphill along the lowest mode of its exact Hessian.

    Raises ConvergenceError. The order of the point is not checked.
    """
    parameters = OptParams(
        transition=True, frequency=False, maxiter=max_steps, subfrctor=_WITHOUT_NET_FORCE, **_CONVERGED
    )
    parameters.hess_data = engine.hessian(molecule) / units.HARTREE_PER_BOHR2
    return _walk(molecule, engine, parameters, seen)


def _walk(
    molecule: Molecule,
    engine: AbstractEngine,
    parameters: OptParams,
    seen: Seen,
    held: dict[tuple[int, int, int, int], float] | None = None,
) -> Molecule:
    if molecule.n_atoms < 2:
        raise InputError(f"{label(molecule)}: a single atom has no geometry to optimise")
    surface = _Surface(molecule, engine)
    with _silent(), tempfile.TemporaryDirectory() as scratch:
        constraints = [Dihedral(*atoms) for atoms in held or {}]
        angles = [angle * units.DEGREE for angle in (held or {}).values()]
        coordinates = DelocalizedInternalCoordinates(
            surface.M, build=True, connect=False, addcart=False, constraints=constraints, cvals=angles
        )
        start = (molecule.positions / units.BOHR).ravel()
        optimizer = Optimizer(start, surface.M, coordinates, surface, scratch, parameters)
        try:
            optimizer.optimizeGeometry()
        except GeometricError as error:
            raise ConvergenceError(_message(molecule, optimizer, parameters)) from error
        finally:
            last = np.asarray(optimizer.X, dtype=np.float64).reshape(-1, 3) * units.BOHR
            seen(replace(molecule, positions=last))
    return replace(molecule, positions=last)


def _message(molecule: Molecule, optimizer: Optimizer, parameters: OptParams) -> str:
    largest = np.abs(optimizer.gradx).max()
    return (
        f"{label(molecule)}: the optimisation did not converge in {optimizer.Iteration} of at most "
        f"{parameters.maxiter} steps (largest gradient {largest:.1e}, wanted {parameters.Convergence_gmax:.0e} "
        "Hartree/Bohr); start from a better geometry, for example one optimised with gfn2"
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep geomeTRIC's log out of the program's own."""
    logger = logging.getLogger("geometric.nifty")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
