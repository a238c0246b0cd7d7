"""Metrics as event files for TensorBoard."""

from dataclasses import asdict
from pathlib import Path

from tensorboardX import SummaryWriter

from forgefield.jobs.distil.metrics import Row

_NOT_SHOWN = ("student", "step", "better")


class Events:
    """Writes each look into a folder of its student."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, SummaryWriter] = {}

    def __call__(self, row: Row) -> None:
        """Write a look; what an earlier run has written from its step on is not shown."""
        writer = self._writers.get(row.student)
        if writer is None:
            writer = SummaryWriter(str(self._folder / row.student), purge_step=row.step)
            self._writers[row.student] = writer
        for name, value in asdict(row).items():
            if name not in _NOT_SHOWN and value is not None:
                writer.add_scalar(name.replace("_", "/", 1) if name.startswith("validation") else name, value, row.step)

    def close(self) -> None:
        """Wait until all is written."""
        for writer in self._writers.values():
            writer.close()
