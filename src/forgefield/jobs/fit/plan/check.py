"""What `forgefield fit --check` shows: pairing, coverage, what is trained, and what each target holds."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from forgefield import units
from forgefield.assign.assignment import uses
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.judge.uncertainty import numbers_of_values
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.report.evaluation import coverage_table


def check_table(prepared: Prepared) -> RenderableType:
    """Return tables of the structures with their references, the targets, and the parameters."""
    changes = prepared.changes()
    return Group(
        _structures(prepared),
        Text(),
        _targets(prepared),
        Text(),
        _parameters(prepared, frozenset(changes.names)),
        *_coverage(prepared),
        Text(),
        Text(f"{changes.variables.n_free} free variables stand for {len(changes.names)} trained parameters"),
        *(Text(f"Warning: {warning}", "yellow") for warning in prepared.warnings),
    )


def _structures(prepared: Prepared) -> Table:
    table = Table(
        *("structure", "atoms", "bonds", "reference", "holds", "weight"),
        title="Structures",
        title_justify="left",
        box=None,
    )
    for example in prepared.examples:
        reference = example.reference
        holds = [name for name in ("energy", "gradient", "hessian") if getattr(reference, name) is not None]
        holds += ["charges"] if example.charges is not None else []
        molecule = example.molecule
        table.add_row(
            molecule.name,
            str(molecule.n_atoms),
            str(len(molecule.bonds)),
            ", ".join(reference.sources),
            ", ".join(holds),
            weight_of(example),
        )
    return table


def weight_of(example: Example) -> str:
    """Return in words how much a molecule and its modes count, such as `2; 0 to 600 cm⁻¹ (12 modes): × 3`."""
    weights, treated = example.weights, example.treated
    said = [f"{weights.molecule:g}"]
    if treated is None:
        return said[0]
    for band in weights.bands:
        n = int(band.holds(treated.frequencies).sum())
        said.append(f"{band.lowest:g} to {band.highest:g} cm⁻¹ ({n} modes): × {band.weight:g}")
    if treated.reaction_mode is not None and (counts := weights.of_reaction_mode(treated)) != 1.0:
        said.append(f"reaction mode: × {counts:g}")
    return "; ".join(said)


def _targets(prepared: Prepared) -> Table:
    table = Table("target", "values", "tolerance", "weight", title="Targets", title_justify="left", box=None)
    targets = prepared.plan.targets
    for target, (n_values, independent) in zip(targets, numbers_of_values(targets, prepared.data), strict=True):
        note = "" if n_values == independent else f" ({independent} independent)"
        table.add_row(target.name, f"{n_values}{note}", f"{target.tolerance:g} {target.unit}", f"{target.weight:g}")
    return table


def _coverage(prepared: Prepared) -> list[RenderableType]:
    """Say where the rows of an MM3* file's interactions stand."""
    return [] if prepared.mm3 is None else [Text(), coverage_table(prepared.mm3.coverage, prepared.mm3.idle)]


def _parameters(prepared: Prepared, trained: frozenset[str]) -> Table:
    table = Table("parameter", "interactions", "start", "unit", "", title="Parameters", title_justify="left", box=None)
    counts = uses(prepared.assignment)
    for row in prepared.assignment.rows:
        for position, parameter in enumerate(row.term.own):
            name, place = row.parameter_name(position), row.indices[position]
            state = "trained" if name in trained else "kept"
            unit, scale = units.shown(parameter.unit)
            table.add_row(name, str(counts[place]), f"{prepared.start[place] / scale:.5g}", unit, state)
    return table
