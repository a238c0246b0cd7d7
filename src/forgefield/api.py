"""What `import forgefield` offers: the jobs of the command line as functions, and the nouns they take and return.

Every function computes in float64, whatever JAX computes in outside of it, and leaves the process as it was.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Real
from pathlib import Path

import jax

from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRules
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.errors import ForgeFieldError, InputError, MissingParameters
from forgefield.fitting.solve.solver import Progress
from forgefield.io.forcefields.mm3.fld_differences import Difference
from forgefield.io.forcefields.openmm.system.objects import rules_of_object
from forgefield.io.format import Structure, Structures
from forgefield.io.listings.listing import Listing
from forgefield.io.rules import load as load_rules
from forgefield.jobs import convert
from forgefield.jobs import estimate as estimate_job
from forgefield.jobs import evaluate as evaluate_job
from forgefield.jobs import relax as relaxation
from forgefield.jobs.diff import diff_job
from forgefield.jobs.diff.table import differences_table
from forgefield.jobs.estimate import EstimatedForceField
from forgefield.jobs.evaluate import Evaluated
from forgefield.jobs.fit import fit_job
from forgefield.jobs.fit.outcome.outcome import Outcome
from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.jobs.fit.plan.prepare import prepare_plan
from forgefield.jobs.fit.run.passes import Stage
from forgefield.jobs.fit.run.trade_off import TradeOff
from forgefield.jobs.fit.run.validation import Validation
from forgefield.jobs.md import dynamics as dynamics_job
from forgefield.jobs.md.dynamics_results import Dynamics
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.jobs.relax import RelaxedMolecule
from forgefield.jobs.threads import ONE_THREAD_A_MATRIX
from forgefield.jobs.write import write_fitted
from forgefield.models.forcefield import ForceField
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.topology import Topology
from forgefield.properties.modes import Vibrations
from forgefield.table import Records

__all__ = [
    "AbstractRules",
    "Assignment",
    "Difference",
    "DynamicsSettings",
    "EstimatedForceField",
    "Evaluated",
    "ForceField",
    "ForgeFieldCalculator",
    "ForgeFieldError",
    "InputError",
    "Listing",
    "MissingParameters",
    "Molecule",
    "Outcome",
    "Reference",
    "Structure",
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

File = str | os.PathLike[str]
Files = File | Iterable[File]


@contextmanager
def _computing() -> Iterator[None]:
    """Compute in float64 in this thread, and share the cores among JAX's threads, until the call is over."""
    with jax.enable_x64(True), ONE_THREAD_A_MATRIX:
        yield


def load(path: File | object) -> AbstractRules:
    """Return the force field of a file, of the folder of a fit, or an `openmm.System`, not yet laid over molecules.

    A file is any that `forgefield evaluate` takes as a force field. Raises InputError.
    """
    with _computing():
        return rules_of_object(path) or load_rules(_path(path, "path"))


def read(path: File) -> Records[Structure]:
    """Return the structures of a file, each with what QM said of it, as far as the file holds results.

    Å and kcal/mol. Raises InputError where the file cannot be read or contradicts itself.
    """
    with _computing():
        return convert.read_with_results(_path(path, "path"))


def estimate(
    files: Files,
    *,
    method: str = "qfuerza",
    form: str = "mm3",
    transition_state: str | None = None,
) -> EstimatedForceField:
    """Return a force field made from the molecules of QM files, its constants read off their Hessians.

    `method`, `form` and `transition_state` are the words of `forgefield estimate`.
    """
    with _computing():
        paths = _paths(files, "files")
        return estimate_job.estimate(paths, method=method, form=form, transition_state=transition_state)


def fit(  # noqa: PLR0913 (these are the words of the command)
    files: Files | Plan,
    output: File | None = None,
    *,
    starts: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    validate: bool | Validation = False,
    trade_off: str | Iterable[str] | TradeOff = (),
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
    if not isinstance(validation, Validation | None):
        raise InputError(f"validate is True, False or a Validation, not {_shown(validation)}")
    varied = trade_off if isinstance(trade_off, TradeOff) else TradeOff(_words(trade_off, "trade_off"))
    n_starts = None if starts is None else _count(starts, "starts")
    folder = None if output is None else _path(output, "output")
    with _computing():
        if isinstance(files, Plan):
            plan = files if n_starts is None else replace(files, starts=n_starts)
            folder = folder or Path(plan.name)
        else:
            plan, folder = asked(_paths(files, "files"), folder, starts=n_starts)
        return fit_job.run_fit(
            prepare_plan(plan),
            folder,
            resume=resume,
            overwrite=overwrite,
            validation=validation,
            trade_off=varied if varied.targets else None,
            tell=tell,
        )


def evaluate(
    force_field: File, files: Files, *, cutoff: float = math.inf, vdw_cutoff: float | None = None
) -> Evaluated:
    """Lay a force field over structures and list every interaction, where it has such.

    `force_field` is a file that `load` reads, or the folder of a fit. Of an MM3* file, pairs beyond `cutoff` [Å] are
    left out, and van der Waals interactions are scaled down from 1 Å before to 1 Å beyond `vdw_cutoff` [Å], as in
    MacroModel: by default at 8 Å where its energies stand beside the structures, else nowhere. Of a topology pairs end
    at `cutoff`, where a reaction field begins.
    """
    with _computing():
        ends = None if vdw_cutoff is None else _number(vdw_cutoff, "vdw_cutoff")
        return evaluate_job.evaluate(
            _path(force_field, "force_field"),
            _paths(files, "files"),
            cutoff=_number(cutoff, "cutoff"),
            vdw_cutoff=ends,
        )


def modes(force_field: File, file: File) -> Vibrations:
    """Return frequencies and modes of one structure under a force field, from the exact Hessian."""
    with _computing():
        return evaluate_job.modes(_path(force_field, "force_field"), _path(file, "file"))


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
    paths = _path(force_field, "force_field"), _path(molecule, "molecule"), _path(output, "output")
    if not isinstance(settings, DynamicsSettings):
        raise InputError(f"settings are DynamicsSettings, not {_shown(settings)}")
    with _computing():
        return dynamics_job.run_dynamics(*paths, settings, resume=resume, overwrite=overwrite, tell=tell)


def relax(
    force_field: File,
    files: Files,
    output: File | None = None,
    *,
    saddle: bool = False,
    tolerance: float = relaxation.TOLERANCE,
    max_iterations: int = relaxation.MAX_ITERATIONS,
    overwrite: bool = False,
) -> Records[RelaxedMolecule]:
    """Relax structures to minima or first-order saddles, and write them into the folder `output` where it is given.

    `tolerance` is the largest component of the gradient that may be left [kcal/mol/Å]; `overwrite` replaces what an
    earlier run has written there.
    """
    with _computing():
        return relaxation.run_relaxation(
            _path(force_field, "force_field"),
            _paths(files, "files"),
            saddle=saddle,
            tolerance=_number(tolerance, "tolerance"),
            max_iterations=_count(max_iterations, "max_iterations"),
            output=None if output is None else _path(output, "output"),
            overwrite=overwrite,
        )


def diff(
    old: File, new: File, *, over: Files | None = None, tolerance: float = diff_job.TOLERANCE
) -> Records[Difference]:
    """Return the rows of two force fields that differ, with the units of their numbers.

    Those of a molecule, or laid `over` structures, are compared by what acts on which atoms, in whatever formats;
    others by what their types stand for; those of MM3* files by their lines, in the units of the files. Numbers are the
    same that differ by no more than `tolerance`, or by this share of the larger one.
    """
    files = [] if over is None else _paths(over, "over")
    found = diff_job.diff(_path(old, "old"), _path(new, "new"), over=files, tolerance=_number(tolerance, "tolerance"))
    return Records(found.differences, differences_table(found))


def write(
    path: File,
    content: EstimatedForceField | Outcome | Structures,
    *,
    drop: str | Iterable[str] = (),
    overwrite: bool = False,
) -> None:
    """Write an estimated or fitted force field or structures.

    Force fields are .json, .fld, .frcmod, .xml, .prmtop, .top, .lmp, .psf, .offxml or .key, structures .xyz, .extxyz or
    .json.

    Raises InputError that names what the format cannot hold; of structures, `drop` names what may be lost. A file that
    is there already is refused but with `overwrite`, and one that the content was read from in any case.
    """
    target = _path(path, "path")
    with _computing():
        match content:
            case EstimatedForceField():
                estimate_job.write_estimated(target, content, overwrite=overwrite)
            case Outcome():
                write_fitted(target, content, overwrite=overwrite)
            case Structure():
                convert.write_structures(target, [content], drop=_words(drop, "drop"), overwrite=overwrite)
            case _ if _are_structures(content):
                convert.write_structures(target, content, drop=_words(drop, "drop"), overwrite=overwrite)
            case _:
                raise InputError(
                    "what is written is what `estimate` or `fit` returned, or structures as `read` returns them, "
                    f"not {_shown(content)}"
                )


def _are_structures(content: object) -> bool:
    if not isinstance(content, Sequence):
        return False
    return all(
        isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], Molecule) and isinstance(one[1], Reference)
        for one in content
    )


def _path(given: object, what: str) -> Path:
    """Return a path. Raises InputError for what is none."""
    if isinstance(given, str | os.PathLike):
        return Path(given)
    raise InputError(f"{what} is the path of a file (str or pathlib.Path), not {_shown(given)}")


def _paths(given: Files, what: str) -> list[Path]:
    """Return one or more paths. Raises InputError for what is none."""
    if isinstance(given, str | os.PathLike):
        return [Path(given)]
    if not isinstance(given, Iterable):
        raise InputError(f"{what} are the paths of one or more files (str or pathlib.Path), not {_shown(given)}")
    paths = [_path(one, f"each of {what}") for one in given]
    if not paths:
        raise InputError(f"{what} are empty; give the path of at least one file")
    return paths


def _words(given: str | Iterable[str], what: str) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    if wrong := [word for word in words if not isinstance(word, str)]:
        raise InputError(f"{what} is a word or words, not {_shown(wrong[0])}")
    return words


def _number(given: object, what: str) -> float:
    if isinstance(given, Real):
        return float(given)
    raise InputError(f"{what} is a number, not {_shown(given)}")


def _count(given: object, what: str) -> int:
    number = _number(given, what)
    if number < 1 or number != int(number):
        raise InputError(f"{what} is a whole number from 1 on, not {given!r}")
    return int(number)


def _shown(given: object) -> str:
    """Return what was given instead, in a few words."""
    if given is None:
        return "None"
    text = repr(given)
    return f"the {type(given).__name__} {text}" if len(text) <= 60 and "\n" not in text else f"a {type(given).__name__}"
