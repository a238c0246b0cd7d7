"""Everything a fit needs, from the files that FIT.toml names."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import generate
from forgefield.assign.mm3.laid import Mm3Assignment
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.mm3.selection import selected_lines
from forgefield.assign.typed_rules import TypedRules
from forgefield.config import FitFile
from forgefield.errors import ForgeFieldError, InputError
from forgefield.fitting.cost.cost import Problem, total_count
from forgefield.fitting.data.chunks import chunks
from forgefield.fitting.data.training_set import Example, TrainingSet, training_set
from forgefield.fitting.solve.solver import AbstractSolver
from forgefield.fitting.targets.target import AbstractTarget, counts
from forgefield.io.rules import load as load_rules
from forgefield.jobs.fit.plan.choices import FORMS, bonded_terms, charging, chosen_formats, solver, van_der_waals
from forgefield.jobs.fit.plan.compared_charges import charge_warnings, with_charges
from forgefield.jobs.fit.plan.load import Loaded, force_field_file, load
from forgefield.jobs.fit.plan.starting import estimated, prior, trained_rows, what_changes, with_values
from forgefield.jobs.fit.plan.target_choices import read_fit_file, targets
from forgefield.jobs.fit.plan.writing import formats_to_write
from forgefield.models.rows import Row
from forgefield.models.trainable import Trainable
from forgefield.molecules.molecule import Molecule
from forgefield.report.results import Skipped
from forgefield.terms.mm3 import BOND_MOMENT

_MOMENTS = BOND_MOMENT.kind
_TYPED = (".json", ".frcmod")
"""Files of rows that a fit wrote, and starts from."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The input of a fit: what is trained on what, and where it starts."""

    path: Path
    file: FitFile
    examples: list[Example]
    assignment: Assignment
    """Its model holds the starting values."""
    laid: Assignment
    """The same before force constants were estimated."""
    rows: tuple[Row, ...]
    """The rows whose parameters change, but for what is frozen."""
    mm3: Mm3Assignment | None
    """Where the force field comes from an MM3* file: the file and its original values."""
    data: TrainingSet
    input_sha256: str
    formats: tuple[str, ...]
    """Formats in which the force field will be written."""
    warnings: tuple[str, ...]
    loaded: Loaded
    """What the files held, before the force field was laid over it."""
    solver: AbstractSolver

    @property
    def targets(self) -> tuple[AbstractTarget, ...]:
        """What the force field is fitted to."""
        return targets(self.file.targets)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was read."""
        return (self.path, *self.loaded.files)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The molecules that cannot be used and are left out."""
        return self.loaded.skipped

    @property
    def molecules(self) -> list[Molecule]:
        """The molecules in the geometry of their references."""
        return [e.molecule for e in self.examples]

    @property
    def start(self) -> Float[np.ndarray, " parameters"]:
        """The starting values."""
        return np.asarray(self.assignment.model.values)

    def changes(self, *, released: frozenset[str] = frozenset(), held: frozenset[str] = frozenset()) -> Trainable:
        """Return what a fit changes; `released` parameters lose their bounds, `held` ones stay."""
        return what_changes(self.assignment, self.rows, self.file.forcefield, released=released, held=held)

    def problem(self, changes: Trainable, centre: Float[np.ndarray, " parameters"]) -> Problem:
        """Return the problem of fitting what changes, with priors about these values."""
        model = with_values(self.assignment, centre).model
        about = prior(changes, self.assignment.rows, self.start, self.file.fit.prior)
        return Problem(
            model=model,
            chunks=chunks(self.data, len(centre), np.asarray(changes.variables.places)),
            targets=self.targets,
            counts=tuple(total_count(target, self.data) for target in self.targets),
            prior=about,
            variables=changes.variables,
        )


def prepare(path: Path, *, starts: int | None = None) -> Prepared:
    """Read FIT.toml and all that it names, lay the force field over the molecules and estimate its constants.

    `starts` replaces the number that the file asks for.
    Raises InputError (or MissingParameters) for anything that cannot be used.
    """
    file = read_fit_file(path)
    if starts is not None:
        file = file.model_copy(update={"fit": file.fit.model_copy(update={"starts": starts})})
    chosen_formats(file)
    return _prepared(path, file, load(file, path.parent))


def without(prepared: Prepared, skipped: tuple[Skipped, ...]) -> Prepared:
    """Return the same fit without molecules that turned out not to be usable."""
    names = {one.name for one in skipped}
    left = tuple(example for example in prepared.examples if example.molecule.name not in names)
    return _prepared(
        prepared.path, prepared.file, replace(prepared.loaded, examples=left, skipped=prepared.skipped + skipped)
    )


def _prepared(path: Path, file: FitFile, loaded: Loaded) -> Prepared:
    """Lay the force field over what was loaded, and find where it starts."""
    laid, mm3, loaded = _laid(file, path.parent, loaded)
    examples = with_charges(file, list(loaded.examples))
    rows = _trained_rows(file, laid, mm3)
    found = estimated(laid, examples, file.forcefield.estimate, rows)
    changes = what_changes(laid, rows, file.forcefield)
    unused = _unused(file, path.parent, laid)
    charged = charge_warnings(file, laid, examples, changes)
    values = changes.variables.within(found.values)
    assignment = with_values(laid, values)
    data = training_set(assignment.topology, examples)
    _require_data(targets(file.targets), data)
    formats, unwritten = (("fld",), []) if mm3 else formats_to_write(assignment, [e.molecule for e in examples], file)
    statements = tuple(
        f"{e.molecule.name}: {e.treated.statement}"
        for e in examples
        if e.treated is not None and e.treated.reaction_mode is not None
    )
    skipped = tuple(one.warning for one in loaded.skipped)
    return Prepared(
        path=path,
        file=file,
        examples=examples,
        assignment=assignment,
        laid=laid,
        rows=rows,
        mm3=mm3,
        data=data,
        input_sha256=_digest(path, loaded, examples),
        formats=formats,
        warnings=(*skipped, *loaded.warnings, *unused, *statements, *found.warnings, *charged, *unwritten),
        loaded=loaded,
        solver=solver(file, targets(file.targets)),
    )


def _laid(file: FitFile, folder: Path, loaded: Loaded) -> tuple[Assignment, Mm3Assignment | None, Loaded]:
    """Lay the force field over the molecules; those it cannot be laid over are left out where the file says so."""
    if not loaded.examples:
        listed = "\n".join(f"  {one.warning}" for one in loaded.skipped)
        raise InputError(f"no molecule can be used:\n{listed}")
    molecules = [example.molecule for example in loaded.examples]
    try:
        return *_assigned(file, folder, molecules), loaded
    except ForgeFieldError as error:
        if file.fit.on_error == "stop":
            raise
        together = error
    left, skipped = [], []
    for example in loaded.examples:
        try:
            _assigned(file, folder, [example.molecule])
        except ForgeFieldError as error:
            skipped.append(Skipped(example.molecule.name, files_of(example), str(error)))
        else:
            left.append(example)
    if not skipped:
        raise together
    return _laid(file, folder, replace(loaded, examples=tuple(left), skipped=(*loaded.skipped, *skipped)))


def files_of(example: Example) -> str:
    """Return the files that an example comes from."""
    return ", ".join(dict.fromkeys(filter(None, (example.molecule.source, *example.reference.sources))))


def _trained_rows(file: FitFile, laid: Assignment, mm3: Mm3Assignment | None) -> tuple[Row, ...]:
    """Return the rows that the file asks to train; none of a force-field file's unless a pattern names them."""
    patterns = file.forcefield.train
    if mm3 is None:
        return trained_rows(laid, patterns, charges=file.targets.entry("charges") is not None)
    if not patterns:
        raise InputError(
            '[forcefield] train names no rows: say which rows of the file change, such as ["substructure:*"]'
        )
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


def _assigned(file: FitFile, folder: Path, molecules: list[Molecule]) -> tuple[Assignment, Mm3Assignment | None]:
    """Lay the force field over the molecules: one made from them, or that of a file."""
    path = force_field_file(file, folder)
    if path is None:
        terms = bonded_terms(file)
        kinds = {"van_der_waals": van_der_waals(file), "charging": charging(file)}
        return generate(molecules, terms, depth=file.forcefield.depth, **kinds), None
    if path.suffix.lower() in _TYPED:
        return _rules_of_a_fit(file, path).assign(molecules), None
    if file.forcefield.charges != "none":
        raise InputError("[forcefield] charges: a .fld file has its own, from bond moments; leave the key out")
    if path.suffix != ".fld":
        raise InputError(
            f'[forcefield] start = "{file.forcefield.start}": "environments", a .fld file, or a .json or .frcmod file '
            "that a fit wrote, or its folder, is expected"
        )
    if file.forcefield.form != "mm3":
        raise InputError(f'[forcefield] form = "{file.forcefield.form}": a .fld file holds form = "mm3"')
    rules = load_rules(path)
    assert isinstance(rules, Mm3Rules)
    trained = selected_lines(rules.file, _without_moments(file.forcefield.train or ()))
    found = rules.assign_lines(molecules, trained=trained)
    return found.assignment, found


def _rules_of_a_fit(file: FitFile, path: Path) -> TypedRules:
    """Return the rows that a fit wrote. Raises InputError for those of others, and for keys that contradict them."""
    rules, chosen = load_rules(path), file.forcefield
    if not isinstance(rules, TypedRules) or not rules.typing.meanings:
        raise InputError(
            f'[forcefield] start = "{chosen.start}": the file does not say what its types stand for; a fit starts from '
            "one that ForgeField wrote"
        )
    if double := sorted({"terms", "depth", "nonbonded", "charges"} & chosen.model_fields_set):
        raise InputError(f"[forcefield] {', '.join(double)}: {path} has its own; leave the key(s) out")
    other = [term for term in rules.tables if term not in FORMS[chosen.form].values()]
    if other:
        form = next(name for name, terms in FORMS.items() if other[0] in terms.values())
        raise InputError(f'[forcefield] form = "{chosen.form}": {path} holds form = "{form}"')
    return rules


def _unused(file: FitFile, folder: Path, laid: Assignment) -> list[str]:
    """Return a warning where a fit starts from rows of which its molecules use some alone."""
    path = force_field_file(file, folder)
    if path is None or path.suffix.lower() not in _TYPED:
        return []
    n = sum(map(len, _rules_of_a_fit(file, path).tables.values())) - len(laid.rows)
    return (
        [f"{n} row(s) of {path} are used by no molecule of the fit and will not be in what it writes"] if n > 0 else []
    )


def _require_data(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> None:
    """Raise InputError that lists the targets that no reference has data for, or of which every value weighs zero."""
    everything = replace(data, weight=np.ones_like(data.weight), mode_weight=np.asarray(data.has_mode, dtype=float))
    asked = [target for target in targets if target.traits.needs]
    lacking = [target for target in asked if not _counts_anything(target, everything)]
    if lacking:
        said = "; ".join(f"{target.name} needs {target.traits.needs}" for target in lacking)
        raise InputError(
            f"no reference has data for the target(s) {', '.join(target.name for target in lacking)}: {said}"
        )
    if idle := [target.name for target in asked if not _counts_anything(target, data)]:
        raise InputError(
            f"nothing counts in the target(s) {', '.join(idle)}: [[molecules]] weight, reaction_mode_weight and "
            "mode_weights leave every value that there is data for a weight of zero; give one more than that"
        )


def _counts_anything(target: AbstractTarget, data: TrainingSet) -> bool:
    return float(np.sum(counts(target, data))) > 0.0


def _digest(path: Path, loaded: Loaded, examples: list[Example]) -> str:
    """Return one SHA-256 of FIT.toml and of all files it led to."""
    total = hashlib.sha256(path.read_bytes())
    sources = (Path(s) for e in examples for s in (e.molecule.source, *e.reference.sources) if s)
    for source in dict.fromkeys((*loaded.files, *sources)):
        if source.is_file():
            total.update(hashlib.sha256(source.read_bytes()).digest())
    return total.hexdigest()
