"""Reads force constants off QM Hessians: a generated force field without any fit, and how its rows spread."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.assignment import Assignment, uses
from forgefield.assign.generated import generate
from forgefield.assign.typed_rules import TypedRules, generated_rules
from forgefield.errors import InputError, InputWarning
from forgefield.estimating.row_statistics import RowStatistics
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.judge.sanity import cancelling, unphysical
from forgefield.fitting.judge.stiffest import stiffest_rows
from forgefield.io.references import read_files
from forgefield.jobs.fit.outcome.row_geometry import apart, geometries, row_geometry
from forgefield.jobs.fit.outcome.unmoved import unmoved
from forgefield.jobs.fit.plan.choices import ESTIMATES, FORMS, USUAL_TERMS, policy_named, terms_named
from forgefield.jobs.fit.plan.load import examples_of
from forgefield.jobs.fit.plan.plan import Kept
from forgefield.jobs.fit.plan.starting import estimated, trained_rows, with_values
from forgefield.jobs.write import write_generated
from forgefield.models.rows import Row
from forgefield.molecules.bonds import pieces
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.report.numerals import plural
from forgefield.table import AbstractTabled, Column, Records, Table, table

_STIFF = ("stretch", "bend")
_MEASURED = (*_STIFF, "urey_bradley")
METHODS = {name: method for name, method in ESTIMATES.items() if not isinstance(method, Kept)}


@dataclass(frozen=True)
class EstimatedParameter:
    """One parameter of an estimated force field, and how it varies among the interactions of its row."""

    name: str
    unit: str
    value: float
    """What the force field holds, which differs from the mean where that is negative."""
    n: int
    """Number of interactions."""
    mean: float | None
    """None, as is the rest, where no single interaction has a value of its own."""
    std: float | None
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True, eq=False, repr=False)
class EstimatedForceField(AbstractTabled):
    """A generated force field with the constants that Hessians say."""

    form: str
    examples: list[Example]
    assignment: Assignment
    parameters: Records[EstimatedParameter]
    warnings: tuple[str, ...]

    @property
    def molecules(self) -> list[Molecule]:
        """The molecules in the geometry of their references."""
        return [example.molecule for example in self.examples]

    @property
    def force_field(self) -> TypedRules:
        """The force field, to be laid over any molecules with the same surroundings of atoms."""
        return generated_rules(self.assignment)

    @property
    def table(self) -> Table:
        """The parameters."""
        return self.parameters.table

    def __repr__(self) -> str:
        names = ", ".join(m.name for m in self.molecules)
        said = f"; {plural(len(self.warnings), 'warning')}" if self.warnings else ""
        return f"EstimatedForceField({self.form}, {plural(len(self.parameters), 'parameter')} from {names}{said})"


def estimate(
    files: list[Path],
    *,
    method: str = "qfuerza",
    form: str = "mm3",
    transition_state: str | None = None,
    trust: bool = False,
) -> EstimatedForceField:
    """Return a force field made from the molecules of QM files, with the force constants that their Hessians say.

    `transition_state` says what is done to negative eigenvalues: C, D, D+, E or none; with `trust` results that
    contradict their job are warnings. Raises InputError for unknown words, for files without a Hessian, and for a
    negative eigenvalue without a policy.
    """
    _require_word("method", method, tuple(METHODS))
    _require_word("form", form, tuple(FORMS))
    policy = None if transition_state is None else policy_named(transition_state)
    references = read_files(files, trust=trust)
    told = references if method == "approximation" else _with_hessians(references)
    examples = [_with_pieces(example) for example in examples_of(told, policy)]
    if method != "approximation":
        _require_hessians(examples)
    laid = generate([e.molecule for e in examples], terms_named(form, USUAL_TERMS))
    rows = trained_rows(laid, None, [e.molecule for e in examples])
    found = estimated(laid, examples, METHODS[method], rows)
    saddles = [
        f"{e.molecule.name}: {e.treated.statement}"
        for e in examples
        if e.treated is not None and e.treated.reaction_mode is not None
    ]
    geometry = geometries(laid, np.concatenate([e.reference.positions for e in examples]))
    spread = found.spread | {f"{kind} reference": geometry for kind in _MEASURED}
    counts = uses(laid)
    parameters = [
        _parameter(row, position, found.values, counts, spread) for row in rows for position in range(row.term.n_own)
    ]
    shown = Records(parameters, parameters_table(parameters))
    doubts = _doubts(laid, examples, rows, found.values, geometry)
    said = (*saddles, *found.warnings, *doubts)
    return EstimatedForceField(form, examples, with_values(laid, found.values), shown, said)


def write_estimated(path: Path, found: EstimatedForceField, *, overwrite: bool = False) -> list[Path]:
    """Write an estimated force field as `write_generated` does, but over no file that it was made from."""
    sources = [Path(s) for e in found.examples for s in (e.molecule.source, *e.reference.sources) if s]
    return write_generated(path, found.form, found.assignment, found.molecules, sources, overwrite=overwrite)


def parameters_table(parameters: Sequence[EstimatedParameter]) -> Table:
    """Return the parameters with their spread among the interactions of each row, angles in degrees."""
    columns = (Column("parameter", numeric=False), Column("unit", numeric=False))
    heads = tuple(Column(head) for head in ("value", "n", "mean", "std", "min", "max"))
    rows = []
    for p in parameters:
        unit, scale = units.shown(p.unit)
        numbers = (None if one is None else one / scale for one in (p.value, p.mean, p.std, p.minimum, p.maximum))
        value, *spread = map(_shown, numbers)
        rows.append((p.name, unit, value, str(p.n), *spread))
    return table("Estimated parameters", columns + heads, rows)


def summary(found: EstimatedForceField, path: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Return what `forgefield estimate --json` prints of a force field with all its files."""
    parameters = [asdict(parameter) for parameter in found.parameters]
    written = [str(file) for file in files]
    return {
        "file": str(path),
        "files": written,
        "form": found.form,
        "parameters": parameters,
        "warnings": list(found.warnings),
    }


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _require_word(what: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise InputError(f"{what} {word!r} is not one of {', '.join(known)}")


def _require_hessians(examples: list[Example]) -> None:
    lacking = [", ".join(e.reference.sources) or e.molecule.name for e in examples if e.treated is None]
    if lacking:
        raise InputError(f"force constants are estimated from Hessians; there is none in {'; '.join(lacking)}")


def _with_hessians(references: list[Reference]) -> list[Reference]:
    """Return references without those of files that hold a Hessian of another structure, as output of several jobs."""
    files = {one.sources for one in references if one.hessian is not None}
    told = [one for one in references if one.hessian is not None or one.sources not in files]
    if len(told) < len(references):
        said = f"{len(references) - len(told)} structure(s) without a Hessian are left out, of files that hold others"
        warn(InputWarning(said), stacklevel=3)
    return told


def _with_pieces(example: Example) -> Example:
    """Return an example whose molecule may be a complex of several."""
    n_pieces = len(pieces(example.molecule.n_atoms, example.molecule.bonds))
    return replace(example, molecule=replace(example.molecule, n_pieces=n_pieces))


def _doubts(
    assignment: Assignment,
    examples: list[Example],
    rows: tuple[Row, ...],
    values: Float[np.ndarray, " parameters"],
    geometry: RowStatistics,
) -> list[str]:
    """Say what is doubtful about estimated constants, by the rules of a fit."""
    saddles = np.flatnonzero([example.is_saddle for example in examples])
    positions = np.concatenate([e.reference.positions for e in examples])
    limits = stiffest_rows(assignment.model, assignment.topology, positions, saddles)
    wrong = unphysical(rows, values, geometry.mean, limits)
    none = [row.parameter_name(0) for row in rows if row.term.kind in _STIFF and values[row.indices[0]] == 0.0]
    shapes = row_geometry(assignment, values, geometry, frozenset(row.name for row in rows))
    loose = [example.molecule.name for example in examples if example.molecule.n_pieces > 1]
    return [
        *([f'Nothing acts between the molecules of {", ".join(loose)}: fit with nonbonded = "uff".'] if loose else []),
        *([f"Unphysical: {'; '.join(wrong.values())}."] if wrong else []),
        *([f"Force constants that come out negative are written as 0: {', '.join(none)}."] if none else []),
        *apart(shapes),
        *cancelling(rows, values),
        *unmoved(assignment, examples),
    ]


def _parameter(
    row: Row,
    position: int,
    values: Float[np.ndarray, " parameters"],
    counts: Int[np.ndarray, " parameters"],
    spread: dict[str, RowStatistics],
) -> EstimatedParameter:
    place = row.indices[position]
    statistics = spread.get(row.term.kind if position == 0 else f"{row.term.kind} reference")
    numbers: list[float | None] = [None] * 4
    if statistics is not None and statistics.count[place]:
        of_rows = statistics.mean, statistics.std, statistics.minimum, statistics.maximum
        numbers = [float(values[place]) for values in of_rows]
    unit = row.term.own[position].unit
    return EstimatedParameter(row.parameter_name(position), unit, float(values[place]), int(counts[place]), *numbers)
