"""Where a fit starts: force constants estimated from the reference Hessians, priors about them, what is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.charge_rule import CHARGING
from forgefield.assign.measured import twisted
from forgefield.errors import InputError
from forgefield.estimating.bond_charges import nearest_moments
from forgefield.estimating.coupling_widths import smallest_width
from forgefield.estimating.linear import (
    LinearSystem,
    eigenmatrix_system,
    refit_with_negatives_held,
    shrunk_least_squares,
)
from forgefield.estimating.row_statistics import RowStatistics, estimate_rows
from forgefield.estimating.seminario import Approximation, Method, estimate, replace_negative
from forgefield.estimating.transition_state import E, Treated
from forgefield.fitting.cost.cost import Prior
from forgefield.fitting.data.training_set import Example
from forgefield.io.selection import selected_rows
from forgefield.jobs.fit.plan.plan import Changing, Estimate, Kept, Linear, Widths
from forgefield.models.rows import Row
from forgefield.models.trainable import Tie, Trainable, trainable
from forgefield.molecules.molecule import Molecule
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.term import Parameter

_BARRIER = 1.0
"""kcal/mol; about as large as torsional constants are."""
_SOFT = 1000.0
"""cm⁻¹: modes below it are those in which barriers show."""
_UNCERTAIN = 100.0
"""cm⁻¹; about as far off as frequencies are with constants of stretches and bends that were read off a Hessian."""
_SMALLEST_MOMENT = 0.1 * units.DEBYE
_SMALLEST_INCREMENT = 0.02
"""e, of a bond of 1 Å with that moment."""
_ODD = ("v1", "v3", "v5")
"""Constants of cosines that differ at 0° and 180°."""


@dataclass(frozen=True, eq=False)
class Estimated:
    """Starting values and what is worth saying of them."""

    values: Float[np.ndarray, " parameters"]
    warnings: tuple[str, ...]
    spread: dict[str, RowStatistics] = field(default_factory=dict)
    """For each kind that was read off Hessians, how its constants vary among the interactions of a row, by place."""
    negative: dict[int, float] = field(default_factory=dict)
    """What was estimated where it is negative, by place."""


def estimated(
    assignment: Assignment,
    examples: list[Example],
    method: Estimate,
    rows: tuple[Row, ...],
    *,
    left_out: frozenset[int] = frozenset(),
) -> Estimated:
    """Return the values of a force field with the stretch and bend constants of these rows replaced by estimates.

    A row's constant is the mean over all its interactions in all molecules but those that are `left_out`, by their
    number; rows of these alone keep their values. A negative mean is reported. What gives the atoms of a generated
    force field charges is fitted to those of the references in any case.
    """
    assignment = with_values(assignment, _charged(assignment, examples, left_out))
    values = np.array(assignment.model.values)
    if isinstance(method, Kept):
        return Estimated(values, ())
    if isinstance(method, Linear):
        return Estimated(_linear(assignment, examples, rows, left_out), ())
    found: dict[str, list[np.ndarray]] = {"stretch": [], "bend": []}
    places: dict[str, list[np.ndarray]] = {"stretch": [], "bend": []}
    starts = np.flatnonzero(np.diff(np.asarray(assignment.topology.molecule), prepend=-1))
    for m, (example, start) in enumerate(zip(examples, starts, strict=True)):
        if m in left_out:
            continue
        groups = {kind: _of_molecule(assignment, kind, m) for kind in found}
        result = _of_example(method, example, groups["stretch"][0] - start, groups["bend"][0] - start)
        for kind, constants in zip(found, result, strict=True):
            found[kind].append(constants)
            places[kind].append(groups[kind][1])
    wanted = np.array([row.indices[0] for row in rows if row.term.kind in found], dtype=np.int64)
    warnings, spread, below = [], {}, {}
    for kind, constants in found.items():
        row = np.concatenate(places[kind])
        statistics = spread[kind] = estimate_rows(np.concatenate(constants), row, len(values))
        used = np.intersect1d(row, wanted)
        values[used] = statistics.mean[used]
        negative = [int(place) for place in used if statistics.mean[place] < 0.0]
        # At zero a force constant sits on its bound, and the frequency of its mode has no derivative.
        values[negative] = np.maximum(np.abs(values[negative]), smallest_width(kind))
        below |= {p: float(statistics.mean[p]) for p in negative}
        if negative:
            names = ", ".join(
                f"{_name(assignment.rows, p)} ({statistics.mean[p]:.1f}, written as {values[p]:.1f})" for p in negative
            )
            warnings.append(f"the estimate gives negative {kind} constants, replaced by their magnitude: {names}")
    if not isinstance(method, Approximation):
        values = _with_barriers(with_values(assignment, values), examples, rows, left_out)
    return Estimated(values, tuple(warnings), spread, below)


def _with_barriers(
    assignment: Assignment, examples: list[Example], rows: tuple[Row, ...], left_out: frozenset[int]
) -> Float[np.ndarray, " parameters"]:
    """Return the values with barriers that were made, not read, from what Hessians say of them in soft modes."""
    values, flat = np.array(assignment.model.values), _flat(assignment, examples, rows)
    chosen = [
        (place, parameter)
        for row in rows
        if row.term.kind in ("torsion", "out_of_plane") and row.line is None
        for p, (place, parameter) in enumerate(zip(row.indices, row.term.own, strict=True))
        if _is_barrier(parameter) and row.parameter_name(p) not in flat
    ]
    soft = [None if m in left_out else _soft(example.treated) for m, example in enumerate(examples)]
    if chosen and any(one is not None and len(one.eigenvalues) for one in soft):
        places, lower, width = _unknowns(chosen)
        system = _system(assignment, examples, places, soft)
        values[places] = shrunk_least_squares(system, lower, width, least=_UNCERTAIN).values
    return values


def _is_barrier(parameter: Parameter) -> bool:
    return parameter.name.startswith("v")


def _unknowns(
    chosen: list[tuple[int, Parameter]],
) -> tuple[Int[np.ndarray, " constants"], Float[np.ndarray, " constants"], Float[np.ndarray, " constants"]]:
    """Return the places of constants, their lowest values, and how large they usually are, infinite where unknown."""
    places = np.array([place for place, _ in chosen], dtype=np.int64)
    lower = np.array([parameter.minimum for _, parameter in chosen])
    return places, lower, np.array([_BARRIER if _is_barrier(parameter) else np.inf for _, parameter in chosen])


def _soft(treated: Treated | None) -> Treated | None:
    """Return a Hessian with the modes alone that barriers move."""
    if treated is None:
        return None
    soft = np.abs(treated.frequencies) < _SOFT
    return replace(treated, eigenvalues=treated.eigenvalues[soft], vectors=treated.vectors[:, soft])


def _charged(
    assignment: Assignment, examples: list[Example], left_out: frozenset[int]
) -> Float[np.ndarray, " parameters"]:
    """Return the values with the bond moments or increments that were made, not read, nearest to reference charges."""
    values, rule = np.array(assignment.model.values), assignment.topology.charges
    if rule is None or any(row.line is not None for row in assignment.rows if row.term.kind in CHARGING):
        return values
    counts = [m not in left_out and one.charges is not None for m, one in enumerate(examples)]
    known = np.array(counts)[np.asarray(assignment.topology.molecule)]
    charges = [np.zeros(one.molecule.n_atoms) if one.charges is None else one.charges for one in examples]
    places, moments = nearest_moments(rule, values, np.concatenate(charges), known)
    values[places] = moments
    return values


def _of_molecule(assignment: Assignment, kind: str, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the atoms of a molecule's stretches or bends and the places of their force constants."""
    molecule = np.asarray(assignment.topology.molecule)
    order = {"stretch": 2, "bend": 3}[kind]
    atoms, places = [np.zeros((0, order), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if term.kind == kind:
            inside = molecule[np.asarray(group.atoms)[:, 0]] == m
            # Behind a term's own atoms may stand the parents of shifted centres.
            atoms.append(np.asarray(group.atoms)[inside, :order])
            places.append(np.asarray(group.parameters)[inside, 0])
    return np.concatenate(atoms), np.concatenate(places)


def _of_example(method: Method, example: Example, pairs: np.ndarray, triples: np.ndarray) -> tuple:
    """Estimate the constants of one molecule; without a Hessian, the customary ones.

    Under policy E those that come out negative are estimated under its C instead.
    """
    treated, reference = example.treated, example.reference
    where = reference.positions, reference.species, pairs, triples
    if treated is None:
        result = estimate(Approximation(), None, *where)
        return result.bond_k, result.angle_k
    result = estimate(method, treated.hessian, *where)
    if isinstance(example.policy, E) and example.is_saddle:
        under_c = example.under(example.policy.c).treated
        assert under_c is not None
        result = replace_negative(result, estimate(method, under_c.hessian, *where))
    return result.bond_k, result.angle_k


def _linear(
    assignment: Assignment, examples: list[Example], rows: tuple[Row, ...], left_out: frozenset[int]
) -> Float[np.ndarray, " parameters"]:
    """Return the values with all constants solved for that the Hessian is linear in."""
    lacking = ", ".join(e.molecule.name for e in examples if e.treated is None)
    if lacking:
        raise InputError(f'estimate = "linear" needs a Hessian for every molecule; there is none for {lacking}')
    places, lower, width = _unknowns(
        [
            (place, parameter)
            for row in rows
            if row.term.kind not in ("vdw", *CHARGING)
            for place, parameter in zip(row.indices, row.term.own, strict=True)
            if parameter.name not in ("r0", "theta0", "phi0")
        ]
    )

    def system(examples: list[Example]) -> LinearSystem:
        treated = [None if m in left_out else example.treated for m, example in enumerate(examples)]
        return _system(assignment, examples, places, treated)

    values = np.array(assignment.model.values)
    if any(isinstance(e.policy, E) and e.is_saddle for e in examples):
        under_c = system([e.under(e.policy.c) if isinstance(e.policy, E) else e for e in examples])
        held = shrunk_least_squares(under_c, lower, width).values
        values[places] = refit_with_negatives_held(system(examples), lower, held).values
    else:
        values[places] = shrunk_least_squares(system(examples), lower, width).values
    return values


def _system(
    assignment: Assignment,
    examples: list[Example],
    places: Int[np.ndarray, " constants"],
    treated: list[Treated | None],
) -> LinearSystem:
    positions = np.concatenate([example.reference.positions for example in examples])
    return eigenmatrix_system(assignment.model, assignment.topology, positions, places, treated)


def _name(rows: tuple[Row, ...], place: int) -> str:
    for row in rows:
        if place in row.indices:
            return row.parameter_name(row.indices.index(place))
    return f"value {place}"


def what_changes(
    assignment: Assignment,
    examples: Sequence[Example],
    rows: tuple[Row, ...],
    asked: Changing,
    *,
    released: frozenset[str] = frozenset(),
    held: frozenset[str] = frozenset(),
) -> Trainable:
    """Return what a fit changes: the trained rows less what is frozen, held, straight or flat, with its ties.

    Bond moments that are not trained follow their bonds' lengths, so that charges stay. `released` parameters lose
    their bounds, `held` ones do not change. Raises InputError for a pattern that matches nothing.
    """
    names = {row.parameter_name(p): row.indices[p] for row in rows for p in range(row.term.n_own)}
    fixed = {row.parameter_name(p) for row in rows for p in row.term.fixed}
    frozen = {n for n in names if _any_match(n, asked.freeze)} | held | fixed
    frozen |= _straight(assignment, rows) | _flat(assignment, examples, rows)
    _require_matches("freeze", asked.freeze, tuple(names))
    _require_matches("allow_negative", asked.allow_negative, tuple(names))
    free = released | {n for n in names if _any_match(n, asked.allow_negative)}
    moments, ties = _moments(assignment, rows, frozen)
    found = trainable(
        (*rows, *moments),
        len(assignment.model.values),
        frozen=frozenset(frozen),
        ties=(*asked.ties, *ties),
        unbounded=frozenset(free),
    )
    if not found.names:
        raise InputError("nothing is trained: every parameter is frozen, or no row matches [forcefield] train")
    return found


def _moments(
    assignment: Assignment, rows: tuple[Row, ...], frozen: set[str]
) -> tuple[tuple[Row, ...], tuple[Tie, ...]]:
    """Return the bond moments that were made, not read, and ties by which their charges, μ / r0, do not change."""
    rule, values = assignment.topology.charges, np.asarray(assignment.model.values)
    if rule is None or any(row.term.kind in CHARGING for row in rows):
        return (), ()
    lengths = {row.indices[1]: row.parameter_name(1) for row in rows if row.term.kind == "stretch"}
    found = []
    for row in assignment.rows:
        if row.term.kind == BOND_MOMENT.kind and row.line is None:
            place = row.indices[0]
            names = {lengths.get(int(length)) for length in rule.length[rule.moment == place]} - frozen
            if len(names) == 1 and (length := names.pop()) is not None:
                ratio = values[place] / values[next(p for p, name in lengths.items() if name == length)]
                found.append((row, Tie(row.parameter_name(0), length, float(ratio))))
    return tuple(row for row, _ in found), tuple(tie for _, tie in found)


def trained_rows(
    assignment: Assignment, patterns: tuple[str, ...] | None, molecules: list[Molecule], *, charges: bool = False
) -> tuple[Row, ...]:
    """Return the rows that a fit may change (`selected_rows`); van der Waals rows only where a pattern names them.

    What gives atoms charges is among them where there are `charges` to fit to, or a pattern names it.
    """
    if patterns is None:
        kept = ("vdw",) if charges else ("vdw", *CHARGING)
        return tuple(row for row in assignment.rows if row.term.kind not in kept)
    return selected_rows(assignment, molecules, patterns, "[forcefield] train")


def _straight(assignment: Assignment, rows: tuple[Row, ...]) -> set[str]:
    """Return the reference angles of 180°: by symmetry the energy is even about them."""
    values = np.asarray(assignment.model.values)
    return {
        row.parameter_name(1)
        for row in rows
        if row.term.kind == "bend" and row.term.n_own > 1 and values[row.indices[1]] == np.pi
    }


def _flat(assignment: Assignment, examples: Sequence[Example], rows: tuple[Row, ...]) -> set[str]:
    """Return the onefold and threefold constants, where they start from zero, of flat torsions between planar centres.

    No flat molecule tells them from the twofold one, which is what conjugation makes. Rows that were read are left as
    they are where any of their constants is not zero.
    """
    groups = list(zip(assignment.model.terms, assignment.topology.interactions, strict=True))
    n_atoms = assignment.topology.n_atoms
    planar, n_bonds = np.zeros(n_atoms, dtype=bool), np.zeros(n_atoms, dtype=np.int64)
    for term, group in groups:
        atoms = np.asarray(group.atoms)
        if term.kind == "out_of_plane":
            planar[atoms[:, 1]] = True
        elif term.kind == "stretch":
            # Behind a term's own atoms may stand the parents of shifted centres.
            np.add.at(n_bonds, atoms[:, :2], 1)
    bent = twisted(assignment, np.concatenate([one.reference.positions for one in examples]))
    for term, group in groups:
        if term.kind == "torsion":
            central = np.asarray(group.atoms)[:, 1:3]
            between = planar[central].any(axis=1) & (planar[central] | (n_bonds[central] == 2)).all(axis=1)
            bent |= set(np.asarray(group.parameters)[~between, 0].tolist())
    values, flat = np.asarray(assignment.model.values), set[str]()
    for row in rows:
        if row.term.kind == "torsion" and row.indices[0] not in bent:
            odd = [p for p in range(row.term.n_own) if row.term.own[p].name in _ODD]
            start = values[[row.indices[p] for p in odd] if row.line is None else list(row.indices)]
            if not start.any():
                flat |= {row.parameter_name(p) for p in odd}
    return flat


def _any_match(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _require_matches(key: str, patterns: tuple[str, ...], names: tuple[str, ...]) -> None:
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        raise InputError(
            f"[forcefield] {key}: no trained parameter matches {', '.join(map(repr, idle))}; "
            "`forgefield fit --check` lists their names"
        )


def prior(changes: Trainable, rows: tuple[Row, ...], values: np.ndarray, asked: Widths) -> Prior:
    """Return Gaussians about the starting values, with widths in internal units."""
    kind = {row.parameter_name(p): (row.term.kind, row.term.own[p]) for row in rows for p in range(row.term.n_own)}
    centre = changes.variables.free(values)
    width = [_width(*kind[leader], start, asked) for leader, start in zip(changes.leaders, centre, strict=True)]
    return Prior(centre, np.array(width), asked.strength)


def _width(kind: str, parameter: Parameter, start: float, asked: Widths) -> float:
    match parameter.name:
        case "r0":
            return asked.r0
        case "theta0" | "phi0":
            return asked.theta0
        case _ if kind in ("torsion", "improper", "out_of_plane") and parameter.unit == "kcal/mol":
            return asked.v
        case "moment":
            return max(asked.k * abs(start), _SMALLEST_MOMENT)
        case "dq":
            return max(asked.k * abs(start), _SMALLEST_INCREMENT)
        case _:
            return max(asked.k * abs(start), smallest_width(kind))


def with_values(assignment: Assignment, values: Float[np.ndarray, " parameters"]) -> Assignment:
    """Return the assignment with other values in its model."""
    return replace(assignment, model=eqx.tree_at(lambda m: m.values, assignment.model, jax.device_put(values)))
