"""A format that holds one molecule with every interaction, and what it cannot hold."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.match import order_of
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System
from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError
from forgefield.io.forcefields.generated import amber_types, require_no_switched_torsions
from forgefield.io.forcefields.laid.flat import of_assignment
from forgefield.io.forcefields.laid.series import of_each_fold, periodic
from forgefield.molecules.molecule import Molecule
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES_PAIR
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.periodic import RYCKAERT_BELLEMANS
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6

_SWITCHED = (TORSION3, TORSION4, TORSION6, COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE)
_WITHOUT_ENERGY = (CHARGE_INCREMENT, BOND_MOMENT)
_MAP = "cmap"
_NEGLIGIBLE = 1e-4
"""kcal/mol; constant energies below it are not missed: the digits of OPLS' torsions in GROMACS' files leave 1e-5."""
_FARTHEST = 999.0
"""Å; coordinates further from the origin do not fit into all columns, and are moved to it together."""

Positions = Float[np.ndarray, "atoms 3"]


def _as_it_is(system: System) -> tuple[System, tuple[str, ...]]:
    return system, ()


def one_of_each_fold(system: System) -> tuple[System, tuple[str, ...]]:
    """Return a system with one torsion of each periodicity about the same atoms, which leaves out constant energies."""
    found, constant = of_each_fold(system.interactions)
    words = (f"constant energies of torsions ({constant:.2g} kcal/mol in all)",) if constant > _NEGLIGIBLE else ()
    return replace(system, interactions=found), words


@dataclass(frozen=True)
class SystemFormat:
    """What writes files of one system."""

    what: str
    """What messages call it, such as `an AMBER topology`."""
    terms: tuple[Term, ...]
    """That it holds, beside what acts between all pairs."""
    write: Callable[[Path, System, Positions | None], tuple[Path, ...]]
    """Writes a system, with its geometry [Å] where it is known, and returns the files."""
    beside: tuple[str, ...]
    """Suffixes of the other files that belong to one, such as that of the geometry."""
    has_maps: bool = False
    """Whether it holds correction maps."""
    needs_positions: bool = False
    adapted: Callable[[System], tuple[System, tuple[str, ...]]] = _as_it_is
    """Returns a system as the format has it, and in words what that changes, if anything."""

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        """Return how it travels to other processes: as the constant of its module that it is."""
        home = sys.modules[self.write.__module__]
        return _constant, (home.__name__, next(name for name, value in vars(home).items() if value is self))

    def write_laid(self, path: Path, assignment: Assignment, molecules: list[Molecule]) -> tuple[Path, ...]:
        """Write a force field that is laid over one molecule, in its first structure.

        Raises InputError for several molecules, and for what the format cannot hold.
        """
        return self.write_system(path, self.laid(path, assignment, molecules), molecules[0].positions)

    def laid(self, path: Path, assignment: Assignment, molecules: list[Molecule]) -> System:
        """Return a force field that is laid over one molecule as a system.

        Raises InputError for several molecules, and for torsions next to a straight angle.
        """
        require_no_switched_torsions(assignment, molecules, _SWITCHED, f"{path}: {self.what}")
        return _laid(assignment, molecules, f"{path}: {self.what}")

    def write_rules(self, path: Path, rules: AbstractRules) -> None:
        """Write the topology of a force field that is of one system. Raises InputError for others."""
        if not isinstance(rules, SystemRules):
            raise InputError(f"{path}: {self.what} is of one molecule; name a structure (--over)")
        self.write_system(path, rules.system, None)

    def write_system(self, path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
        """Write a system. Raises InputError that names all that the format cannot hold."""
        if positions is None and self.needs_positions:
            raise InputError(f"{path}: {self.what} holds positions; name a structure (--over)")
        if missing := self.missing(system):
            raise InputError(
                f"{path}: {self.what} cannot hold {', '.join(missing)}; convert with --approximate, which leaves out "
                "or changes what it names, or choose another format"
            )
        if positions is not None and (np.abs(positions) >= _FARTHEST).any():
            positions = positions - positions.mean(axis=0)
        return self.write(path, self._prepared(system), positions)

    def write_over(self, path: Path, *, system: System, molecule: Molecule) -> tuple[Path, ...]:
        """Write a system in the geometry of a molecule, whose atoms may be in another order."""
        return self.write_system(path, system, molecule.positions[order_of(system, molecule)])

    def missing(self, system: System) -> list[str]:
        """Return what of a system the format cannot hold, in words."""
        return [*self.left_out(system), *self.changed(system), *[f"{EXP6.name} between all pairs"] * _is_exp6(system)]

    def left_out(self, system: System) -> list[str]:
        """Return the interactions of a system that the format has no form for, in words."""
        return [
            f"{one.term.name} ({len(one.atoms)})" for one in self._prepared(system).interactions if not self._holds(one)
        ]

    def changed(self, system: System) -> list[str]:
        """Return what of a system the format has in another way, in words."""
        return list(self.adapted(self._periodic(system))[1])

    def approximate(self, system: System) -> System:
        """Return a system without what the format cannot hold, but for what acts between all pairs."""
        prepared = self._prepared(system)
        return replace(prepared, interactions=tuple(one for one in prepared.interactions if self._holds(one)))

    def _holds(self, one: Stated) -> bool:
        return one.term in (*self.terms, LENNARD_JONES_PAIR) or (self.has_maps and one.term.name == _MAP)

    def _prepared(self, system: System) -> System:
        """Return a system with torsions as periodic ones where the format has no others."""
        return self.adapted(self._periodic(system))[0]

    def _periodic(self, system: System) -> System:
        stated = [one for one in system.interactions if len(one.atoms) and one.term not in _WITHOUT_ENERGY]
        kept = RYCKAERT_BELLEMANS in self.terms
        found = [one if kept and one.term is RYCKAERT_BELLEMANS else periodic(one) for one in stated]
        return replace(system, interactions=tuple(one for one in found if len(one.atoms)))


def _constant(module: str, name: str) -> object:
    return getattr(import_module(module), name)


def _is_exp6(system: System) -> bool:
    return system.through_space.term is EXP6 and bool(system.through_space.parameters[:, 1].any())


def _laid(assignment: Assignment, molecules: list[Molecule], what: str) -> System:
    """Return a force field that is laid over one molecule as a system. Raises InputError for several molecules."""
    flat, first = of_assignment(assignment, molecules, what), molecules[0]
    own = {} if assignment.names else amber_types(assignment)
    return System.of_molecule(
        replace(first, names=assignment.names[0] if assignment.names else None),
        source=first.source or first.name,
        program="ForgeField",
        types=tuple(own.get(name, name) for name in assignment.types[0]),
        interactions=flat.interactions,
        through_space=flat.through_space,
    )
