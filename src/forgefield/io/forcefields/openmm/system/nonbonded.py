"""OpenMM's forces between all pairs of atoms."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.explicit.system import Stated, ThroughSpace
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.system import recognised
from forgefield.io.forcefields.openmm.system.bonded import constants_of, parameter_names
from forgefield.io.forcefields.openmm.system.elements import atoms, children, numbers
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.expressions.evaluation import NUMPY, require_understood, value
from forgefield.terms.expressions.language import parsed
from forgefield.terms.nonbonded import LENNARD_JONES, LENNARD_JONES_GEOMETRIC, LENNARD_JONES_PAIR
from forgefield.terms.term import Term

COULOMB = 138.93545764438198 * units.KILOJOULE * units.NANOMETRE
"""kcal·Å/mol/e², from the constant in OpenMM's source in kJ·nm/mol/e²."""
MINIMUM = 2.0 ** (1.0 / 6.0)
"""Distance of the minimum of a Lennard-Jones by σ."""
_METHODS = ("NoCutoff", "CutoffNonPeriodic", "CutoffPeriodic", "Ewald", "PME", "LJPME")
_SAME = 1e-6
"""Relative; values of pairs that differ by more from those that their atoms combine to are their own."""
_SCALE_DECIMALS = 9


@dataclass
class Pairs:
    """What is known of the pairs of atoms while forces are read."""

    n_atoms: int
    term: Term = LENNARD_JONES
    parameters: Float[np.ndarray, "atoms 2"] = field(init=False)
    charges: Float[np.ndarray, " atoms"] = field(init=False)
    scales: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    """Of van der Waals and electrostatic energy of pairs that are special."""
    own: list[Stated] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parameters, self.charges = np.zeros((self.n_atoms, 2)), np.zeros(self.n_atoms)

    @property
    def taken(self) -> bool:
        """Whether some force has stated the van der Waals values of atoms."""
        return bool(self.parameters[:, 1].any())

    def rescale(self, pairs: Any, kind: int, scales: Any) -> None:
        """Set the scales of pairs for van der Waals (0) or electrostatic energy (1)."""
        for pair, scale in zip(map(tuple, np.sort(pairs, axis=1).tolist()), scales.tolist(), strict=True):
            self.scales.setdefault(pair, [1.0, 1.0])[kind] = scale

    def through_space(self) -> ThroughSpace:
        """Return what acts between all pairs."""
        special = sorted(self.scales)
        scales = np.array([self.scales[pair] for pair in special]).reshape(-1, 2)
        pairs = np.array(special, dtype=np.int64).reshape(-1, 2)
        return ThroughSpace(self.term, self.parameters, self.charges, COULOMB, pairs, scales)


def require_no_cutoff(force: Element) -> None:
    """Raise InputError for a force with another treatment of distant pairs than to compute all of them."""
    method = int(numbers([force], ("method",))[0, 0])
    if method:
        name = _METHODS[method] if method < len(_METHODS) else str(method)
        raise InputError(
            f"has the method {name} for pairs of atoms, where ForgeField has no cutoff, nor PME: make the System with "
            "nonbondedMethod=NoCutoff"
        )


def standard(force: Element, pairs: Pairs) -> None:
    """Read a NonbondedForce: charges, Lennard-Jones of atoms and exceptions."""
    require_no_cutoff(force)
    if any(children(force, f"{name}Offsets", "Offset") for name in ("Particle", "Exception")):
        raise InputError("has offsets of parameters, which are not translated")
    charge, sigma, depth = numbers(children(force, "Particles", "Particle"), ("q", "sig", "eps")).T
    if len(charge) != pairs.n_atoms:
        raise InputError(f"is of {len(charge)} atoms, but the System has {pairs.n_atoms}")
    if depth.any() and pairs.taken:
        raise InputError("is a second Lennard-Jones of all atoms, which is not translated")
    if pairs.charges.any():
        raise InputError("is a second one, which is not translated")
    acts = depth > 0.0
    pairs.charges = charge
    if acts.any():
        pairs.parameters = np.stack(
            [np.where(acts, 0.5 * MINIMUM * sigma * units.NANOMETRE, 0.0), depth * units.KILOJOULE], 1
        )
    exceptions = children(force, "Exceptions", "Exception")
    chosen = atoms(exceptions, ("p1", "p2"), pairs.n_atoms)
    product, sigma, depth = numbers(exceptions, ("q", "sig", "eps")).T
    pairs.rescale(chosen, 1, _scales_of_charges(chosen, product, charge))
    radius, depth = MINIMUM * sigma * units.NANOMETRE, depth * units.KILOJOULE
    of_atoms = pairs.parameters[chosen]
    wanted = of_atoms[:, :, 0].sum(axis=1), np.sqrt(of_atoms[:, :, 1].prod(axis=1))
    alike = (wanted[1] > 0.0) & (np.abs(radius - wanted[0]) <= _SAME * radius)
    scales = np.where(alike, depth / np.where(alike, wanted[1], 1.0), 0.0)
    if acts.any():
        pairs.rescale(chosen, 0, scales.round(_SCALE_DECIMALS))
    rest = (depth > 0.0) & ~alike
    pairs.own.append(Stated(LENNARD_JONES_PAIR, chosen[rest], np.stack([radius, depth], axis=1)[rest]))


def _scales_of_charges(
    chosen: Int[np.ndarray, "pairs 2"], product: Float[np.ndarray, " pairs"], charge: Float[np.ndarray, " atoms"]
) -> Float[np.ndarray, " pairs"]:
    """Return by what the products of charges are multiplied in exceptions."""
    whole = charge[chosen].prod(axis=1)
    lone = (whole == 0.0) & (product != 0.0)
    if lone.any():
        i, j = (chosen[lone][0] + 1).tolist()
        raise InputError(f"has an exception of atoms {i} and {j} with a charge product where the atoms have no charges")
    return (product / np.where(whole == 0.0, 1.0, whole)).round(_SCALE_DECIMALS)


def custom(force: Element, pairs: Pairs) -> None:
    """Read a CustomNonbondedForce: a Lennard-Jones in any form, or any other expression pair by pair."""
    require_no_cutoff(force)
    for group, tag in (("InteractionGroups", "InteractionGroup"), ("ComputedValues", "ComputedValue")):
        if children(force, group, tag):
            raise InputError(f"has {tag}s, which are not translated")
    names = parameter_names(force, "PerParticleParameters")
    values = numbers(children(force, "Particles", "Particle"), [f"param{k}" for k in range(1, len(names) + 1)])
    if len(values) != pairs.n_atoms:
        raise InputError(f"is of {len(values)} atoms, but the System has {pairs.n_atoms}")
    excluded = atoms(children(force, "Exclusions", "Exclusion"), ("p1", "p2"), pairs.n_atoms)
    # A column of zeros: there may be no parameters.
    padded = np.pad(values, ((0, 0), (0, 1)))
    distinct, kind = np.unique(padded, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    of_kinds = np.array(list(combinations_with_replacement(range(len(distinct)), 2)))
    found = recognised.lennard_jones(_sampled(force, names, distinct[of_kinds]), len(of_kinds))
    i, j = _all_but(pairs.n_atoms, excluded)
    if found is None:
        _expressed(force, pairs, names, (values, np.stack([i, j], axis=1)))
        return
    table = np.zeros((len(distinct), len(distinct), 2))
    table[of_kinds[:, 0], of_kinds[:, 1]] = table[of_kinds[:, 1], of_kinds[:, 0]] = found
    stated = table[kind[i], kind[j]]
    differs = np.ones(len(i), dtype=bool)
    if not pairs.taken:
        own = table.diagonal().T * [0.5, 1.0]
        pairs.term, same = _combination(own, table)
        pairs.parameters = own[kind]
        pairs.rescale(excluded, 0, np.zeros(len(excluded)))
        differs = ~same[kind[i], kind[j]]
        apart = np.stack([i, j], axis=1)[differs]
        pairs.rescale(apart, 0, np.zeros(len(apart)))
    kept = differs & (stated[:, 1] > 0.0)
    pairs.own.append(Stated(LENNARD_JONES_PAIR, np.stack([i, j], axis=1)[kept], stated[kept]))


def _all_but(n_atoms: int, excluded: Int[np.ndarray, "pairs 2"]) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """Return all pairs of atoms that are not excluded."""
    acts = np.triu(np.ones((n_atoms, n_atoms), dtype=bool), 1)
    acts[tuple(np.sort(excluded, axis=1).T)] = False
    i, j = np.nonzero(acts)
    return i, j


def _combination(own: np.ndarray, table: np.ndarray) -> tuple[Term, np.ndarray]:
    """Return the Lennard-Jones whose rule of combination holds for more pairs of kinds, and for which."""
    depth = np.sqrt(own[:, None, 1] * own[None, :, 1])
    best: tuple[Term, np.ndarray] | None = None
    for term, radius in (
        (LENNARD_JONES, own[:, None, 0] + own[None, :, 0]),
        (LENNARD_JONES_GEOMETRIC, 2.0 * np.sqrt(own[:, None, 0] * own[None, :, 0])),
    ):
        wanted = np.stack([radius, depth], axis=2)
        same = (np.abs(wanted - table) <= _SAME * np.abs(table)).all(axis=2) | ((depth == 0.0) & (table[..., 1] == 0.0))
        if best is None or same.sum() > best[1].sum():
            best = term, same
    assert best is not None
    return best


def _sampled(
    force: Element, names: tuple[str, ...], values: Float[np.ndarray, "pairs 2 parameters"]
) -> recognised.Sampled:
    """Return the energies of pairs of kinds as a function of the distance."""
    tree, constants = parsed(force.get("energy", "")), constants_of(force)
    tables = dict(_tables(force))
    own = {f"{name}{end + 1}": values[:, end, [k]] for k, name in enumerate(names) for end in (0, 1)}
    require_understood(tree, {"r", *own, *dict(constants)}, 0, tables)

    def energies(distance: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = value(tree, {**dict(constants), **own, "r": distance}, {**NUMPY, **tables})
        return np.broadcast_to(found, distance.shape)

    return energies


def _tables(force: Element) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of whole numbers that a force tabulates. Raises InputError for others."""
    for element in children(force, "Functions", "Function"):
        sizes = {"Discrete1DFunction": (), "Discrete2DFunction": ("xsize", "ysize")}.get(element.get("type", ""))
        if sizes is None:
            raise InputError(f"has the tabulated function {element.get('name')} ({element.get('type')})")
        held = numbers(children(element, "Values", "Value"), "v")[:, 0]
        shape = tuple(int(size) for size in numbers([element], sizes)[0]) if sizes else held.shape
        if int(np.prod(shape)) != len(held):
            raise InputError(f"has the tabulated function {element.get('name')} with {len(held)} values, not {shape}")
        yield element.get("name", ""), _lookup(held.reshape(shape[::-1]))


def _lookup(held: np.ndarray) -> Callable[..., Any]:
    """Return what looks whole numbers up in a table, in which the first of them runs fastest."""

    def found(*places: np.ndarray) -> np.ndarray:
        at = [np.rint(np.asarray(place)).astype(int) for place in reversed(places)]
        if len(at) != held.ndim or any((a < 0).any() or (a >= n).any() for a, n in zip(at, held.shape, strict=True)):
            raise InputError("looks up places in a tabulated function that it does not have")
        return held[tuple(at)]

    return found


def _expressed(
    force: Element, pairs: Pairs, names: tuple[str, ...], acting: tuple[np.ndarray, Int[np.ndarray, "pairs 2"]]
) -> None:
    """Enter an expression for each pair."""
    if children(force, "Functions", "Function"):
        raise InputError("has tabulated functions in an energy that is no Lennard-Jones, which are not translated")
    values, chosen = acting
    own = tuple(f"{name}{end}" for end in (1, 2) for name in names)
    term = custom_term(f"{force.get('energy', '')};r=distance(p1,p2)", "vdw", 2, own, constants_of(force))
    stated = (
        np.concatenate([values[chosen[:, 0]], values[chosen[:, 1]]], axis=1) if names else np.zeros((len(chosen), 1))
    )
    pairs.own.append(Stated(term, chosen, stated))
