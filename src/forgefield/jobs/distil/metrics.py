"""What is measured in the course of training: a row for each look, in a CSV file and as events for TensorBoard."""

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from forgefield.io.outputs import write_text

METRICS = "metrics.csv"


@dataclass(frozen=True)
class Row:
    """One look."""

    student: str
    step: int
    epoch: float
    seconds: float
    """Of training so far."""
    structures_per_s: float
    """Since the last look."""
    learning_rate: float
    loss: float
    """Weighted sum of those below, which are means since the last look in powers of eV and Å."""
    loss_energy: float
    loss_force: float
    loss_product: float
    loss_atomic_energy: float
    loss_stress: float
    validation_loss: float
    validation_energy_mae: float
    """kcal/mol; those of forces in kcal/mol/Å, of Hessian products in kcal/mol/Å², of stresses in kcal/mol/Å³."""
    validation_energy_rmse: float
    validation_force_mae: float
    validation_force_rmse: float
    validation_product_rmse: float | None
    validation_stress_mae: float | None
    better: bool
    """Whether it is the best look so far."""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, none where there is none."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(told) for told in csv.DictReader(file)]


def _row(told: dict[str, str]) -> Row:
    kinds: dict[str, Callable[[str], object]] = {"student": str, "step": int, "better": lambda text: text == "True"}
    names = [field.name for field in fields(Row)]
    values = {name: None if told[name] == "" else kinds.get(name, float)(told[name]) for name in names}
    return Row(**values)  # pyright: ignore[reportArgumentType]  (as they were written)


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write rows, wholly or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in asdict(row).items()} for row in rows)
    write_text(path, text.getvalue())


class Log:
    """The rows of all students, which are written after each look; `watch` is called with each."""

    def __init__(self, path: Path, watch: Callable[[Row], None]) -> None:
        self._path, self._watch, self._rows = path, watch, read_rows(path)

    def begin(self, student: str, step: int) -> None:
        """Leave out the looks of a student after a step, from which its training goes on: they come again."""
        self._rows = [row for row in self._rows if row.student != student or row.step <= step]

    def keep(self, row: Row) -> None:
        """Take one more look, or the same one again, where training ended before its checkpoint."""
        known = [one for one in self._rows if (one.student, one.step) != (row.student, row.step)]
        self._rows = [*known, row]
        write_rows(self._path, self._rows)
        self._watch(row)
