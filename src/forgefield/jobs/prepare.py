"""Everything a fit needs, from the files that FIT.toml names."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.generate import generate
from forgefield.config import FitFile, read_fit_file
from forgefield.errors import ForgeFieldError, InputError
from forgefield.fit.cost import Problem
from forgefield.fit.training import Example, TrainingSet, training_set
from forgefield.jobs.choices import bonded_terms, chosen_formats, targets, van_der_waals
from forgefield.jobs.load import load
from forgefield.jobs.starting import estimated, prior, with_values
from forgefield.jobs.writing import formats_to_write
from forgefield.models.forcefield import select
from forgefield.models.trainable import Trainable
from forgefield.molecules.molecule import Molecule


@dataclass(frozen=True, eq=False)
class Prepared:
    """The input of a fit: what is trained on what, and where it starts."""

    path: Path
    file: FitFile
    examples: list[Example]
    assignment: Assignment
    """Its model holds the starting values."""
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
    _require_double_precision()
    file = read_fit_file(path)
    if starts is not None:
        file = file.model_copy(update={"fit": file.fit.model_copy(update={"starts": starts})})
    chosen_formats(file)
    examples, warnings = load(file, path.parent)
    _require_data(file, examples)
    assignment = _assigned(file, [e.molecule for e in examples])
    found = estimated(assignment, examples, file.forcefield.estimate)
    assignment = with_values(assignment, found.values)
    formats, unwritten = formats_to_write(assignment, [e.molecule for e in examples], file)
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
        data=training_set(assignment.topology, examples),
        input_sha256=_digest(path, examples),
        formats=formats,
        warnings=(*warnings, *statements, *found.warnings, *unwritten),
    )


def _require_double_precision() -> None:
    if not jax.config.read("jax_enable_x64"):
        raise ForgeFieldError(
            'fits need double precision: call jax.config.update("jax_enable_x64", True) before anything else'
        )


def _assigned(file: FitFile, molecules: list[Molecule]) -> Assignment:
    if file.forcefield.start != "environments":
        raise InputError(f'[forcefield] start = "{file.forcefield.start}": only "environments" so far')
    return generate(molecules, bonded_terms(file), depth=file.forcefield.depth, van_der_waals=van_der_waals(file))


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
