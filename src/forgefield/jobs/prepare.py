"""Everything a fit needs, from the files that FIT.toml names."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.generate import generate
from forgefield.assign.mm3 import Mm3Assignment, assign_mm3
from forgefield.assign.mm3_selection import selected_lines
from forgefield.config import FitFile, read_fit_file
from forgefield.errors import ForgeFieldError, InputError
from forgefield.fit.cost import Problem
from forgefield.fit.training import Example, TrainingSet, training_set
from forgefield.io.fld import read_fld
from forgefield.jobs.choices import bonded_terms, chosen_formats, targets, van_der_waals
from forgefield.jobs.load import force_field_file, load
from forgefield.jobs.starting import estimated, prior, starting_values, trained_rows, what_changes, with_values
from forgefield.jobs.writing import formats_to_write
from forgefield.models.forcefield import select
from forgefield.models.rows import Row
from forgefield.models.trainable import Trainable
from forgefield.molecules.molecule import Molecule

_MOMENTS = "bond_moment"


@dataclass(frozen=True, eq=False)
class Prepared:
    """The input of a fit: what is trained on what, and where it starts."""

    path: Path
    file: FitFile
    examples: list[Example]
    assignment: Assignment
    """Its model holds the starting values."""
    rows: tuple[Row, ...]
    """The rows whose parameters change, but for what is frozen."""
    mm3: Mm3Assignment | None
    """Where the force field comes from an MM3* file: the file and its original values."""
    data: TrainingSet
    input_sha256: str
    formats: tuple[str, ...]
    """Formats in which the force field will be written."""
    warnings: tuple[str, ...]

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
            data=self.data,
            targets=targets(self.file.targets),
            prior=about,
            selection=select(self.assignment.topology, len(centre), changes.places),
            places=changes.places,
            matrix=changes.matrix,
            offset=changes.offset,
            lower=changes.lower,
            upper=changes.upper,
        )


def prepare(path: Path, *, starts: int | None = None) -> Prepared:
    """Read FIT.toml and all that it names, lay the force field over the molecules and estimate its constants.

    `starts` replaces the number that the file asks for.
    Raises InputError (or MissingParameters) for anything that cannot be used.
    """
    require_double_precision()
    file = read_fit_file(path)
    if starts is not None:
        file = file.model_copy(update={"fit": file.fit.model_copy(update={"starts": starts})})
    chosen_formats(file)
    examples, warnings = load(file, path.parent)
    _require_data(file, examples)
    molecules = [e.molecule for e in examples]
    laid, mm3 = _assigned(file, path.parent, molecules)
    rows = _trained_rows(file, laid, mm3)
    found = estimated(laid, examples, file.forcefield.estimate, rows)
    values = starting_values(found.values, what_changes(laid, rows, file.forcefield))
    assignment = with_values(laid, values)
    formats, unwritten = (("fld",), []) if mm3 else formats_to_write(assignment, molecules, file)
    statements = tuple(
        f"{e.molecule.name}: {e.treated.statement}"
        for e in examples
        if e.treated is not None and e.treated.reaction_mode is not None
    )
    return Prepared(
        path=path,
        file=file,
        examples=examples,
        assignment=assignment,
        rows=rows,
        mm3=mm3,
        data=training_set(assignment.topology, examples),
        input_sha256=_digest(path, examples),
        formats=formats,
        warnings=(*warnings, *statements, *found.warnings, *unwritten),
    )


def _trained_rows(file: FitFile, laid: Assignment, mm3: Mm3Assignment | None) -> tuple[Row, ...]:
    """Return the rows that the file asks to train; none of a force-field file's unless a pattern names them."""
    patterns = file.forcefield.train
    if mm3 is None:
        return trained_rows(laid, patterns)
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


def require_double_precision() -> None:
    """Raise ForgeFieldError unless JAX computes in float64."""
    if not jax.config.read("jax_enable_x64"):
        raise ForgeFieldError(
            'this needs double precision: call jax.config.update("jax_enable_x64", True) before anything else'
        )


def _assigned(file: FitFile, folder: Path, molecules: list[Molecule]) -> tuple[Assignment, Mm3Assignment | None]:
    """Lay the force field over the molecules: one made from them, or that of a file."""
    path = force_field_file(file, folder)
    if path is None:
        terms = bonded_terms(file)
        return generate(molecules, terms, depth=file.forcefield.depth, van_der_waals=van_der_waals(file)), None
    if path.suffix != ".fld":
        raise InputError(f'[forcefield] start = "{file.forcefield.start}": "environments" or a .fld file is expected')
    if file.forcefield.form != "mm3":
        raise InputError(f'[forcefield] form = "{file.forcefield.form}": a .fld file holds form = "mm3"')
    parsed = read_fld(path)
    found = assign_mm3(molecules, parsed, trained=selected_lines(parsed, _without_moments(file.forcefield.train or ())))
    return found.assignment, found


def _require_data(file: FitFile, examples: list[Example]) -> None:
    """Raise InputError that lists the targets that no reference has data for."""
    wanted = {
        "eigenmatrix": any(e.treated is not None for e in examples),
        "frequencies": any(e.treated is not None for e in examples),
        "hessian": any(e.treated is not None for e in examples),
        "forces": any(e.reference.gradient is not None for e in examples),
        "energy": _comparable(examples),
    }
    asked = file.targets.model_dump(exclude_none=True)
    lacking = [name for name, there in wanted.items() if name in asked and not there]
    if lacking:
        raise InputError(
            f"no reference has data for the target(s) {', '.join(lacking)}: energies need at least two structures "
            "of one group, forces a gradient or a Hessian, the others a Hessian"
        )


def _comparable(examples: list[Example]) -> bool:
    groups = [e.group for e in examples if e.reference.energy is not None]
    return any(groups.count(group) > 1 for group in groups)


def _digest(path: Path, examples: list[Example]) -> str:
    """Return one SHA-256 of FIT.toml and of all files it led to."""
    total = hashlib.sha256(path.read_bytes())
    for example in examples:
        for source in (example.molecule.source, *example.reference.sources):
            if source and Path(source).is_file():
                total.update(hashlib.sha256(Path(source).read_bytes()).digest())
    return total.hexdigest()
