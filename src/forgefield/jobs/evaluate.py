"""Evaluates a force field: energies by term, every interaction, comparisons, frequencies."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield import units
from forgefield.assign.explicit.rows import too_many_pairs
from forgefield.assign.explicit.rules import SystemRules, systems_of
from forgefield.assign.explicit.striped import laid_in_stripes
from forgefield.assign.explicit.system import System
from forgefield.assign.mm3.laid import Coverage, Mm3Assignment
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.mm3.through_space import EXTENDED_CUTOFF, SHORTEST_CUTOFF, TAPER
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.estimating.transition_state import treat
from forgefield.fitting.data.training_set import Example, training_set
from forgefield.fitting.judge.metrics import Judgement, judge
from forgefield.io.assemble.single import single
from forgefield.io.listings.listing import TOTAL, Comparison, Listing, compare, totals
from forgefield.io.listings.mm3_listing import mm3_listings
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.listings.row_listing import row_listings
from forgefield.io.references import pair, read_files
from forgefield.io.structures.mae import stated_energy
from forgefield.jobs.fit.plan.choices import policy_named
from forgefield.jobs.fit.plan.load import group_of
from forgefield.jobs.laid import Laid, opened
from forgefield.models.model import AbstractModel
from forgefield.models.striped import Reach
from forgefield.molecules.molecule import Molecule, standard_masses
from forgefield.molecules.topology import Topology
from forgefield.properties.derivatives import energies, forces, hessians
from forgefield.properties.modes import Vibrations, vibrations
from forgefield.properties.relax import Failure, Limits, Relaxed, relax
from forgefield.table import AbstractTabled, Column, Table, table


@dataclass(frozen=True, eq=False, repr=False)
class Evaluated(AbstractTabled):
    """A force field laid over structures, and what it says of them."""

    molecules: list[Molecule]
    model: AbstractModel
    topology: Topology
    energies: Float[np.ndarray, " molecules"]
    """kcal/mol"""
    listings: list[Listing]
    """Every interaction of each structure; none where the force field has no interactions, as a neural one."""
    assigned: Mm3Assignment | None
    """Where the force field is an MM3* file: the line behind each interaction."""
    vdw_cutoff: float = math.inf
    """Where van der Waals interactions of an MM3* file end [Å]."""
    macromodel: tuple[float, ...] = ()
    """The energies [kJ/mol] that MacroModel stated beside the structures, where it did beside all."""
    reach: Reach | None = None
    """Where the pairs of a topology end, where they do."""
    system: System | None = None
    """Where the force field is the topology of a system; of several the first."""

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """Where in an MM3* file the rows stand that interactions take; none of other force fields."""
        return () if self.assigned is None else self.assigned.coverage

    @property
    def idle(self) -> tuple[int, ...]:
        """Lines of rows in an MM3* file that can match nothing in these structures; none of other force fields."""
        return () if self.assigned is None else self.assigned.idle

    @property
    def reaches_further_than_macromodel(self) -> bool:
        """Whether an MM3* force field has van der Waals interactions that MacroModel scales down or leaves out."""
        return math.isinf(self.vdw_cutoff) and any(
            i.value is not None and i.value > SHORTEST_CUTOFF - TAPER
            for one in self.listings
            for i in one.interactions
            if i.kind == "vdw"
        )

    @property
    def totals_kj_mol(self) -> list[dict[str, float]]:
        """Energy of each structure by kind of interaction, as far as there are such, and in total."""
        if self.listings:
            return [dict(listing.totals_kj_mol) for listing in self.listings]
        return [{TOTAL: float(energy) / units.KILOJOULE} for energy in self.energies]

    @property
    def table(self) -> Table:
        """The energies by kind of interaction."""
        totals = self.totals_kj_mol
        kinds = dict.fromkeys(kind for of_structure in totals for kind in of_structure if kind != TOTAL)
        rows = [(kind, *(f"{found.get(kind, 0.0):.4f}" for found in totals)) for kind in (*kinds, TOTAL)]
        columns = Column("term", numeric=False), *(Column(molecule.name) for molecule in self.molecules)
        return table("Energies / kJ/mol", columns, rows)

    @property
    def note(self) -> str:
        """Say where interactions end and which constants were taken, as far as totals depend on it."""
        if self.system is not None:
            ends = "without a cutoff"
            if self.reach is not None and self.reach.cutoff < math.inf:
                ends = f"pairs end at {self.reach.cutoff:g} Å, with a reaction field of ε = {self.reach.dielectric:g}"
            if self.reach is not None and self.reach.switch < math.inf:
                ends += f", vdw switched off from {self.reach.switch:g} Å on"
            return (
                f"{self.system.program} topology in vacuum, {ends}; Coulomb constant "
                f"{self.system.through_space.coulomb:.5f} kcal·Å/mol/e². vdw and electrostatic include 1-4 pairs"
            )
        if self.macromodel:
            stated = ", ".join(f"{energy:.4f}" for energy in self.macromodel)
            ends = f"ends at {self.vdw_cutoff:g} Å" if self.vdw_cutoff < math.inf else "does not end"
            return (
                f"MacroModel's own energy stands beside the structures: {stated} kJ/mol. It ends van der Waals at "
                f"{EXTENDED_CUTOFF:g} Å where it minimises (EXNB); here it {ends} (--vdw-cutoff; inf for nowhere)"
            )
        if self.reaches_further_than_macromodel:
            return (
                "Without a cutoff; MacroModel's totals end van der Waals at 7 Å, or 8 Å with EXNB: --vdw-cutoff 7 or 8"
            )
        return ""

    def __repr__(self) -> str:
        energies = ", ".join(f"{m.name} {energy:.4f}" for m, energy in zip(self.molecules, self.energies, strict=True))
        return f"Evaluated({shorten(energies, 90)}; energies in kcal/mol)"


def evaluate(
    force_field: Path,
    files: list[Path],
    *,
    cutoff: float = math.inf,
    vdw_cutoff: float | None = None,
    switch: float = math.inf,
    dielectric: float = Reach.dielectric,
) -> Evaluated:
    """Lay a force field over structures in their own geometry and list every interaction, where it has such.

    Pairs beyond `cutoff` [Å] are left out of an MM3* force field, and van der Waals interactions end about
    `vdw_cutoff` [Å] as MacroModel's do: by default at the 8 Å of its minimisations where it has stated its energy
    beside each structure, else nowhere. Of a topology all pairs but special ones end at `cutoff`, beyond which there is
    a reaction field of this `dielectric` constant, and van der Waals energies are switched off from `switch` [Å] on.
    Others have no cutoff: InputError is raised.
    """
    rules, molecules = opened(force_field, files)
    if isinstance(rules, Mm3Rules):
        stated = _stated(molecules)
        ends = vdw_cutoff if vdw_cutoff is not None else EXTENDED_CUTOFF if stated else math.inf
        assigned = rules.assign_lines(molecules, cutoff=cutoff, vdw_cutoff=ends)
        laid, listings = assigned.assignment, mm3_listings(molecules, assigned)
        found = _evaluated(molecules, laid.model, laid.topology, listings, assigned)
        return replace(found, vdw_cutoff=ends, macromodel=stated)
    reach = Reach(cutoff, switch, dielectric)
    if vdw_cutoff is not None or (reach != Reach() and not isinstance(rules, SystemRules)):
        raise InputError(
            f"{force_field}: only an MM3* force field, or the topology of one system, is evaluated with a cutoff; "
            "leave it out"
        )
    if isinstance(rules, SystemRules) and (reach != Reach() or too_many_pairs(rules.system.n_atoms, len(molecules))):
        return _in_stripes(rules.system, molecules, reach)
    if isinstance(rules, AbstractRowRules):
        laid = rules.assign(molecules)
        found = _evaluated(molecules, laid.model, laid.topology, row_listings(molecules, laid), None)
        return replace(found, system=next(iter(systems_of(rules)), None))
    return _evaluated(molecules, *rules.lay(molecules), [], None)


def _in_stripes(system: System, molecules: list[Molecule], reach: Reach) -> Evaluated:
    """Return the energies by kind of a system whose pairs are not listed. Raises InputError."""
    if reach.switch < math.inf and not 0.0 < reach.switch < reach.cutoff < math.inf:
        raise InputError(f"van der Waals energies are switched off from {reach.switch:g} Å on: give a larger --cutoff")
    model, topology = laid_in_stripes(system, molecules, reach)
    found = model.energies_by_kind(topology, jnp.asarray(np.concatenate([m.positions for m in molecules])))
    kinds = {kind: np.asarray(energies) / units.KILOJOULE for kind, energies in found.items()}
    listings = [
        Listing(
            name=molecule.name,
            file=molecule.source or molecule.name,
            types=system.types,
            charges=system.through_space.charges,
            totals_kj_mol=totals([], {kind: float(energies[k]) for kind, energies in kinds.items()}),
            interactions=(),
            omitted=frozenset(kinds),
        )
        for k, molecule in enumerate(molecules)
    ]
    return replace(_evaluated(molecules, model, topology, listings, None), system=system, reach=reach)


def _stated(molecules: list[Molecule]) -> tuple[float, ...]:
    """Return the MM3* energies [kJ/mol] that stand beside structures; none where one of them has none."""
    stated = [stated_energy(molecule) for molecule in molecules]
    known = tuple(energy for energy in stated if energy is not None)
    return known if len(known) == len(stated) else ()


def _evaluated(
    molecules: list[Molecule],
    model: AbstractModel,
    topology: Topology,
    listings: list[Listing],
    assigned: Mm3Assignment | None,
) -> Evaluated:
    if listings:
        found = np.array([one.totals_kj_mol[TOTAL] * units.KILOJOULE for one in listings])
    else:
        model = model.with_precision(jnp.float64)
        positions = jnp.asarray(np.concatenate([m.positions for m in molecules]))
        found = np.asarray(energies(model, topology, positions))
    return Evaluated(molecules, model, topology, found, listings, assigned)


def listed(evaluated: Evaluated, force_field: Path) -> list[Listing]:
    """Return every interaction of each structure. Raises InputError where the force field has none to list."""
    if not evaluated.listings:
        raise InputError(f"{force_field}: a neural model has no interactions to list; leave the listing out")
    if omitted := sorted({kind for one in evaluated.listings for kind in one.omitted}):
        raise InputError(
            f"{force_field}: the {', '.join(omitted)} interactions of such structures are too many to list; leave the "
            "listing out, or take a part of the system"
        )
    return evaluated.listings


def compared(evaluated: Evaluated, path: Path) -> Comparison:
    """Compare with a MacroModel listing of the one structure evaluated. Raises InputError but for MM3* force fields."""
    single(evaluated.molecules)
    if evaluated.assigned is None:
        raise InputError(f"{path}: a MacroModel listing is compared with an MM3* force field (.fld), not with others")
    return compare(evaluated.listings[0], read_mmo(path))


def forces_of(evaluated: Evaluated) -> list[Float[np.ndarray, "atoms 3"]]:
    """Return the forces on the atoms of each structure [kcal/mol/Å]."""
    positions = jnp.asarray(np.concatenate([m.positions for m in evaluated.molecules]))
    found = np.asarray(forces(evaluated.model, evaluated.topology, positions))
    return np.split(found, np.cumsum([m.n_atoms for m in evaluated.molecules])[:-1])


def judged(
    force_field: Path, files: list[Path], references: list[Path], transition_state: str, *, trust: bool = False
) -> tuple[list[Example], Judgement]:
    """Judge a force field against QM at the reference geometries, after a policy for transition states.

    Structures and references are paired in sorted order.
    """
    policy = policy_named(transition_state)
    rules, molecules = opened(force_field, sorted(files))
    found = read_files(references, trust=trust)
    if len(found) != len(molecules):
        raise InputError(
            f"{len(molecules)} structure(s) but {len(found)} reference(s); they are paired in sorted order"
        )
    examples = []
    for molecule, reference in zip(molecules, found, strict=True):
        paired = pair(molecule, reference)
        treated = None
        if paired.hessian is not None:
            masses = standard_masses(paired.species) if paired.masses is None else paired.masses
            treated = treat(paired.hessian, paired.positions, masses, policy, name=molecule.name)
        examples.append(Example(molecule, paired, treated, group_of(molecule, paired, None)))
    model, topology = rules.lay(molecules)
    return examples, judge(model.with_precision(jnp.float64), training_set(topology, examples), examples)


def modes(force_field: Path, file: Path) -> Vibrations:
    """Return the frequencies and modes of one structure in its own geometry, from the exact Hessian."""
    laid = _one_laid(force_field, file)
    return _modes_at(laid, jnp.asarray(single(laid.molecules).positions))


def modes_of_part(force_field: Path, file: Path, atoms: str) -> Vibrations:
    """Return the frequencies and modes of some atoms of a system, such as "1-40,52", while the others are fixed.

    Raises InputError for force fields that are of no one system, and for other atoms.
    """
    rules, molecules = opened(force_field, [file])
    if not isinstance(rules, SystemRules):
        raise InputError(f"{force_field}: modes of some atoms (--atoms) are those of a topology; leave --atoms out")
    molecule = single(molecules)
    chosen = _chosen(atoms, molecule.n_atoms)
    model, topology = laid_in_stripes(rules.system, molecules)
    hessian = np.asarray(model.block(topology, jnp.asarray(molecule.positions), chosen))
    masses = standard_masses(molecule.species) if molecule.masses is None else molecule.masses
    weights = np.repeat(1.0 / np.sqrt(masses[chosen]), 3)
    return Vibrations(*np.linalg.eigh(weights[:, None] * hessian * weights))


def _chosen(atoms: str, n_atoms: int) -> Int[np.ndarray, " chosen"]:
    """Return the atoms of numbers such as "1-40,52". Raises InputError."""
    found: set[int] = set()
    for part in atoms.split(","):
        first, _, last = (word.strip() for word in part.partition("-"))
        if (
            not first.isdecimal()
            or not (last or first).isdecimal()
            or not 1 <= int(first) <= int(last or first) <= n_atoms
        ):
            raise InputError(f'--atoms "{atoms}": numbers from 1 to {n_atoms} are expected, such as "1-40,52"')
        found.update(range(int(first) - 1, int(last or first)))
    return np.array(sorted(found))


def relaxed_modes(force_field: Path, file: Path, *, saddle: bool = False) -> tuple[Vibrations, Relaxed]:
    """Return the same at the nearest minimum of the force field, or saddle, and how the relaxation went."""
    laid = _one_laid(force_field, file)
    molecule = single(laid.molecules)
    start = jnp.asarray(molecule.positions)
    limits = Limits(bonds=molecule.bonds)
    found = relax(laid.model, laid.topology, start, order=np.array([int(saddle)]), limits=limits)
    return _modes_at(laid, found.positions), found


def _one_laid(force_field: Path, file: Path) -> Laid:
    """Return a force field laid over one structure, in double precision. Raises InputError for several."""
    rules, molecules = opened(force_field, [file])
    model, topology = rules.lay([single(molecules)])
    return Laid(molecules, model.with_precision(jnp.float64), topology)


def _modes_at(laid: Laid, positions: Float[Array, "atoms 3"]) -> Vibrations:
    hessian = np.asarray(hessians(laid.model, laid.topology, positions))[0]
    molecule = single(laid.molecules)
    masses = standard_masses(molecule.species) if molecule.masses is None else molecule.masses
    return vibrations(hessian, np.asarray(positions), masses)


def relaxation_summary(found: Relaxed) -> dict[str, Any]:
    """Return how the relaxation of one molecule went, for JSON."""
    return {
        "failure": Failure(int(found.failure[0])).sentence or None,
        "iterations": int(found.n_iterations[0]),
        "gradient_max_kcal_mol_a": float(found.gradient_max[0]),
        "rmsd_a": float(found.rmsd[0]),
        "energy_kcal_mol": float(found.landscape.energy[0]),
        "positions_a": np.asarray(found.positions).tolist(),
    }


def relaxation_sentence(found: Relaxed) -> str:
    """Say how the relaxation of one molecule went."""
    went = relaxation_summary(found)
    return (
        f"Relaxed in {went['iterations']} steps to a largest gradient of {went['gradient_max_kcal_mol_a']:.1e} "
        f"kcal/mol/Å, {went['rmsd_a']:.4f} Å (RMSD) from the file's geometry"
    )
