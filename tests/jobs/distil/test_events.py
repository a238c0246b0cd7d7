"""Event files for TensorBoard."""

import struct

import pytest

from forgefield.jobs.distil.metrics import Row

events = pytest.importorskip(
    "forgefield.jobs.distil.events", reason="tensorboardX is not installed", exc_type=ImportError
)


def row(step: int, loss: float) -> Row:
    names = dict.fromkeys(Row.__dataclass_fields__, 0.5)
    return Row(**{**names, "student": "small-0", "step": step, "validation_loss": loss, "better": True})


def records(content: bytes) -> list[bytes]:
    """The records of an event file: length, check of the length, content, check of the content."""
    found = []
    while content:
        (n,) = struct.unpack("<Q", content[:8])
        found.append(content[12 : 12 + n])
        content = content[16 + n :]
    return found


def test_each_look_is_an_event_of_its_student(tmp_path):
    written = events.Events(tmp_path)

    written(row(4, 0.25))
    written(row(8, 0.125))
    written.close()

    (file,) = (tmp_path / "small-0").iterdir()
    told = [one for one in records(file.read_bytes()) if b"validation/loss" in one]
    assert [struct.pack("<f", loss) in one for one, loss in zip(told, (0.25, 0.125), strict=True)] == [True, True]
