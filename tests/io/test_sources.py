"""What is read while it is recorded is read once, and is what its digest says."""

import hashlib

import pytest

from forgefield.errors import InputError
from forgefield.io import sources
from forgefield.io.sources import content, reading
from forgefield.io.text import read_text


def test_a_file_is_read_once_while_it_is_recorded(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"before\r\n")

    with reading() as record:
        first = content(path)
        path.write_bytes(b"after")
        assert (content(path), read_text(path)) == (first, "before\n")

    assert record.digests == {path: hashlib.sha256(b"before\r\n").digest()}
    assert content(path) == b"after"


def test_a_file_that_was_forgotten_must_be_what_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_MOST_HELD", 10)
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"12345678")
    second.write_bytes(b"12345678")

    with reading():
        content(first)
        content(second)
        assert content(first) == b"12345678"
        content(second)
        first.write_bytes(b"1234567X")

        with pytest.raises(InputError, match=r"first: changed while it was read; repeat the command"):
            content(first)


def test_a_file_that_is_not_there_is_no_record(tmp_path):
    with reading() as record, pytest.raises(FileNotFoundError):
        content(tmp_path / "nowhere")

    assert record.digests == {}
