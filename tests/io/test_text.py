"""The one gate that numbers of all formats pass."""

import gzip

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io import sources
from forgefield.io.text import floats, integer, integers, read_text

NO_NUMBERS = ["1_000", "١٢", "３", "−1", "1e12", "nan", "inf", "1e999", "****", "0x1F", "1,5", "true"]


@pytest.mark.parametrize("word", NO_NUMBERS)
def test_what_no_program_writes_is_no_number(word):
    with pytest.raises(InputError, match=r"a\.log: energy: .* \(line 7\) cannot be read as finite numbers"):
        floats("a.log", 7, ["-1.0 2.5", word][::-1], "energy")


@pytest.mark.parametrize("word", ["1_000", "١٢", "３", "1.0", "", "9" * 5000, "+-1"])
def test_what_no_program_writes_is_no_integer(word):
    with pytest.raises(InputError, match=r"line 3: charge is .* expected an integer"):
        integer("a.log", 3, word, "charge")


def test_numbers_are_read_as_programs_write_them():
    found = floats("a.log", 1, ["-1 +2.5 .5 3.", "1.0D-05 1d2 1.5E+03 2.0-100"], "energies")

    np.testing.assert_array_equal(found, [-1.0, 2.5, 0.5, 3.0, 1e-5, 100.0, 1500.0, 2e-100])
    assert integers("a.log", 1, ["1 -2"], "atoms").tolist() == [1, -2]
    assert integer("a.log", 1, "-12", "charge") == -12


def test_compressed_text_is_unpacked(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n" * 1000))

    assert read_text(path) == "one\ntwo\n" * 1000


@pytest.mark.parametrize(
    ("most", "message"), [(2**30, r"unpacks to more than 1 MiB"), (2**10, r"unpacks to more than 0.000977 MiB")]
)
def test_compressed_file_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch, most, message):
    monkeypatch.setattr(sources, "MOST_UNPACKED", most)
    path = tmp_path / "bomb.maegz"
    path.write_bytes(gzip.compress(b" " * 2**21))

    with pytest.raises(InputError, match=message):
        read_text(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_text_is_read_in_the_encodings_that_editors_save(tmp_path, encoding):
    path = tmp_path / "a.xyz"
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    path.write_bytes(f"{mark}1\nwater\nH 0 0 1.5 Å\n".encode(encoding))

    assert read_text(path) == "1\nwater\nH 0 0 1.5 Å\n"


def test_a_few_zero_bytes_are_left_out_and_many_make_a_file_a_binary_one(tmp_path):
    path = tmp_path / "a.out"
    path.write_bytes(b"word " * 1000 + b"\0\0end")

    assert read_text(path) == "word " * 1000 + "end"
    path.write_bytes(b"word \0" * 1000)
    with pytest.raises(InputError, match="is a binary file where text is expected"):
        read_text(path)
