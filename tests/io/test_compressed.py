"""A file of any format may be compressed by gzip."""

import gzip
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield.errors import InputError
from forgefield.io.belonging import belonging
from forgefield.io.formats import format_of
from forgefield.io.molecules import read_structures
from forgefield.io.references import read_reference
from forgefield.io.sources import reading, stem

FILES = [
    "ethane/GS.log",
    "ethane/GS.fchk",
    "cases/qmfiles/hessian-scf_total_energy-only.json",
    "ch3f/ch3f-optimized.xyz",
]


def compressed(path: Path, folder: Path) -> Path:
    target = folder / f"{path.name}.gz"
    target.write_bytes(gzip.compress(path.read_bytes()))
    return target


@pytest.mark.parametrize("name", FILES)
def test_compressed_file_says_what_the_file_says(data, tmp_path, name):
    path = compressed(data / name, tmp_path)

    (found,), (plain,) = read_reference([path]), read_reference([data / name])

    assert format_of(path) is format_of(data / name)
    assert (found.energy, found.level, found.contents) == (plain.energy, plain.level, plain.contents)
    np.testing.assert_array_equal(found.positions, plain.positions)
    assert read_structures(path)[0].name == read_structures(data / name)[0].name


def test_array_of_numpy_may_be_compressed(data, tmp_path):
    folder = data / "cases" / "qmfiles"

    (found,) = read_reference([folder / "plain.xyz", compressed(folder / "hessian-4d.npy", tmp_path)])

    assert known(found.hessian).shape == (15, 15)


def test_compressed_file_belongs_to_those_of_its_name(data, tmp_path):
    log = compressed(data / "ethane/GS.log", tmp_path)
    fchk = compressed(data / "ethane/GS.fchk", tmp_path)

    assert belonging([log, fchk]) == [(log, fchk)]
    assert stem(Path("a/GS.log.GZ")) == "GS"


def test_record_of_what_was_read_is_of_the_file_as_it_lies_there(data, tmp_path):
    path = compressed(data / "ch3f/ch3f-optimized.xyz", tmp_path)

    with reading() as sources:
        read_structures(path)

    assert sources.digests[path].hex() == sha256(path.read_bytes()).hexdigest()


def test_damaged_compressed_file_is_refused(tmp_path):
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(b"1\n\nHe 0 0 0\n")[:-9])

    with pytest.raises(InputError, match=r"a\.xyz\.gz: cannot be decompressed"):
        read_structures(tmp_path / "a.xyz.gz")


@pytest.mark.parametrize(
    "name", ["programs/qm/nwchem/h2co.hess", "programs/qm/xtb/charges", "public-qm/orca5-dvb_ir.out"]
)
def test_compressed_file_of_a_program_is_known_by_its_name_without_gz(data, tmp_path, name):
    path = compressed(data / name, tmp_path)

    assert format_of(path) is format_of(data / name)


def test_structure_of_a_compressed_file_of_a_program_is_named_without_suffixes(data, tmp_path):
    path = compressed(data / "public-qm/orca5-dvb_ir.out", tmp_path)

    assert read_structures(path)[0].name == "orca5-dvb_ir"
