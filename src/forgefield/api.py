"""What `import forgefield` offers: the jobs of the command line as functions, and the nouns they take and return."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRules
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.errors import ForgeFieldError, InputError, MissingParameters
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.solve.solver import Progress
from forgefield.io.forcefields.mm3.fld_differences import Difference
from forgefield.io.listings.listing import Listing
from forgefield.io.rules import load
from forgefield.jobs import convert
from forgefield.jobs import diff as diff_job
from forgefield.jobs import estimate as estimate_job
from forgefield.jobs import evaluate as evaluate_job
from forgefield.jobs import relax as relaxation
from forgefield.jobs.convert import Structure
from forgefield.jobs.estimate import EstimatedForceField
from forgefield.jobs.evaluate import Evaluated
from forgefield.jobs.fit import fit_job
from forgefield.jobs.fit.fit_job import Outcome
from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.jobs.fit.plan.prepare import prepare_plan, require_double_precision
from forgefield.jobs.fit.run.passes import Stage
from forgefield.jobs.fit.run.trade_off import TradeOff
from forgefield.jobs.fit.run.validation import Validation
from forgefield.jobs.md import dynamics as dynamics_job
from forgefield.jobs.md.dynamics_results import Dynamics
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.jobs.relax import RelaxedMolecule
from forgefield.jobs.threads import one_thread_a_matrix
from forgefield.models.forcefield import ForceField
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.topology import Topology
from forgefield.properties.modes import Vibrations

__all__ = [
    "AbstractRules",
    "Assignment",
    "Difference",
    "DynamicsSettings",
    "EstimatedForceField",
    "Evaluated",
    "Example",
    "ForceField",
    "ForgeFieldCalculator",
    "ForgeFieldError",
    "InputError",
    "Listing",
    "MissingParameters",
    "Molecule",
    "Outcome",
    "Reference",
    "Topology",
    "Validation",
    "Vibrations",
    "diff",
    "estimate",
    "evaluate",
    "fit",
    "load",
    "md",
    "modes",
    "read",
    "relax",
    "write",
]

File = str | Path


@contextmanager
def _in_double_precision() -> Iterator[None]:
    """Raise ForgeFieldError unless JAX computes in float64; share the cores among its threads meanwhile."""
    require_double_precision()
    with one_thread_a_matrix():
        yield


def read(path: File) -> list[Structure]:
    """Return the structures of a file, each with what QM said of it, as far as the file holds results.

    Å and kcal/mol. Raises InputError where the file cannot be read or contradicts itself.
    """
    return convert.read_with_results(Path(path))


@_in_double_precision()
def estimate(
    files: Sequence[File],
    *,
    method: str = "qfuerza",
    form: str = "mm3",
    transition_state: str | None = None,
) -> EstimatedForceField:
    """Return a force field made from the molecules of QM files, its constants read off their Hessians.

    `method`, `form` and `transition_state` are the words of `forgefield estimate`.
    """
    paths = [Path(file) for file in files]
    return estimate_job.estimate(paths, method=method, form=form, transition_state=transition_state)


@_in_double_precision()
def fit(  # noqa: PLR0913 (these are the words of the command)
    files: File | Sequence[File] | Plan,
    output: File | None = None,
    *,
    starts: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    validate: bool | Validation = False,
    trade_off: Sequence[str] | TradeOff = (),
    tell: Callable[[Stage, Progress], None] = fit_job.silent,
) -> Outcome:
    """Run a fit and write its results into a folder, by default named after the first file.

    `files` are a FIT.toml; or QM results, which are fitted to with settings that suit them and that are written into
    the folder as FIT.toml; or a `Plan`, whose folder is by default its `name`. `starts` is the number of starts,
    `resume` continues an interrupted fit in the folder, `overwrite` replaces an earlier one, without which InputError
    is raised, `validate` asks for what `forgefield fit --validate` does (or a `Validation`, with its number of samples
    and of processes), `trade_off` names targets whose weights are varied (or is a `TradeOff`, with the number of
    weights), `tell` is called after each iteration.
    """
    validation = Validation() if validate is True else validate or None
    varied = trade_off if isinstance(trade_off, TradeOff) else TradeOff(tuple(trade_off)) if trade_off else None
    folder = None if output is None else Path(output)
    if isinstance(files, Plan):
        plan = files if starts is None else replace(files, starts=starts)
        folder = folder or Path(plan.name)
    else:
        named = [files] if isinstance(files, str | Path) else files
        plan, folder = asked([Path(file) for file in named], folder, starts=starts)
    return fit_job.run_fit(
        prepare_plan(plan),
        folder,
        resume=resume,
        overwrite=overwrite,
        validation=validation,
        trade_off=varied,
        tell=tell,
    )


@_in_double_precision()
def evaluate(force_field: File, files: Sequence[File], *, cutoff: float = math.inf) -> Evaluated:
    """Lay a force field over structures and list every interaction, where it has such.

    `force_field` is a file that `load` reads, or the folder of a fit. Of an MM3* file, pairs beyond `cutoff` [Å] are
    left out.
    """
    return evaluate_job.evaluate(Path(force_field), [Path(file) for file in files], cutoff=cutoff)


@_in_double_precision()
def modes(force_field: File, file: File) -> Vibrations:
    """Return frequencies and modes of one structure under a force field, from the exact Hessian."""
    return evaluate_job.modes(Path(force_field), Path(file))


@_in_double_precision()
def md(
    force_field: File,
    molecule: File,
    output: File,
    settings: DynamicsSettings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tell: Callable[[int], None] = dynamics_job.silent,
) -> Dynamics:
    """Simulate replicas of a molecule and write their trajectories (.xyz, .extxyz, .h5) with a checkpoint beside them.

    `resume` continues from the checkpoint, `overwrite` replaces an earlier run; `tell` is called with the number of
    steps done.
    """
    paths = Path(force_field), Path(molecule), Path(output)
    return dynamics_job.run_dynamics(*paths, settings, resume=resume, overwrite=overwrite, tell=tell)


@_in_double_precision()
def relax(
    force_field: File,
    files: Sequence[File],
    output: File | None = None,
    *,
    saddle: bool = False,
    tolerance: float = relaxation.TOLERANCE,
    max_iterations: int = relaxation.MAX_ITERATIONS,
    overwrite: bool = False,
) -> list[RelaxedMolecule]:
    """Relax structures to minima or first-order saddles, and write them into the folder `output` where it is given.

    `tolerance` is the largest component of the gradient that may be left [kcal/mol/Å]; `overwrite` replaces what an
    earlier run has written there.
    """
    return relaxation.run_relaxation(
        Path(force_field),
        [Path(file) for file in files],
        saddle=saddle,
        tolerance=tolerance,
        max_iterations=max_iterations,
        output=None if output is None else Path(output),
        overwrite=overwrite,
    )


def diff(old: File, new: File) -> list[Difference]:
    """Return the rows of two MM3* files that differ, with their numbers in the units of the files."""
    return diff_job.diff(Path(old), Path(new))


def write(
    path: File,
    content: EstimatedForceField | list[Structure],
    *,
    drop: Iterable[str] = (),
    overwrite: bool = False,
) -> None:
    """Write an estimated force field (.fld, .frcmod, .xml) or structures (.xyz, .extxyz, .json), by the suffix.

    Raises InputError that names what the format cannot hold; of structures, `drop` names what may be lost. A file that
    is there already is refused but with `overwrite`, and one that the content was read from in any case.
    """
    if isinstance(content, EstimatedForceField):
        estimate_job.write_estimated(Path(path), content, overwrite=overwrite)
    else:
        convert.write_structures(Path(path), content, drop=drop, overwrite=overwrite)
