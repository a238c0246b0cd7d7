"""What is unphysical about a force field: of rows that were fitted, and of those that were kept."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from forgefield.fitting.judge.metrics import Judgement
from forgefield.fitting.judge.sanity import least_stationary, not_stationary, unphysical
from forgefield.fitting.judge.stiffest import stiffest_rows
from forgefield.fitting.targets.target import View
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.run.passes import Passed
from forgefield.models.expansions import expansions, profiles, with_charges
from forgefield.models.rows import Row
from forgefield.molecules.topology import Interactions

_MOST = 0.5
"""Share of a residual force that kept rows exert from which it is theirs."""
_SMALL = 0.1
"""Share of it from which a row is named."""
_NAMED = 4
_PAIRS = ("vdw", "electrostatic")


@dataclass(frozen=True)
class Unphysical:
    """Sentences about a force field."""

    fitted: tuple[str, ...]
    """About rows that were fitted."""
    kept: tuple[str, ...]
    """About those that were not."""
    patterns: tuple[str, ...]
    """Which select the latter."""
    spoilt: tuple[str, ...]
    """What the fit made so: not what it found or was not asked."""


def found_unphysical(
    prepared: Prepared, last: Passed, mean: Float[np.ndarray, " parameters"], final: Judgement
) -> Unphysical:
    """Return what is unphysical; `mean` are the lengths and angles of the molecules where reference values stand."""
    saddles = np.flatnonzero([example.is_saddle for example in prepared.examples])
    assignment = prepared.assignment
    limits = stiffest_rows(assignment.model, assignment.topology, np.asarray(prepared.data.positions), saddles)
    found = unphysical(assignment.rows, last.values, mean, limits)
    known = unphysical(assignment.rows, prepared.start, mean, limits)
    trained = {row.parameter_name(p) for row in prepared.rows for p in range(row.term.n_own)}
    # A constant is below zero only where the user or a policy for transition states lets it.
    may_be = {name for name in found if "is negative" in found[name]}
    new = [found[name] for name in found if name in trained - known.keys() - may_be]
    asked = any(target.traits.holds_structure for target in prepared.plan.targets)
    shown = {name: said for name, said in found.items() if name not in may_be.intersection(last.stage.released)}
    forces = not_stationary(final.each)
    worst = least_stationary(final.each)
    exerted = {} if worst is None else _exerted(prepared, last.values, final, worst)
    rows = [*exerted, *(row for row in assignment.rows if {*map(row.parameter_name, range(row.term.n_own))} & {*shown})]
    kept_rows = {row.name: row for row in rows if row not in prepared.rows}
    if exerted:
        named = ", ".join(f"{row.name} {force:.1f}" for row, force in exerted.items())
        forces = [f"{forces[0]}, most of it by {named}"]
    of_fitted = [said for name, said in shown.items() if name in trained]
    of_kept = [said for name, said in shown.items() if name not in trained]
    return Unphysical(
        fitted=(*of_fitted, *(() if exerted else forces)),
        kept=(*of_kept, *(forces if exerted else ())),
        patterns=tuple(row.name if row.line is None else f"line:{row.line}" for row in kept_rows.values()),
        spoilt=(*new, *(forces if asked else ())),
    )


def about_unphysical(prepared: Prepared, found: Unphysical) -> list[str]:
    """Say what to do about it: forces are no advice where a target holds the structure already."""
    said = []
    if found.fitted:
        holds = any(t.traits.holds_structure or t.traits.view is View.RELAXED for t in prepared.plan.targets)
        advice = "a stronger prior, or the terms that are missing"
        said.append(
            f"This solution is unphysical, however well it reproduces the targets: {'; '.join(found.fitted)}. "
            f"Add {advice if holds else 'a target that holds the structure (forces, bond_length), ' + advice}."
        )
    if found.kept:
        patterns = ", ".join(f'"{pattern}"' for pattern in found.patterns)
        said.append(
            f"Rows that are kept do not go with the references, and no fit of the others mends it: "
            f"{'; '.join(found.kept)}. To train them too, add {patterns} to [forcefield] train and a target that holds "
            "the structure (forces, bond_length); or leave them, where only what is trained matters."
        )
    return said


def _exerted(
    prepared: Prepared, values: Float[np.ndarray, " parameters"], final: Judgement, worst: int
) -> dict[Row, float]:
    """Return the kept rows that pull most at the atom of a molecule whose force is off most; none where others do.

    Pulls are in kcal/mol/Å.
    """
    data = prepared.data
    mine = (np.asarray(prepared.assignment.topology.molecule) == worst)[:, None]
    off = np.where(mine, np.asarray(final.observation.gradient) - np.asarray(data.gradient), 0.0)
    atom = int(np.linalg.norm(off, axis=1).argmax())
    size = float(np.linalg.norm(off[atom]))
    pulls = _pulls(prepared, values, atom, off[atom] / size)
    kept = {row: pull for row, pull in pulls.items() if row not in prepared.rows}
    if sum(kept.values()) < _MOST * size:
        return {}
    strongest = sorted(kept.items(), key=lambda both: -both[1])[:_NAMED]
    return {row: pull for row, pull in strongest if pull >= _SMALL * size}


def _pulls(
    prepared: Prepared, values: Float[np.ndarray, " parameters"], atom: int, along: Float[np.ndarray, " 3"]
) -> dict[Row, float]:
    """Return the derivative of the energy of each row of bonded terms by an atom's position along a unit vector."""
    model, topology = prepared.assignment.model, prepared.assignment.topology
    chosen = [t for t, term in enumerate(model.terms) if term.kind not in _PAIRS]
    groups = [topology.interactions[t] for t in chosen]
    touching = [(np.asarray(group.atoms) == atom).any(axis=1) for group in groups]
    own = [
        Interactions(np.asarray(g.atoms)[on], np.asarray(g.parameters)[on])
        for g, on in zip(groups, touching, strict=True)
    ]
    laid = replace(topology, interactions=tuple(own))
    rows = {(row.term, row.indices[0]): row for row in prepared.assignment.rows}
    known, first_place = with_charges(values, topology), 3 * int(np.asarray(topology.slot)[atom])
    found: dict[Row, float] = {}
    for one in expansions(tuple(model.terms[t] for t in chosen), values, laid, np.asarray(prepared.data.positions)):
        _, slope, _ = profiles(one.term, one.q, known[one.parameters])
        gradient = np.einsum("iq,iqc->ic", slope, one.first)
        for axis in range(3):
            pull = (gradient * (one.place == first_place + axis)).sum(axis=1) * along[axis]
            for place, value in zip(one.parameters[:, 0].tolist(), pull.tolist(), strict=True):
                if (row := rows.get((one.term, place))) is not None:
                    found[row] = found.get(row, 0.0) + value
    return found
