"""What is damaged, and what reads it."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Case:
    """Files of one format, and what reads them."""

    files: list[Path]
    read: Callable[[Path], object]
    kind: str = "text"
    """Which damages are done: those of text, binary or json."""
    unpacked: Callable[[bytes], bytes] = bytes
    packed: Callable[[bytes], bytes] = bytes
    """What is damaged is the unpacked content."""


def copied(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return copies of files in a folder."""
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return [folder / file.name for file in files]
