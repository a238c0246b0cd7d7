"""Hartree-Fock and density functionals through PySCF: analytic gradients and Hessians."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.engines.qm.engine import (
    AbstractEngine,
    Evaluation,
    Positions,
    check_electrons,
    label,
    missing_extra,
)
from forgefield.engines.qm.esp import fitted_charges, surface_points
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import AtomicCharges, Molecule, symbol

try:
    import pyscf
    from pyscf import dft, gto, scf
    from pyscf.gto.basis import BasisNotFoundError
except ImportError as error:
    raise missing_extra("PySCF", error) from error

_ENERGY_TOLERANCE = 1e-11
_ORBITAL_GRADIENT_TOLERANCE = 1e-6
"""Hartree; the error of a nuclear gradient is linear in it."""
_MAX_CYCLES = 100
_GRID_LEVEL = 5
_AT_ONCE = 200
"""Points of the electrostatic potential whose integrals are held together."""

# PySCF's `b3lyp` can be redefined by a user's configuration; `b3lypg` cannot.
_PINNED = {"b3lyp": "b3lypg"}

# The sets that were published with six Cartesian d functions, and that Gaussian and Psi4 use so; 6-311G is pure.
_CARTESIAN_SETS = re.compile(r"(321|431|621|631)(\+|G)", re.IGNORECASE)
# PySCF takes 631g*, 6_31G* and 6-31G* for one set.
_IGNORED_IN_NAMES = re.compile(r"[-_ ]")
# libxc lists functionals that were fitted with a dispersion energy, such as B97-D, without it.
_FITTED_WITH_DISPERSION = re.compile(r"[-_]D$", re.IGNORECASE)


@dataclass(frozen=True)
class PySCF(AbstractEngine):
    """Hartree-Fock (`hf`) or a density functional in a basis set, restricted for singlets, unrestricted otherwise.

    B3LYP is that of Gaussian, with the VWN correlation fitted to the RPA (`VWN3`); write `b3lyp5` for VWN5. The Pople
    sets 3-21G to 6-31G have Cartesian d functions, others pure ones. An effective core potential comes with a basis
    set that has one. Integration grids are of level 5 of 9; their response is in the gradient, but PySCF has none in
    the Hessian (0.05 cm⁻¹ in CH3F). Raises InputError where the method is unknown or the basis set missing.
    """

    method: str
    basis: str

    def __post_init__(self) -> None:
        if self.method.lower() != "hf":
            _check_functional(self.method)
        if not self.basis:
            raise InputError(f"{self.method} needs a basis set, for example 6-31+G(d) or def2-SVP")

    @property
    def level(self) -> str:
        """Method and basis set, as usually written."""
        return f"{self.method.upper()}/{self.basis}"

    @property
    def program(self) -> str:
        """Version, kind of d functions, grid, and the variant of B3LYP."""
        details = ["Cartesian d functions" if self._cartesian else "pure d functions"]
        if self.method.lower() != "hf":
            details.append(f"grid level {_GRID_LEVEL}")
        if self.method.lower() == "b3lyp":
            details.append("B3LYP with VWN(RPA) as in Gaussian")
        return f"PySCF {pyscf.__version__} ({', '.join(details)})"

    @property
    def _cartesian(self) -> bool:
        return _CARTESIAN_SETS.match(_IGNORED_IN_NAMES.sub("", self.basis)) is not None

    def check(self, molecule: Molecule) -> None:
        """Raise InputError that names each element the basis set lacks, or the electrons that do not fit."""
        check_electrons(molecule)
        elements = sorted({*molecule.species.tolist()})
        absent = [symbol(number) for number in elements if not _in_library(gto.basis.load, self.basis, number)]
        if absent:
            raise InputError(
                f"{label(molecule)}: PySCF has no basis set {self.basis!r} for {', '.join(absent)}; "
                "name one that covers all elements, for example def2-SVP"
            )

    def evaluate(
        self, molecule: Molecule, density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    ) -> Evaluation:
        """Return energy and gradient, starting from the density of a near geometry if there is one.

        Raises ConvergenceError.
        """
        field = self._field(molecule, density)
        gradients = field.nuc_grad_method()
        if self.method.lower() != "hf":
            # Without it the gradient is not the derivative of the energy, and sums to about 1e-4 Hartree/Bohr.
            gradients.grid_response = True
        return Evaluation(
            energy=float(field.e_tot) * units.HARTREE,
            gradient=np.asarray(gradients.kernel()) * units.HARTREE_PER_BOHR,
            density=np.asarray(field.make_rdm1()),
        )

    def around(self, molecule: Molecule) -> tuple[Evaluation, Callable[[Positions], Positions]]:
        """Return energy and gradient, and what returns gradients at positions near by, starting from the density here.

        Both raise ConvergenceError.
        """
        found = self.evaluate(molecule)
        return found, lambda x: self.evaluate(replace(molecule, positions=x), found.density).gradient

    def hessian(
        self, molecule: Molecule, density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    ) -> Float[np.ndarray, "coordinates coordinates"]:
        """Return the analytic Hessian [kcal/mol/Å²].

        Raises ConvergenceError, and InputError where all electrons have one spin.
        """
        n_atoms = molecule.n_atoms
        field = self._field(molecule, density)
        if min(field.mol.nelec) == 0:
            raise InputError(
                f"{label(molecule)}: all electrons have one spin; PySCF has no analytic Hessian for that, gfn2 has"
            )
        blocks = np.asarray(field.Hessian().kernel())
        matrix = blocks.transpose(0, 2, 1, 3).reshape(3 * n_atoms, -1) * units.HARTREE_PER_BOHR2
        # The energy does not change under translation, but the Hessian without the response of the grid does, by
        # about 3e-5 Hartree/Bohr²: what it does along translations is error.
        within = np.eye(3 * n_atoms) - np.tile(np.eye(3), (n_atoms, n_atoms)) / n_atoms
        matrix = within @ matrix @ within
        return 0.5 * (matrix + matrix.T)

    def charges(self, molecule: Molecule, found: Evaluation) -> AtomicCharges:
        """Return charges fitted to the electrostatic potential of nuclei and electrons around the molecule."""
        assert found.density is not None
        mole, points = self._mole(molecule), surface_points(molecule.species, molecule.positions)
        density = found.density if found.density.ndim == 2 else found.density.sum(axis=0)
        potential = np.concatenate(
            [_potential(mole, density, some) for some in np.array_split(points, len(points) // _AT_ONCE + 1)]
        )
        values = fitted_charges(potential * units.HARTREE, points, molecule.positions, float(molecule.charge))
        return AtomicCharges("esp", values)

    def _field(self, molecule: Molecule, density: np.ndarray | None) -> Any:
        """Return the converged self-consistent field."""
        mole = self._mole(molecule)
        closed_shell = molecule.multiplicity == 1
        if self.method.lower() == "hf":
            field = scf.RHF(mole) if closed_shell else scf.UHF(mole)
        else:
            field = dft.RKS(mole) if closed_shell else dft.UKS(mole)
            field.xc = _PINNED.get(self.method.lower(), self.method)
            field.grids.level = _GRID_LEVEL
        field.conv_tol = _ENERGY_TOLERANCE
        field.conv_tol_grad = _ORBITAL_GRADIENT_TOLERANCE
        field.max_cycle = _MAX_CYCLES
        field.chkfile = None
        field.kernel(dm0=density)
        if not field.converged:
            # Open shells with almost degenerate orbitals, which defeat extrapolation, converge to second order.
            second_order = field.newton()
            second_order.kernel(mo_coeff=field.mo_coeff, mo_occ=field.mo_occ)
            field = second_order.undo_soscf()
        if not field.converged:
            raise ConvergenceError(
                f"{label(molecule)}: the {self.level} SCF did not converge in {_MAX_CYCLES} cycles; "
                "check geometry, charge and multiplicity, or start from a geometry of a cheaper level"
            )
        return field

    def _mole(self, molecule: Molecule) -> Any:
        numbers = {*molecule.species.tolist()}
        cores = {symbol(z): self.basis for z in numbers if _in_library(gto.basis.load_ecp, self.basis, z)}
        return gto.M(
            atom=list(zip(molecule.symbols, (molecule.positions / units.BOHR).tolist(), strict=True)),
            unit="Bohr",
            basis=self.basis,
            ecp=cores,
            cart=self._cartesian,
            charge=molecule.charge,
            spin=molecule.multiplicity - 1,
            verbose=0,
            dump_input=False,
            parse_arg=False,
        )


def _potential(
    mole: Any, density: Float[np.ndarray, "orbitals orbitals"], points: Float[np.ndarray, "points 3"]
) -> Float[np.ndarray, " points"]:
    """Return the electrostatic potential [Hartree/e] at points [Å]."""
    grid = points / units.BOHR
    distance = np.linalg.norm(grid[:, None] - mole.atom_coords()[None], axis=2)
    electrons = np.einsum("gij,ij->g", mole.intor("int1e_grids", grids=grid), density)
    return (mole.atom_charges() / distance).sum(axis=1) - electrons


def _check_functional(method: str) -> None:
    """Raise InputError for what PySCF does not know or would compute without a part of it."""
    unknown = InputError(
        f"{method!r} is neither hf, gfn1, gfn2 nor a functional that PySCF knows, such as b3lyp or pbe0"
    )
    if not method[:1].isalpha():
        # PySCF would take a number for an entry of libxc's list.
        raise unknown
    try:
        functional, _, dispersion = scf.dispersion.parse_dft(method)
        incomplete = bool(dispersion or _FITTED_WITH_DISPERSION.search(method)) or dft.libxc.is_nlc(functional)
    except (KeyError, ValueError) as error:
        raise unknown from error
    except NotImplementedError:
        # What PySCF knows by name and says so of: functionals with a dispersion of their own, such as wB97X-D.
        incomplete = True
    if incomplete:
        raise InputError(
            f"{method!r} has a dispersion or non-local correlation energy without analytic Hessian here; "
            "use a functional without it, such as b3lyp or wb97x"
        )


def _in_library(load: Any, basis: str, number: int) -> bool:
    """Return whether PySCF's own library has functions (`load`) or a core potential (`load_ecp`) for an element."""
    with warnings.catch_warnings():
        # PySCF advises to install a package with more sets.
        warnings.simplefilter("ignore")
        try:
            return bool(load(basis, symbol(number)))
        except (BasisNotFoundError, RuntimeError, KeyError, OSError):
            return False
