"""A force field generated for given molecules: rows made from their own atom types."""

from itertools import pairwise

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield import units
from forgefield.assign.assignment import Assignment, require_connected
from forgefield.assign.charge_rule import lay_charges
from forgefield.assign.environments import environment_types
from forgefield.assign.gathered import Rows
from forgefield.assign.geometry_classes import Named, skipped_chains
from forgefield.assign.instances import KINDS, Kind, Types
from forgefield.assign.nonbonded import all_distant_pairs, pair_scales, type_parameters
from forgefield.models.forcefield import ForceField
from forgefield.molecules.bonds import double
from forgefield.molecules.measure import angles, elevations, lengths
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions, union
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term

STRETCH_CONSTANT = 5.0 * units.MILLIDYNE_PER_ANGSTROM
"""Where nothing better is known [kcal/mol/Å²]."""
BEND_CONSTANT = 0.5 * units.MILLIDYNE_PER_ANGSTROM
"""Where nothing better is known [kcal/mol/rad²]."""
STRAIGHT = 5.0 * units.DEGREE
"""A mean angle this close to 180° is taken as 180°: about any other, a bend has no force out of its plane."""
_NEARLY_STRAIGHT = 10.0 * units.DEGREE
"""Across an angle this close to 180° torsions are switched off."""
_STRAIGHT_CHAIN = 20.0 * units.DEGREE
"""Of a straight chain angles are this close to 180°; that of carbodiimides is bent by some 10°."""
_BENT = {
    "torsion": ([0, 1, 2], [1, 2, 3]),
    "stretch_bend": ([0, 1, 2],),
    "bend_bend": ([1, 0, 2], [3, 0, 4]),
    "bend_torsion_bend": ([0, 1, 2], [1, 2, 3]),
}
"""Angles of each kind of interaction that must not be straight."""
_OF_BONDS = {"stretch_bend": (0, 1), "stretch_stretch": (0, 1), "stretch_stretch_13": (0, 2)}
"""Where in the chains of couplings the bonds begin that they couple."""
_NOT_FLAT = 3.0 * units.DEGREE
"""A centre whose three angles lack more of 360° is not planar, unless its bonds are as close to one plane."""


def generate(
    molecules: list[Molecule],
    terms: tuple[Term, ...],
    *,
    depth: int | None = None,
    van_der_waals: Term | None = None,
    charging: Term | None = None,
) -> Assignment:
    """Return a force field made of these terms with one row for each combination of environment types (which see).

    Stretches and bends must come first in `terms`, since others borrow their reference values. Reference lengths and
    angles are the means over the molecules; force constants are 5 mdyn/Å and ½ mdyn·Å/rad² until something better is
    estimated; cross terms and torsions are zero. Left out are torsions and couplings of bends whose row has a straight
    angle, couplings along a half bond, and out-of-plane terms whose row has a centre that is not planar. Torsions about
    straight chains of double bonds skip the chain, as in allene. What types cannot tell apart has rows by classes of
    angles and by what is opposite a bond (`Named`). `van_der_waals` takes its parameters from UFF and acts between
    atoms at least three bonds apart (with terms of OPLS three apart by half); so do charges, which follow from
    `charging`, a bond moment or a bond charge increment, and are those of an even spread until something better is
    known. Raises InputError for a molecule in more than one piece.
    """
    require_connected(molecules)
    types, descriptions = environment_types(molecules, depth)
    offsets = np.cumsum([0, *(m.n_atoms for m in molecules)])
    flat_types = tuple(t for of_molecule in types for t in of_molecule)
    named = Named.over(molecules, flat_types)
    half = {
        frozenset((bond + start).tolist())
        for m, start in zip(molecules, offsets[:-1], strict=True)
        for bond in m.bonds[(m.orders > 0.0) & (m.orders < 1.0)]
    }
    gathered = Rows()
    interactions = []
    for term in terms:
        kind = KINDS[term.kind]
        atoms = np.concatenate([kind.find(m) + start for m, start in zip(molecules, offsets[:-1], strict=True)])
        sound = meaningful(term.kind, atoms, named.positions) & ~_loose(term.kind, atoms, half)
        sound &= hindered(term.kind, atoms, molecules)
        interactions.append(_interactions(term, kind, (atoms, sound), named, gathered))
    if van_der_waals is not None:
        terms = (*terms, van_der_waals)
        for name, values in sorted(type_parameters(molecules, types).items()):
            gathered.add(van_der_waals, (name,), values)
        pairs = all_distant_pairs(molecules), pair_scales(molecules, terms)
        interactions.append(_pairs(van_der_waals, pairs, flat_types, gathered))
    rule = None
    if charging is not None:
        terms = (*terms, COULOMB)
        rule, acting = lay_charges(molecules, flat_types, charging, gathered, {}, pair_scales(molecules, terms))
        interactions.append(acting)
    present = [t for t, group in enumerate(interactions) if len(group.atoms)]
    return Assignment(
        model=ForceField(tuple(terms[t] for t in present), jax.device_put(np.array(gathered.values))),
        topology=union([m.species for m in molecules], tuple(interactions[t] for t in present), rule),
        rows=tuple(gathered.rows),
        types=tuple(types),
        descriptions=descriptions,
        classes=named.classes,
    )


def _interactions(
    term: Term,
    kind: Kind,
    found: tuple[Int[np.ndarray, "interactions order"], Bool[np.ndarray, " interactions"]],
    named: Named,
    gathered: Rows,
) -> Interactions:
    """Make the rows of one term, found where it may act and where that makes sense, and return its interactions."""
    atoms, sound = found
    keys, positions = [named(term.kind, chain) for chain in atoms.tolist()], named.positions
    senseless = {key for key, fine in zip(keys, sound, strict=True) if not fine}
    # By row, so that rows say by themselves where terms act, over whatever the force field is laid later.
    kept = np.array([key not in senseless for key in keys], dtype=bool)
    keys, atoms = [key for key in keys if key not in senseless], atoms[kept]
    acting = atoms if kind.acts_on is None else atoms[:, kind.acts_on]
    members: dict[Types, list[int]] = {}
    for place, key in enumerate(keys):
        members.setdefault(key, []).append(place)
    for key in sorted(members):
        gathered.add(term, key, _start(term, positions[acting[members[key]]]))
    parameters = [
        gathered.known[term.kind, key].indices + _borrowed(kind, chain, named, gathered)
        for key, chain in zip(keys, atoms.tolist(), strict=True)
    ]
    return Interactions(
        atoms=acting.reshape(-1, term.order),
        parameters=np.array(parameters, dtype=np.int64).reshape(-1, len(term.parameters)),
    )


def meaningful(
    kind: str, atoms: Int[np.ndarray, "interactions order"], positions: Float[np.ndarray, "atoms 3"]
) -> Bool[np.ndarray, " interactions"]:
    """Say where an interaction of a kind makes sense.

    No torsion goes across a straight angle; nothing is coupled to one, which cannot grow; centres are flat.
    """
    if kind in _BENT:
        bent = [angles(positions[atoms[:, part]]) < np.pi - _NEARLY_STRAIGHT for part in _BENT[kind]]
        return np.all(bent, axis=0)
    if kind == "out_of_plane":
        around = [angles(positions[atoms[:, part]]) for part in ([0, 1, 2], [0, 1, 3], [2, 1, 3])]
        # Where all three lie to one side, as in ClF₃, angles do not add up to 360°.
        level = np.abs(elevations(positions[atoms])) < np.sin(_NOT_FLAT)
        return level | (np.sum(around, axis=0) > 2.0 * np.pi - _NOT_FLAT)
    return np.ones(len(atoms), dtype=bool)


def _loose(
    kind: str, atoms: Int[np.ndarray, "interactions order"], half: set[frozenset[int]]
) -> Bool[np.ndarray, " interactions"]:
    """Say which couplings are along a half bond, whose stretch may have no constant to hold against them.

    Two half bonds are coupled: that tells a bond which forms as another one breaks from both forming.
    """
    if kind not in _OF_BONDS:
        return np.zeros(len(atoms), dtype=bool)
    loose = [[frozenset(chain[k : k + 2]) in half for k in _OF_BONDS[kind]] for chain in atoms.tolist()]
    alike = kind != "stretch_bend"
    return np.array([any(one) and not (alike and all(one)) for one in loose], dtype=bool)


def hindered(
    kind: str, atoms: Int[np.ndarray, "interactions order"], molecules: list[Molecule]
) -> Bool[np.ndarray, " interactions"]:
    """Say which interactions of the batch are no torsions, are along bonds, or about straight chains of double bonds.

    These hold what is at both ends in a plane or across: those of cumulenes do, not those of alkynes.
    """
    skipped = skipped_chains(molecules) if kind == "torsion" else {}
    chains = {(j, k): (j, *skipped[j, k], k) for _, j, k, _ in atoms.tolist() if (j, k) in skipped} if skipped else {}
    if not chains:
        return np.ones(len(atoms), dtype=bool)
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1]
    species, positions = (np.concatenate([getattr(m, name) for m in molecules]) for name in ("species", "positions"))
    whole = np.concatenate([m.bonds[m.orders >= 1.0] + start for m, start in zip(molecules, starts, strict=True)])
    bonds = {frozenset(bond) for bond in whole.tolist()}
    stiff = {frozenset(bond) for bond in whole[double(species, positions, whole)].tolist()}

    def held(chain: tuple[int, ...]) -> bool:
        along = [frozenset(pair) for pair in pairwise(chain)]
        bends = angles(positions[np.lib.stride_tricks.sliding_window_view(chain, 3)])
        straight = bends.min() > np.pi - _STRAIGHT_CHAIN
        return bool(straight and bonds.issuperset(along) and stiff.issuperset((along[0], along[-1])))

    hold = {ends: held(chain) for ends, chain in chains.items()}
    return np.array([hold.get((j, k), True) for _, j, k, _ in atoms.tolist()], dtype=bool)


def _pairs(
    term: Term,
    found: tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, " pairs"]],
    types: Types,
    gathered: Rows,
) -> Interactions:
    """Return the interactions of a term that takes one row from each of its two atoms, and the scale of the pair."""
    pairs, scales = found
    places = gathered.constants(scales).tolist()
    own = {name: gathered.known[term.kind, (name,)].indices for name in set(types)}
    parameters = [(*own[types[i]], *own[types[j]], scale) for (i, j), scale in zip(pairs, places, strict=True)]
    return Interactions(atoms=pairs, parameters=np.array(parameters, dtype=np.int64).reshape(-1, len(term.parameters)))


def _borrowed(kind: Kind, chain: list[int], named: Named, gathered: Rows) -> tuple[int, ...]:
    """Return where the parameters stand that an interaction takes from other rows."""
    return tuple(
        gathered.known[other.kind, named(other.kind, [chain[p] for p in other.places])].indices[other.parameter]
        for other in kind.borrows
    )


def _start(term: Term, x: Float[np.ndarray, "members order 3"]) -> tuple[float, ...]:
    """Return the values a row starts with: the mean geometry and customary force constants."""
    if term.kind == "stretch":
        return STRETCH_CONSTANT, float(lengths(x).mean())
    if term.kind == "bend":
        mean = float(angles(x).mean())
        return BEND_CONSTANT, np.pi if np.pi - mean < STRAIGHT else mean
    if term.kind == "urey_bradley":
        return 0.0, float(lengths(x).mean())
    return (0.0,) * term.n_own
