"""What a run came to: results.json, and the table of its students."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from forgefield.jobs.distil.judging import Judged, RecordErrors, SetErrors
from forgefield.jobs.distil.lessons import Finished, Stand, Task
from forgefield.jobs.distil.metrics import Row
from forgefield.table import Column, Table, table
from forgefield.units import ELECTRONVOLT

_OUTLIERS = 10
"""Records that are named."""
_FAR = 5.0
"""Times the median of a set: an error that makes a record an outlier."""
_MEV = ELECTRONVOLT / 1000.0


def results(task: Task, finished: list[Finished], test: Judged | None, training: RecordErrors) -> dict[str, Any]:
    """Return what results.json holds; errors are in kcal/mol, kcal/mol/Å and kcal/mol/Å²."""
    data, plan = task.data, task.plan
    best = min(finished, key=lambda one: one.merit)
    members = [None] * len(finished) if test is None else [member.means for member in test.members]
    sets = {"training": data.training, "validation": data.validation, "test": data.test}
    return {
        "data": str(plan.data),
        "teachers": sorted({data.overview.teachers[k] for k in np.unique(data.overview.teacher)}),
        "split": {"name": plan.split.name, **data.how},
        "structures": {name: len(labels) for name, labels in sets.items()},
        "students": [
            {
                "name": one.pupil.name,
                "file": task.file_of(one.pupil).relative_to(task.output).as_posix(),
                "seed": one.pupil.seed,
                "parameters": sum(np.size(leaf) for leaf in jax.tree.leaves(one.model)),
                "steps": one.steps,
                "epochs": one.epochs,
                "best_step": one.best_step,
                "seconds": one.seconds,
                "structures_per_s": one.structures_per_s,
                "out_of_time": one.out_of_time,
                "validation_loss": one.merit,
                "test": _said(errors),
            }
            for one, errors in zip(finished, members, strict=True)
        ],
        "best": best.pupil.name,
        "committee": None if test is None or len(finished) < 2 else _committee(test),
        "training": _said(training.means),
        "outliers": _outliers(task, training),
    }


def _said(errors: SetErrors | None) -> dict[str, Any] | None:
    return None if errors is None else asdict(errors)


def _committee(test: Judged) -> dict[str, Any]:
    """Return the errors of the mean of the students, and how these tell where it is wrong."""
    error = np.sqrt(test.mean.force_square)
    return {
        "test": _said(test.mean.means),
        "force_spread": float(np.sqrt(np.mean(test.spread**2))),
        "spread_follows_error": _rank_correlation(error, test.spread),
    }


def _rank_correlation(a: Float[np.ndarray, " records"], b: Float[np.ndarray, " records"]) -> float | None:
    """Return Spearman's correlation; None where it has no meaning."""
    if len(a) < 3 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    first, second = (np.argsort(np.argsort(values)) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


def _outliers(task: Task, training: RecordErrors) -> list[dict[str, Any]]:
    """Return the records of the training set with the largest errors, where these are far above the median."""
    labels, overview = task.data.training, task.data.overview
    energy, force = np.abs(training.energy) / training.size, training.force_largest
    # Constant errors have no outliers, and their median may be zero.
    far = np.maximum(energy / max(np.median(energy), 1e-12), force / max(np.median(force), 1e-12))
    worst = [k for k in np.argsort(-far)[:_OUTLIERS] if far[k] > _FAR]
    return [
        {
            "record": int(labels.places[k]) + 1,
            "molecule": overview.molecules[labels.molecules[k]].name,
            "origin": overview.origins[overview.origin[labels.places[k]]],
            "energy_error": float(training.energy[k]),
            "largest_force_error": float(training.force_largest[k]),
            "times_the_median": float(far[k]),
        }
        for k in worst
    ]


def students_table(found: dict[str, Any]) -> Table:
    """Return a line for each student with its errors on the test set, and one for their mean."""
    stressed = any(one["test"] is not None and one["test"]["stress_mae"] is not None for one in found["students"])
    columns = (
        Column("student", numeric=False),
        Column("parameters"),
        Column("steps"),
        Column("time", "min"),
        Column("structures", "1/s"),
        Column("energies", "meV/atom"),
        Column("forces", "meV/Å"),
        Column("Hessian products", "eV/Å²"),
        *([Column("stresses", "meV/Å³")] if stressed else []),
    )
    rows = [
        (
            one["name"],
            str(one["parameters"]),
            str(one["steps"]),
            f"{one['seconds'] / 60.0:.1f}",
            f"{one['structures_per_s']:.0f}",
            *_cells(one["test"], stressed=stressed),
        )
        for one in found["students"]
    ]
    if found["committee"] is not None:
        rows.append(("mean of all", "", "", "", "", *_cells(found["committee"]["test"], stressed=stressed)))
    n = found["structures"]
    note = f"{n['training']} structures for training, {n['validation']} for validation, {n['test']} for the test"
    return table("Mean absolute errors on the test set, of Hessian products root mean squares", columns, rows, note)


def looks_table(rows: Sequence[Row]) -> Table:
    """Return a line for each look."""
    columns = (
        Column("student", numeric=False),
        Column("epoch"),
        Column("step"),
        Column("loss"),
        Column("validation loss"),
        Column("energies", "meV"),
        Column("forces", "meV/Å"),
        Column("structures", "1/s"),
        Column("", numeric=False),
    )
    cells = [
        (
            row.student,
            f"{row.epoch:.1f}",
            str(row.step),
            f"{row.loss:.3g}",
            f"{row.validation_loss:.3g}",
            f"{row.validation_energy_mae / _MEV:.1f}",
            f"{row.validation_force_mae / _MEV:.1f}",
            f"{row.structures_per_s:.0f}",
            "best" if row.better else "",
        )
        for row in rows
    ]
    return table("Mean absolute errors on the validation set", columns, cells)


def stand_words(stand: Stand, rows: Sequence[Row]) -> str:
    """Return how far training is, in one line."""
    which = f"{stand.student} ({stand.number} of {stand.n_students})" if stand.n_students > 1 else stand.student
    last = f", forces {rows[-1].validation_force_mae / _MEV:.1f} meV/Å" if rows else ""
    words = f"{which}: step {stand.step} of {stand.steps}, epoch {stand.epoch:.1f}, loss {stand.loss:.3g}{last}"
    if stand.seconds_left is None:
        return words
    minutes, seconds = divmod(round(stand.seconds_left), 60)
    return f"{words}, {stand.structures_per_s:.0f} structures/s, {minutes}:{seconds:02d} left"


def _cells(errors: dict[str, Any] | None, *, stressed: bool) -> tuple[str, ...]:
    if errors is None:
        return ("—",) * (4 if stressed else 3)
    product, stress = errors["product_rmse"], errors["stress_mae"]
    return (
        f"{errors['energy_mae_per_atom'] / _MEV:.2f}",
        f"{errors['force_mae'] / _MEV:.1f}",
        "—" if product is None else f"{product / ELECTRONVOLT:.3f}",
        *(["—" if stress is None else f"{stress / _MEV:.3f}"] if stressed else []),
    )
