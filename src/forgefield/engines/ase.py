"""The ASE calculator: energies, forces and Hessians of any force field for whatever runs on ASE."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from jaxtyping import Array, Float

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.engines.native.painn import fastest
from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.rules import Lay, lay_assignment, lay_model, read_force_field
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.models.model import AbstractModel
from forgefield.models.painn import Painn
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.elements import covalent_radii
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.neighbour_list import NeighbourList, neighbour_list
from forgefield.molecules.topology import Topology
from forgefield.properties.derivatives import hessians
from forgefield.properties.many import energies_and_gradient, many
from forgefield.properties.stress import stress

_BROKEN = 2.0
"""A bond longer than this many times the sum of covalent radii belongs to another molecule."""
_MOST_IN_PAIRS = 60
"""Atoms of a molecule whose pairs are all looked at."""
_SKIN = 0.5
"""Å"""
_MOST_KNOWN = 32
"""Systems that are remembered."""
_LARGEST_BATCH = 64
"""Images that are computed at once."""


@dataclass(frozen=True, eq=False)
class _Laid:
    """A force field laid over one molecule or one periodic system."""

    molecule: Molecule
    model: AbstractModel
    topology: Topology
    fast: AbstractModel
    """The same model with a native kernel where there is one."""
    listed: NeighbourList | None = None
    """Neighbours of a large or periodic system."""

    def fits(self, molecule: Molecule) -> bool:
        """Say whether it holds for this structure too: the same atoms, none of the bonds torn apart."""
        mine = self.molecule
        if not np.array_equal(mine.species, molecule.species):
            return False
        if (mine.charge, mine.multiplicity) != (molecule.charge, molecule.multiplicity):
            return False
        if not self.topology.interactions:
            return True
        i, j = mine.bonds.T
        radii = covalent_radii(mine.species)
        lengths = np.linalg.norm(molecule.positions[i] - molecule.positions[j], axis=1)
        return bool((lengths < _BROKEN * (radii[i] + radii[j])).all())


class ForgeFieldCalculator(Calculator):
    """Computes with a force field in ASE's units (eV, Å), in double precision whatever JAX's default.

    `force_field` is a file that a force field is read from, the folder of a fit, a model that needs no bonds, or an
    assignment of one molecule. Neural models take periodic systems too, and have a stress there. Where a force field
    goes by bonds or atom types, these are those of `structure` (a file or a molecule with the same atoms in the same
    order) or else perceived from the atoms when they are first seen. Charge and multiplicity of the atoms are
    `info["charge"]` and `info["multiplicity"]`, else those of `structure`, else 0 and 1. Raises InputError where force
    field and atoms do not go together.
    """

    # ASE declares these two as variables of instances, and gives them to classes as we do.
    implemented_properties: ClassVar[list[str]] = [  # pyright: ignore[reportIncompatibleVariableOverride]
        "energy",
        "free_energy",
        "forces",
        "stress",
        "hessian",
    ]
    ignored_changes: ClassVar[set[str]] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        "initial_charges",
        "initial_magmoms",
    }

    def __init__(
        self,
        force_field: str | Path | AbstractModel | Assignment,
        structure: str | Path | Molecule | None = None,
        **options: Any,
    ) -> None:
        with jax.enable_x64(True):
            self._structure = _structure(force_field, structure)
            self._lay = _lay(force_field)
        self._known: list[_Laid] = []
        self._fast: tuple[AbstractModel, AbstractModel] | None = None
        super().__init__(**options)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute what is asked for; energy and forces come together."""
        super().calculate(atoms, list(properties), list(system_changes))
        if self.atoms is None:
            raise InputError("there are no atoms to compute; give them to the calculator, or the calculator to them")
        with jax.enable_x64(True):
            molecule = self._molecule(self.atoms)
            laid = self._laid(molecule, self.atoms)
            x = jnp.asarray(molecule.positions)
            if "stress" in properties:
                self.results["stress"] = _stress(laid, x)
            if "hessian" in properties:
                hessian = hessians(laid.model, laid.topology, x)
                self.results["hessian"] = np.asarray(hessian[0]) / units.ELECTRONVOLT
            if {"energy", "free_energy", "forces"} & set(properties):
                self.results |= _results(*energies_and_gradient(laid.fast, laid.topology, x))

    def get_hessian(self, atoms: Atoms | None = None) -> Float[np.ndarray, "coordinates coordinates"]:
        """Return the second derivatives of the energy [eV/Å²], exact."""
        return np.asarray(self.get_property("hessian", atoms))

    def calculate_many(self, images: Sequence[Atoms]) -> list[dict[str, Any]]:
        """Return energy [eV] and forces [eV/Å] of each of many structures, in their order.

        Under a neural model any molecules are computed at once, under others the images of one molecule. The results
        of the calculator's own atoms stay what they are.
        """
        molecules = [self._molecule(image) for image in images]
        found: list[dict[str, Any]] = [{} for _ in molecules]
        with jax.enable_x64(True):
            groups: dict[int, tuple[_Laid, list[int]]] = {}
            for k, (molecule, image) in enumerate(zip(molecules, images, strict=True)):
                laid = self._laid(molecule, image)
                # A neural model without a list of neighbours takes all molecules together.
                together = isinstance(laid.model, Painn) and laid.listed is None
                groups.setdefault(0 if together else id(laid), (laid, []))[1].append(k)
            for laid, members in groups.values():
                for k, result in zip(members, _of_images(laid, [molecules[k] for k in members]), strict=True):
                    found[k] = result
        return found

    def _molecule(self, atoms: Atoms) -> Molecule:
        """Return ASE's atoms as a molecule. Raises InputError where there are none, or others than the structure's."""
        if not len(atoms):
            raise InputError("there are no atoms to compute")
        given = self._structure or _BARE
        if self._structure is not None and not np.array_equal(given.species, atoms.numbers):
            raise InputError(
                f"{given.source or given.name} has the atoms {' '.join(given.symbols)}, not {' '.join(atoms.symbols)}; "
                "the atoms must be those of the structure in the same order"
            )
        return replace(
            given,
            name=given.name or atoms.get_chemical_formula(),
            species=np.asarray(atoms.numbers, dtype=np.int64),
            positions=np.array(atoms.positions, dtype=np.float64),
            charge=int(atoms.info.get("charge", given.charge)),
            multiplicity=int(atoms.info.get("multiplicity", given.multiplicity)),
        )

    def _laid(self, molecule: Molecule, atoms: Atoms) -> _Laid:
        """Return the force field laid over a molecule or a periodic system, as before where it is the same one."""
        for k, known in enumerate(self._known):
            if known.fits(molecule) and (known.listed is None) == (not _wants_list(known.model, atoms)):
                self._known[k] = _renewed(known, atoms)
                return self._known[k]
        model, topology = self._lay([molecule])
        if topology.interactions and not len(molecule.bonds):
            bonds, orders = perceive_bonds(molecule.species, molecule.positions)
            molecule = replace(molecule, bonds=bonds, orders=orders)
        del self._known[: -_MOST_KNOWN + 1]
        if self._fast is None or self._fast[0] is not model:
            self._fast = model, fastest(model)
        self._known.append(_listed(_Laid(molecule, model, topology, self._fast[1]), atoms))
        return self._known[-1]


def _wants_list(model: AbstractModel, atoms: Atoms) -> bool:
    """Say whether a system needs a list of neighbours. Raises InputError for a periodic one where none is known."""
    if not isinstance(model, Painn):
        if atoms.pbc.any():
            axes = "/".join(np.array(["a", "b", "c"])[atoms.pbc])
            raise InputError(
                f"the atoms are periodic along {axes}, which this force field does not support; "
                "set atoms.pbc = False if they are a molecule"
            )
        return False
    return bool(atoms.pbc.any()) or len(atoms) > _MOST_IN_PAIRS


def _listed(laid: _Laid, atoms: Atoms) -> _Laid:
    """Return a system with its neighbours, where it wants a list of them."""
    if not _wants_list(laid.model, atoms):
        return laid
    assert isinstance(laid.model, Painn)
    periodic = tuple(map(bool, atoms.pbc))
    listed = neighbour_list(
        atoms.positions, laid.model.design.basis.cutoff, _SKIN, _cell(atoms), (periodic[0], periodic[1], periodic[2])
    )
    return replace(laid, topology=replace(laid.topology, neighbours=listed.neighbours), listed=listed)


def _renewed(laid: _Laid, atoms: Atoms) -> _Laid:
    """Return a system with a list of neighbours that is good for these positions."""
    if laid.listed is None or laid.listed.holds(atoms.positions, _cell(atoms)):
        return laid
    if laid.listed.periodic != tuple(map(bool, atoms.pbc)):
        return _listed(laid, atoms)
    listed = laid.listed.renewed(atoms.positions, _cell(atoms))
    return replace(laid, topology=replace(laid.topology, neighbours=listed.neighbours), listed=listed)


def _cell(atoms: Atoms) -> Float[np.ndarray, "3 3"] | None:
    return np.asarray(atoms.cell.complete()) if atoms.pbc.any() else None


def _stress(laid: _Laid, positions: Float[Array, "atoms 3"]) -> Float[np.ndarray, " 6"]:
    """Return the stress as ASE orders it [eV/Å³]: xx, yy, zz, yz, xz, xy; tension is positive."""
    if laid.listed is None or laid.listed.cell is None or not all(laid.listed.periodic):
        raise PropertyNotImplementedError("there is a stress only of what is periodic along all three axes")
    found = stress(laid.model, laid.topology, positions, jnp.asarray(laid.listed.cell))
    return full_3x3_to_voigt_6_stress(np.asarray(found) / units.ELECTRONVOLT)


def _of_images(laid: _Laid, molecules: list[Molecule]) -> list[dict[str, Any]]:
    """Return energy and forces of any molecules under a neural model, of images of one system under others."""
    if isinstance(laid.model, Painn) and laid.listed is None:
        return [_results(one.energy, one.gradient) for one in many(laid.fast, molecules)]
    found = []
    for first in range(0, len(molecules), _LARGEST_BATCH):
        positions = [m.positions for m in molecules[first : first + _LARGEST_BATCH]]
        # Batches of few sizes, so that few programs are compiled.
        n = 1 << (len(positions) - 1).bit_length()
        padded = np.stack([*positions, *positions[-1:] * (n - len(positions))])
        batch = zip(*_of_many(laid.model, laid.topology, jnp.asarray(padded)), strict=True)
        found += [_results(energy, gradient) for _, (energy, gradient) in zip(positions, batch, strict=False)]
    return found


_BARE = Molecule("", np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
"""A structure that says nothing of its atoms."""


def _structure(
    force_field: str | Path | AbstractModel | Assignment, structure: str | Path | Molecule | None
) -> Molecule | None:
    """Return the structure that says what is bonded, with the atom types that belong to the force field."""
    if structure is None or isinstance(structure, Molecule):
        return structure
    path = Path(structure)
    beside = [Path(force_field)] if isinstance(force_field, str | Path) else []
    return single(read_structures(path, atom_types=find_atom_types([path, *beside])))


def _lay(force_field: str | Path | AbstractModel | Assignment) -> Lay:
    """Return what lays a force field, however it is given, over molecules. Raises InputError."""
    if isinstance(force_field, Assignment):
        return lay_assignment(force_field)
    if isinstance(force_field, AbstractModel):
        return lay_model(force_field)
    return read_force_field(Path(force_field))


def _results(energy: Any, gradient: Any) -> dict[str, Any]:
    """Return what ASE calls energy and forces."""
    in_ev = float(np.asarray(energy).reshape(())) / units.ELECTRONVOLT
    return {"energy": in_ev, "free_energy": in_ev, "forces": -np.asarray(gradient) / units.ELECTRONVOLT}


@eqx.filter_jit
def _of_many(
    model: AbstractModel, topology: Topology, positions: Float[Array, "images atoms 3"]
) -> tuple[Float[Array, "images molecules"], Float[Array, "images atoms 3"]]:
    return jax.vmap(lambda x: (model.energy(topology, x), model.gradient(topology, x)))(positions)
