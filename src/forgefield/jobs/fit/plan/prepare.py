"""Everything a fit needs, from the files of its plan."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.generated import generate
from forgefield.assign.mm3.laid import Mm3Assignment
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.mm3.selection import selected_lines
from forgefield.assign.typed_rules import TypedRules
from forgefield.engines.programs.over_molecules import require_held
from forgefield.errors import ForgeFieldError, InputError
from forgefield.estimating.coupling_widths import coupling_widths
from forgefield.fitting.cost.cost import Problem, total_counts
from forgefield.fitting.data.chunks import chunks, without_interactions
from forgefield.fitting.data.training_set import Example, TrainingSet, training_set
from forgefield.fitting.targets.target import AbstractTarget, counting
from forgefield.io.format import Format
from forgefield.jobs.fit.plan.choices import form_of
from forgefield.jobs.fit.plan.compared_charges import charge_warnings, loose_charges, with_charges
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.load import Loaded, isomers_apart, load
from forgefield.jobs.fit.plan.plan import Generated, Plan
from forgefield.jobs.fit.plan.starting import estimated, prior, trained_rows, what_changes, with_values
from forgefield.jobs.fit.plan.writing import Written, formats_that_hold
from forgefield.models.rows import Row
from forgefield.models.trainable import Trainable
from forgefield.molecules.molecule import Molecule
from forgefield.report.results import Skipped
from forgefield.terms.mm3 import BOND_MOMENT

_MOMENTS = BOND_MOMENT.kind
_UNCOUNTED = " Its mode is not fitted to (reaction_mode_weight = 0)."


@dataclass(frozen=True, eq=False)
class Prepared:
    """The input of a fit: what is trained on what, and where it starts."""

    plan: Plan
    examples: list[Example]
    assignment: Assignment
    """Its model holds the starting values."""
    laid: Assignment
    """The same before force constants were estimated."""
    negative: Mapping[int, float]
    """What was estimated of constants where it is negative, by place."""
    rows: tuple[Row, ...]
    """The rows whose parameters change, but for what is frozen."""
    mm3: Mm3Assignment | None
    """Where the force field comes from an MM3* file: the file and its original values."""
    data: TrainingSet
    input_sha256: str
    formats: tuple[Format, ...]
    """In which the force field will be written, beside the native file."""
    warnings: tuple[str, ...]
    loaded: Loaded
    """What the files held, before the force field was laid over it."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was looked at."""
        named = (path for files in self.plan.molecules for path in files.all)
        return tuple(dict.fromkeys((*self.plan.sources, *named, *self.loaded.sources)))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The molecules that cannot be used and are left out."""
        return self.loaded.skipped

    @property
    def molecules(self) -> list[Molecule]:
        """The molecules in the geometry of their references."""
        return [e.molecule for e in self.examples]

    @property
    def form(self) -> str:
        """What the terms of the force field are called together."""
        if isinstance(self.plan.start, AbstractStatedRules):
            return f"that of a topology of {self.plan.start.each[0].system.program}"
        return "mm3" if self.mm3 else form_of({row.term for row in self.assignment.rows})

    @property
    def start(self) -> Float[np.ndarray, " parameters"]:
        """The starting values."""
        return np.asarray(self.assignment.model.values)

    def changes(self, *, released: frozenset[str] = frozenset(), held: frozenset[str] = frozenset()) -> Trainable:
        """Return what a fit changes; `released` parameters lose their bounds, `held` ones stay."""
        return what_changes(self.assignment, self.examples, self.rows, self.plan.changing, released=released, held=held)

    def signed(
        self, values: Float[np.ndarray, " parameters"], released: frozenset[str]
    ) -> Float[np.ndarray, " parameters"]:
        """Return values in which `released` constants are what was estimated, where that is negative."""
        places = {
            row.indices[p] for row in self.rows for p in range(row.term.n_own) if row.parameter_name(p) in released
        }
        found = values.copy()
        for place in places & self.negative.keys():
            found[place] = self.negative[place]
        return found

    def problem(
        self,
        changes: Trainable,
        centre: Float[np.ndarray, " parameters"],
        *,
        released: frozenset[str] = frozenset(),
    ) -> Problem:
        """Return the problem of fitting what changes, with priors about the start.

        Those of `released` constants are about what was estimated, where that is negative.
        """
        model = with_values(self.assignment, centre).model
        about = prior(changes, self.assignment.rows, self.signed(self.start, released), self.plan.prior)
        if isinstance(self.plan.start, Generated):
            # Of others, weak bonds have the couplings that their makers gave them.
            widths = coupling_widths(model, self.assignment.topology, self.assignment.rows, self.start)
            free = np.asarray(changes.variables.places)[np.asarray(changes.variables.own)]
            about = replace(about, width=about.width * widths[free])
        return Problem(
            model=model,
            chunks=chunks(self.data, len(centre), np.asarray(changes.variables.places)),
            targets=self.plan.targets,
            counts=total_counts(self.plan.targets, self.data),
            prior=about,
            variables=changes.variables,
        )


def prepare(path: Path, *, starts: int | None = None) -> Prepared:
    """Read FIT.toml and all that it names, as `prepare_plan` does. `starts` replaces the number that it asks for."""
    return prepare_plan(read_plan(path, starts=starts))


def prepare_plan(plan: Plan) -> Prepared:
    """Read the files of a plan, lay the force field over the molecules and estimate its constants.

    Raises InputError (or MissingParameters) for anything that cannot be used.
    """
    return _prepared(plan, load(plan))


def without(prepared: Prepared, skipped: tuple[Skipped, ...]) -> Prepared:
    """Return the same fit without molecules that turned out not to be usable."""
    names = {one.name for one in skipped}
    left = tuple(example for example in prepared.examples if example.molecule.name not in names)
    return _prepared(prepared.plan, replace(prepared.loaded, examples=left, skipped=prepared.skipped + skipped))


def _prepared(plan: Plan, loaded: Loaded) -> Prepared:
    """Lay the force field over what was loaded, and find where it starts."""
    laid, mm3, loaded = _laid(plan, loaded)
    examples = with_charges(plan, list(loaded.examples))
    rows = _trained_rows(plan, laid, mm3, [e.molecule for e in examples])
    found = estimated(laid, examples, plan.estimate, rows)
    changes = what_changes(with_values(laid, found.values), examples, rows, plan.changing)
    charged = charge_warnings(plan, laid, examples, changes)
    values = changes.variables.within(found.values)
    assignment = with_values(laid, values)
    if plan.engine is not None:
        require_held(plan.engine, assignment, [e.molecule for e in examples])
    data = training_set(assignment.topology, examples)
    _require_data(plan.targets, data)
    formats, unwritten = formats_that_hold(Written(plan, mm3, assignment, [e.molecule for e in examples]))
    statements = tuple(
        f"{e.molecule.name}: {e.treated.statement}{'' if e.weights.of_reaction_mode(e.treated) else _UNCOUNTED}"
        for e in examples
        if e.treated is not None and e.treated.reaction_mode is not None
    )
    skipped = tuple(one.warning for one in loaded.skipped)
    apart = isomers_apart(examples) if any(target.traits.is_relative for target in plan.targets) else []
    return Prepared(
        plan=plan,
        examples=examples,
        assignment=assignment,
        laid=laid,
        negative=found.negative,
        rows=rows,
        mm3=mm3,
        data=data,
        input_sha256=_digest(plan, loaded.sources),
        formats=formats,
        warnings=(
            *skipped,
            *loaded.warnings,
            *_unused(plan, laid),
            *apart,
            *statements,
            *found.warnings,
            *charged,
            *loose_charges(rows),
            *unwritten,
        ),
        loaded=loaded,
    )


def _laid(plan: Plan, loaded: Loaded) -> tuple[Assignment, Mm3Assignment | None, Loaded]:
    """Lay the force field over the molecules; those it cannot be laid over are left out where the plan skips them."""
    if not loaded.examples:
        listed = "\n".join(f"  {one.warning}" for one in loaded.skipped)
        raise InputError(f"no molecule can be used:\n{listed}")
    try:
        return *_assigned(plan, [example.molecule for example in loaded.examples]), loaded
    except ForgeFieldError as error:
        if not plan.skips:
            raise
        together = error
    left, skipped = [], []
    for example in loaded.examples:
        try:
            _assigned(plan, [example.molecule])
        except ForgeFieldError as error:
            skipped.append(Skipped(example.molecule.name, files_of(example), str(error)))
        else:
            left.append(example)
    if not skipped:
        raise together
    return _laid(plan, replace(loaded, examples=tuple(left), skipped=(*loaded.skipped, *skipped)))


def files_of(example: Example) -> str:
    """Return the files that an example comes from."""
    return ", ".join(dict.fromkeys(filter(None, (example.molecule.source, *example.reference.sources))))


def _trained_rows(
    plan: Plan, laid: Assignment, mm3: Mm3Assignment | None, molecules: list[Molecule]
) -> tuple[Row, ...]:
    """Return the rows that are to be trained; none of an MM3* file's, or a topology's, unless a pattern names them."""
    patterns = plan.changing.train
    if not patterns and (mm3 is not None or isinstance(plan.start, AbstractStatedRules)):
        known = '["substructure:*"]' if mm3 else '["torsion *"] or ["smarts:[#6]-[#7]-[#6]=O"]'
        raise InputError(f"[forcefield] train names no rows: say which rows of the file change, such as {known}")
    if mm3 is None or not patterns:
        return trained_rows(laid, patterns, molecules, charges=plan.compares_charges)
    moments = tuple(pattern for pattern in patterns if pattern.startswith(_MOMENTS))
    lines = selected_lines(mm3.file, _without_moments(patterns))
    # Hessians say next to nothing of moments: they change only where a pattern names them.
    chosen = tuple(
        row
        for row in laid.rows
        if (row.line in lines and row.term.kind != _MOMENTS) or any(row.matches(m) for m in moments)
    )
    if not chosen:
        raise InputError(f"[forcefield] train = {list(patterns)}: no interaction of these molecules uses those rows")
    return chosen


def _without_moments(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pattern for pattern in patterns if not pattern.startswith(_MOMENTS))


def _assigned(plan: Plan, molecules: list[Molecule]) -> tuple[Assignment, Mm3Assignment | None]:
    """Lay the force field over the molecules: one made from them, or that of a file."""
    match plan.start:
        case Generated(terms, depth, van_der_waals, charging):
            return generate(molecules, terms, depth=depth, van_der_waals=van_der_waals, charging=charging), None
        case Mm3Rules():
            trained = selected_lines(plan.start.file, _without_moments(plan.changing.train or ()))
            found = plan.start.assign_lines(molecules, trained=trained)
            return found.assignment, found
        case TypedRules() | AbstractStatedRules():
            return plan.start.assign(molecules), None


def _unused(plan: Plan, laid: Assignment) -> list[str]:
    """Return a warning where a fit starts from rows of which its molecules use some alone."""
    if not isinstance(plan.start, TypedRules):
        return []
    n = plan.start.unused(laid)
    said = (
        f"{n} row(s) of {plan.start.typing.source} are used by no molecule of the fit and will not be in what it writes"
    )
    return [said] if n > 0 else []


def _require_data(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> None:
    """Raise InputError that lists the targets that no reference has data for, or of which every value weighs zero."""
    told = counting(targets, without_interactions(data))
    there = [[bool((np.asarray(one) > 0.0).any()) for one in (each.unweighted, each.counts)] for each in told]
    asked = [(target, *known) for target, known in zip(targets, there, strict=True)]
    lacking = [target for target, known, _ in asked if target.traits.needs and not known]
    if lacking:
        said = "; ".join(f"{target.name} needs {target.traits.needs}" for target in lacking)
        raise InputError(
            f"no reference has data for the target(s) {', '.join(target.name for target in lacking)}: {said}"
        )
    if idle := [target.name for target, known, counted in asked if known and not counted]:
        raise InputError(
            f"nothing counts in the target(s) {', '.join(idle)}: [[molecules]] weight, reaction_mode_weight and "
            "mode_weights leave every value that there is data for a weight of zero; give one more than that"
        )


def _digest(plan: Plan, sources: Mapping[Path, bytes]) -> str:
    """Return one SHA-256 of a plan and of all that was read of files."""
    total = hashlib.sha256(plan.identity.encode())
    for digest in (*plan.sources.values(), *sources.values()):
        total.update(digest)
    return total.hexdigest()
