"""Extended tight binding (GFN1-xTB, GFN2-xTB) through tblite: analytic gradients, Hessians by central differences."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float
from threadpoolctl import ThreadpoolController

from forgefield import units
from forgefield.engines.qm.engine import (
    AbstractEngine,
    Evaluation,
    Positions,
    check_electrons,
    label,
    missing_extra,
)
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import AtomicCharges, Molecule, symbol

try:
    from tblite.exceptions import TBLiteRuntimeError
    from tblite.interface import Calculator, Result
    from tblite.library import get_version
except ImportError as error:
    raise missing_extra("tblite", error) from error

METHODS = ("GFN1-xTB", "GFN2-xTB")
_LAST_ELEMENT = 86
_ACCURACY = 1e-3
"""tblite's factor on its convergence thresholds (energy 1e-6 Hartree, density 2e-5 at 1)."""
_STEP = 0.001
"""Bohr; the truncation error of a frequency is 0.003 cm⁻¹, as large as that of rounding, and four times it at twice."""
_DIGITS = 8
"""Decimals of the Hessian [Hartree/Bohr²]; what follows is rounding, and no two machines agree on it."""

_ATOMS_A_THREAD = 40
"""In small molecules threads mostly wait for each other: ten times as long where other programs want the cores too."""


@dataclass(frozen=True)
class XTB(AbstractEngine):
    """GFN1-xTB or GFN2-xTB. Raises InputError for another method."""

    method: str = "GFN2-xTB"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"{self.method!r} is no method of tblite here; use {' or '.join(METHODS)}")

    @property
    def level(self) -> str:
        """The method."""
        return self.method

    @property
    def program(self) -> str:
        """Version, and the step of the Hessian."""
        version = ".".join(map(str, get_version()))
        return f"tblite {version} (Hessian by central differences of gradients, step {_STEP} Bohr)"

    def check(self, molecule: Molecule) -> None:
        """Raise InputError that names the elements beyond radon, or the electrons that do not fit."""
        check_electrons(molecule)
        heavy = sorted({symbol(z) for z in molecule.species.tolist() if z > _LAST_ELEMENT})
        if heavy:
            raise InputError(f"{label(molecule)}: {self.method} has no parameters for {', '.join(heavy)}")

    def evaluate(
        self, molecule: Molecule, density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    ) -> Evaluation:
        """Return energy and gradient; each evaluation starts afresh. Raises ConvergenceError."""
        return _evaluation(self._computed(molecule, self._calculator(molecule)))

    def around(self, molecule: Molecule) -> tuple[Evaluation, Callable[[Positions], Positions]]:
        """Return energy and gradient, and what returns gradients at positions near by, starting from the charges here.

        They are off from those that start afresh by 1e-5 kcal/mol/Å at most. Both raise ConvergenceError.
        """
        calculator = self._calculator(molecule)
        here = self._computed(molecule, calculator)

        def gradient(positions: Positions) -> Positions:
            calculator.update(positions / units.BOHR)
            return _evaluation(self._computed(molecule, calculator, here)).gradient

        return _evaluation(here), gradient

    def hessian(
        self, molecule: Molecule, density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    ) -> Float[np.ndarray, "coordinates coordinates"]:
        """Return (g(x + h) - g(x - h)) / 2h [kcal/mol/Å²] for each coordinate, symmetrised and rounded.

        Raises ConvergenceError.
        """
        step = _STEP * units.BOHR
        shifts = step * np.eye(3 * molecule.n_atoms).reshape(-1, molecule.n_atoms, 3)
        rows = [(self._gradient(molecule, shift) - self._gradient(molecule, -shift)) / (2.0 * step) for shift in shifts]
        matrix = np.stack(rows) / units.HARTREE_PER_BOHR2
        # Minus zero is written as such.
        return (np.round(0.5 * (matrix + matrix.T), _DIGITS) + 0.0) * units.HARTREE_PER_BOHR2

    def charges(self, molecule: Molecule, found: Evaluation) -> AtomicCharges:
        """Return the Mulliken charges on which the level's own electrostatics act."""
        assert found.charges is not None
        return found.charges

    def _calculator(self, molecule: Molecule) -> Calculator:
        charge, unpaired = float(molecule.charge), molecule.multiplicity - 1
        with self._told(molecule):
            calculator = Calculator(self.method, molecule.species, molecule.positions / units.BOHR, charge, unpaired)
            calculator.set("verbosity", 0)
            calculator.set("accuracy", _ACCURACY)
        return calculator

    def _computed(self, molecule: Molecule, calculator: Calculator, start: Result | None = None) -> Result:
        threads, most = _threads()
        with self._told(molecule), threads.limit(limits=min(most, 1 + molecule.n_atoms // _ATOMS_A_THREAD)):
            return calculator.singlepoint(start, copy=True)

    @contextmanager
    def _told(self, molecule: Molecule) -> Iterator[None]:
        """Raise ConvergenceError where tblite fails."""
        try:
            yield
        except TBLiteRuntimeError as error:
            raise ConvergenceError(
                f"{label(molecule)}: the {self.method} computation failed ({error}); "
                "check geometry, charge and multiplicity"
            ) from error

    def _gradient(self, molecule: Molecule, shift: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, " coordinates"]:
        return self.evaluate(replace(molecule, positions=molecule.positions + shift)).gradient.ravel()


@cache
def _threads() -> tuple[ThreadpoolController, int]:
    """Return what sets the threads of OpenMP, and how many there are where nobody sets them."""
    threads = ThreadpoolController().select(user_api="openmp")
    return threads, max((library.num_threads for library in threads.lib_controllers), default=1)


def _evaluation(result: Result) -> Evaluation:
    return Evaluation(
        energy=float(np.asarray(result.get("energy"))) * units.HARTREE,
        gradient=np.asarray(result.get("gradient")) * units.HARTREE_PER_BOHR,
        charges=AtomicCharges("mulliken", np.asarray(result.get("charges"), dtype=np.float64)),
    )
