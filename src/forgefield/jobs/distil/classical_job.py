"""A classical student of a run: fitted, judged and written, with what results.json holds of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from forgefield.distil.deviations import Deviations
from forgefield.jobs.distil.classical.plan import ClassicalPlan
from forgefield.jobs.distil.classical.student import ClassicalStudent, judged, learned, write_student
from forgefield.jobs.distil.judging import errors_of
from forgefield.jobs.distil.labels import Data
from forgefield.jobs.distil.plan import DistilPlan


@dataclass(frozen=True, eq=False)
class Taught:
    """What came of a classical student."""

    results: dict[str, Any]
    files: tuple[Path, ...]


def taught(plan: DistilPlan, asked: ClassicalPlan, data: Data, output: Path) -> Taught:
    """Fit a force field to the training set and write it; its errors are those on the other sets."""
    began = perf_counter()
    student = learned(data.training.read(data.training.places), asked)
    seconds = perf_counter() - began
    files, unwritten = write_student(output, student)
    sets = {"training": data.training, "validation": data.validation, "test": data.test}
    errors = {name: judged(student, labels.read(labels.places)) for name, labels in sets.items() if len(labels)}
    left_out = [said for name in ("validation", "test") if name in errors for said in errors[name].left_out]
    found = {name: _said(one.deviations) for name, one in errors.items()}
    fit = student.fitted.fit
    results = {
        "data": str(plan.data),
        "teachers": sorted({data.overview.teachers[k] for k in np.unique(data.overview.teacher)}),
        "split": {"name": plan.split.name, **data.how},
        "structures": {name: len(labels) for name, labels in sets.items()},
        "students": [
            {
                "name": asked.name,
                "file": files[0].relative_to(output).as_posix(),
                "parameters": len(fit.at),
                "steps": fit.n_iterations,
                "seconds": seconds,
                "structures_per_s": len(data.training) / seconds,
                "test": found.get("test"),
            }
        ],
        "best": asked.name,
        "committee": None,
        "training": found["training"],
        "validation": found.get("validation"),
        "success": student.success,
        "outliers": [],
        "message": fit.message,
        "unphysical": list(student.wrong),
        "warnings": [*student.warnings, *(f"not covered: {said}" for said in left_out), *unwritten],
        "force_field": _parameters(student),
    }
    return Taught(results, tuple(files))


def _said(found: Deviations | None) -> dict[str, Any] | None:
    return None if found is None else asdict(errors_of(found).means)


def _parameters(student: ClassicalStudent) -> list[dict[str, Any]]:
    """Return the rows that changed, with their values and units."""
    values = np.asarray(student.assignment.model.values)
    return [
        {
            "row": row.name,
            "values": {own.name: float(values[p]) for own, p in zip(row.term.own, row.indices, strict=True)},
            "units": {own.name: own.unit for own in row.term.own},
        }
        for row in student.fitted.rows
    ]
