"""The ASE calculator: energies, forces and Hessians of any force field for whatever runs on ASE."""

import warnings
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
from jaxtyping import Array, Float, Int

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRules, ModelRules, rules_of
from forgefield.engines.laid import Laid, Surroundings, found
from forgefield.engines.native.choice import fastest
from forgefield.engines.processes import require_own_jax
from forgefield.engines.stated import Stated, require_heeded, require_state, stated
from forgefield.errors import ForgeFieldError, IgnoredStateWarning, InputError
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.models.model import AbstractModel
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.lattice import completed
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology
from forgefield.properties.derivatives import hessians
from forgefield.properties.many import many

_MOST_KNOWN = 32
"""Systems that are remembered."""
_LARGEST_BATCH = 64
"""Images that are computed at once."""
_FARTHEST = 1e6
"""Å from the origin; beyond it, positions are no longer known to the digits that forces need."""
_MOST_LISTED = 10
"""Images with an error that a message lists."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """Atoms of ASE that have been checked."""

    molecule: Molecule
    around: Surroundings
    stated: Stated


class ForgeFieldCalculator(Calculator):
    """Computes with a force field in ASE's units (eV, Å), in double precision whatever JAX's default.

    `force_field` is a file that a force field is read from, the folder of a fit, a model that needs no bonds, or an
    assignment of one molecule. Neural models take periodic systems too, and have a stress there. Where a force field
    goes by bonds or atom types, these are those of `structure` (a file or a molecule with the same atoms in the same
    order) or else perceived from the atoms when they are first seen. Charge and multiplicity of the atoms are
    `info["charge"]` and `info["multiplicity"]`, else those of `structure`, else 0 and 1; a force field that depends on
    neither warns once (IgnoredStateWarning) where they are given. Raises InputError where force field and atoms do not
    go together, and where atoms, cell or state cannot be.

    It can be copied and pickled, with its force field and with the bonds that it has perceived.
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
        force_field: str | Path | AbstractRules | Assignment | AbstractModel,
        structure: str | Path | Molecule | None = None,
        **options: Any,
    ) -> None:
        require_own_jax()
        with jax.enable_x64(True):
            self._structure = _structure(force_field, structure)
            self._rules = _rules(force_field)
        self._known: list[Laid] = []
        self._fast: tuple[AbstractModel, AbstractModel] | None = None
        self._remembered: list[Molecule] = []
        self._warned = False
        self._travelled = False
        super().__init__(**options)

    def set(self, **options: Any) -> dict[str, Any]:
        """Take no options. Raises InputError for any, such as a charge."""
        if options:
            raise InputError(
                f"the calculator has no option {', '.join(options)}; charge and multiplicity are those of the atoms: "
                'atoms.info["charge"] and atoms.info["multiplicity"]'
            )
        return super().set()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: nothing that is compiled, and molecules whose bonds are known."""
        remembered = [*self._remembered, *(known.molecule for known in self._known if len(known.bonds))]
        return {**self.__dict__, "_known": [], "_fast": None, "_remembered": remembered, "_travelled": True}

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return what has changed since the last calculation; charge and multiplicity count too."""
        changes = list(super().check_state(atoms, tol=tol))
        # Before anything that was computed is given: what the atoms say must be readable.
        now = stated(atoms)
        if self.atoms is not None and now != stated(self.atoms):
            changes.append("info")
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute what is asked for; energy and forces come together, with the stress where there is one."""
        super().calculate(atoms, list(properties), list(system_changes))
        if self.atoms is None:
            raise InputError("there are no atoms to compute; give them to the calculator, or the calculator to them")
        self._arrive()
        with jax.enable_x64(True):
            seen = self._seen(self.atoms)
            laid = self._laid(seen)
            if "stress" in properties and not laid.stressed:
                raise PropertyNotImplementedError("there is a stress only of what is periodic along all three axes")
            if "hessian" in properties:
                hessian = hessians(laid.model, laid.topology, jnp.asarray(seen.molecule.positions))
                self.results["hessian"] = np.asarray(hessian[0]) / units.ELECTRONVOLT
            if set(properties) - {"hessian"}:
                self.results |= laid.results(seen.molecule.positions)

    def get_hessian(self, atoms: Atoms | None = None) -> Float[np.ndarray, "coordinates coordinates"]:
        """Return the second derivatives of the energy [eV/Å²], exact."""
        return np.asarray(self.get_property("hessian", atoms))

    def calculate_many(self, images: Sequence[Atoms], *, on_error: str = "stop") -> list[dict[str, Any]]:
        """Return energy [eV] and forces [eV/Å] of each of many structures, in their order.

        Under a neural model any molecules are computed at once, under others the images of one molecule. The results
        of the calculator's own atoms stay what they are. Where images cannot be computed, an InputError lists them by
        their index; with `on_error="skip"` each of them has `{"error": message}` for a result instead.
        """
        if on_error not in ("stop", "skip"):
            raise InputError(f'on_error is "stop" or "skip", not {on_error!r}')
        self._arrive()
        results: list[dict[str, Any] | ForgeFieldError] = [{} for _ in images]
        with jax.enable_x64(True):
            groups: dict[int, tuple[Laid, list[int], list[Molecule]]] = {}
            for k, image in enumerate(images):
                try:
                    seen = self._seen(image)
                    laid = self._laid(seen)
                except ForgeFieldError as error:
                    results[k] = error
                    continue
                _, members, molecules = groups.setdefault(0 if laid.together else id(laid), (laid, [], []))
                members.append(k)
                molecules.append(seen.molecule)
            for laid, members, molecules in groups.values():
                for k, result in zip(members, _of_images(laid, molecules), strict=True):
                    results[k] = result
        if on_error == "stop":
            _require_all(results)
        return [{"error": str(result)} if isinstance(result, ForgeFieldError) else result for result in results]

    def _arrive(self) -> None:
        """Make the force field ready in the process that it was sent to. Raises InputError where JAX cannot run."""
        require_own_jax()
        if self._travelled:
            self._rules, self._travelled = self._rules.restored(), False

    def _seen(self, atoms: Atoms) -> _Seen:
        """Return ASE's atoms as a molecule in its cell. Raises InputError where they cannot be, or are others."""
        _require_sane(atoms)
        given = self._structure or _BARE
        if self._structure is not None and not np.array_equal(given.species, atoms.numbers):
            raise InputError(
                f"{given.source or given.name} has the atoms {' '.join(given.symbols)}, not {' '.join(atoms.symbols)}; "
                "the atoms must be those of the structure in the same order"
            )
        says = stated(atoms)
        molecule = replace(
            given,
            name=given.name or atoms.get_chemical_formula(),
            species=np.asarray(atoms.numbers, dtype=np.int64),
            positions=np.array(atoms.positions, dtype=np.float64),
            charge=given.charge if says.charge is None else says.charge,
            multiplicity=given.multiplicity if says.multiplicity is None else says.multiplicity,
        )
        if says.charge is not None or says.multiplicity is not None:
            require_state(molecule.species, molecule.charge, molecule.multiplicity)
        self._heed(says, molecule)
        return _Seen(molecule, _surroundings(atoms), says)

    def _heed(self, says: Stated, molecule: Molecule) -> None:
        """Raise InputError or warn, once, where the energy will not be that of the state which the atoms state."""
        heeded = self._rules.heeded
        require_heeded({k: n for k, n in says.hinted.items() if k in heeded}, molecule.charge, molecule.multiplicity)
        asked = {"charge": molecule.charge, "multiplicity": molecule.multiplicity - 1}
        said = {"charge": says.charge, "multiplicity": says.multiplicity} | says.hinted
        # The types of a structure say its charge too.
        typed = not isinstance(self._rules, ModelRules)
        ignored = [
            name
            for name in asked
            if name not in heeded and (says.hinted.get(name) or (asked[name] and not (typed and said[name] is None)))
        ]
        if ignored and not self._warned:
            self._warned = True
            warnings.warn(
                f"{molecule.name}: the force field does not depend on {' and '.join(ignored)}, which the atoms have "
                f"(charge {molecule.charge:+d}, multiplicity {molecule.multiplicity}); said once",
                IgnoredStateWarning,
                stacklevel=2,
            )

    def _laid(self, seen: _Seen) -> Laid:
        """Return the force field laid over a molecule or a periodic system, as before where it is the same one."""
        while self._remembered:
            self._known.append(self._newly_laid(self._remembered.pop(0)))
        molecule, around = seen.molecule, seen.around
        for k, known in enumerate(self._known):
            if known.fits(molecule, around):
                self._known[k] = known.renewed(molecule, around)
                return self._known[k]
        laid = self._newly_laid(molecule).with_neighbours(molecule, around)
        del self._known[: -_MOST_KNOWN + 1]
        self._known.append(laid)
        return laid

    def _newly_laid(self, molecule: Molecule) -> Laid:
        model, topology = self._rules.lay([molecule])
        if self._fast is None or self._fast[0] is not model:
            self._fast = model, fastest(model)
        return Laid.over(molecule, model, topology, self._fast[1])


def _require_sane(atoms: Atoms) -> None:
    """Raise InputError that lists the atoms which no force field can compute."""
    if not len(atoms):
        raise InputError("there are no atoms to compute")
    far = np.flatnonzero(~(np.abs(atoms.positions) <= _FARTHEST).all(axis=1))
    wrong = _no_elements(atoms.numbers)
    wrong += [
        f"atom {i + 1} is at {atoms.positions[i].tolist()}, not within {_FARTHEST:g} Å of the origin" for i in far
    ]
    if wrong:
        more = [f"and {len(wrong) - _MOST_LISTED} more"] if len(wrong) > _MOST_LISTED else []
        raise InputError("\n  ".join([*wrong[:_MOST_LISTED], *more]))


def _no_elements(numbers: Int[np.ndarray, " atoms"]) -> list[str]:
    odd = np.flatnonzero((numbers < 1) | (numbers >= len(SYMBOLS)))
    return [f"atom {i + 1} has the atomic number {numbers[i]}, which is no element" for i in odd]


def _surroundings(atoms: Atoms) -> Surroundings:
    """Return the cell of periodic atoms. Raises InputError where it cannot be one."""
    a, b, c = map(bool, atoms.pbc)
    if not (a or b or c):
        return Surroundings()
    return Surroundings((a, b, c), completed(np.asarray(atoms.cell), (a, b, c), len(atoms)))


def _of_images(laid: Laid, molecules: list[Molecule]) -> list[dict[str, Any] | ForgeFieldError]:
    """Return energy and forces of any molecules under a neural model, of images of one system under others."""
    if laid.together:
        return [_found(one.energy, one.gradient) for one in many(laid.fast, molecules)]
    results = []
    for first in range(0, len(molecules), _LARGEST_BATCH):
        positions = [m.positions for m in molecules[first : first + _LARGEST_BATCH]]
        # Batches of few sizes, so that few programs are compiled.
        n = 1 << (len(positions) - 1).bit_length()
        padded = np.stack([*positions, *positions[-1:] * (n - len(positions))])
        energies, gradients = map(np.asarray, _of_many(laid.model, laid.topology, jnp.asarray(padded)))
        results += [_found(energies[k], gradients[k]) for k in range(len(positions))]
    return results


def _found(energy: Any, gradient: Any) -> dict[str, Any] | ForgeFieldError:
    """Return what ASE calls energy and forces, or what is wrong with them."""
    try:
        return found(energy, gradient)
    except InputError as error:
        return error


def _require_all(results: Sequence[dict[str, Any] | ForgeFieldError]) -> None:
    """Raise an error that lists the images with one, of their type where all have the same."""
    errors = {k: result for k, result in enumerate(results) if isinstance(result, ForgeFieldError)}
    if not errors:
        return
    lines = [f"images[{k}]: {error}" for k, error in list(errors.items())[:_MOST_LISTED]]
    if len(errors) > _MOST_LISTED:
        lines.append(f"and {len(errors) - _MOST_LISTED} more images")
    kinds = {type(error) for error in errors.values()}
    raise (kinds.pop() if len(kinds) == 1 else InputError)("\n".join(lines))


_BARE = Molecule("", np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
"""A structure that says nothing of its atoms."""


def _structure(
    force_field: str | Path | AbstractRules | Assignment | AbstractModel, structure: str | Path | Molecule | None
) -> Molecule | None:
    """Return the structure that says what is bonded, with the atom types that belong to the force field."""
    if structure is None:
        return None
    if isinstance(structure, Molecule):
        if wrong := _no_elements(structure.species):
            raise InputError(f"{structure.source or structure.name}: " + "\n  ".join(wrong))
        return structure
    path = Path(structure)
    beside = [Path(force_field)] if isinstance(force_field, str | Path) else []
    return single(read_structures(path, atom_types=find_atom_types([path, *beside])))


def _rules(force_field: str | Path | AbstractRules | Assignment | AbstractModel) -> AbstractRules:
    """Return a force field, however it is given, as one not yet laid over molecules. Raises InputError."""
    return load(force_field) if isinstance(force_field, str | Path) else rules_of(force_field)


@eqx.filter_jit
def _of_many(
    model: AbstractModel, topology: Topology, positions: Float[Array, "images atoms 3"]
) -> tuple[Float[Array, "images molecules"], Float[Array, "images atoms 3"]]:
    return jax.vmap(lambda x: model.energy_and_gradient(topology, x))(positions)
