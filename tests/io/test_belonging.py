"""Files of one structure are found by their names and by their geometries."""

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.belonging import belonging
from forgefield.io.references import read_reference

GEOMETRY = np.array([[0.0, 0.0, 0.1], [0.0, 0.7, -0.4], [0.0, -0.7, -0.4]])
TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def water(path, positions=GEOMETRY, energy=None):
    about = "" if energy is None else f"Properties=species:S:1:pos:R:3 energy={energy}"
    lines = [f"{element} {x} {y} {z}\n" for element, (x, y, z) in zip("OHH", positions, strict=True)]
    path.write_text(f"3\n{about}\n" + "".join(lines))
    return path


def test_files_of_one_geometry_in_whatever_frame_are_of_one_structure(tmp_path):
    first = water(tmp_path / "opt.xyz")
    second = water(tmp_path / "other.xyz", GEOMETRY * 1.1)
    third = water(tmp_path / "freq.xyz", GEOMETRY @ TURN + 1.0)

    assert belonging([first, second, third]) == [(first, third), (second,)]


def test_gaussian_log_and_fchk_of_one_job_are_of_one_structure(data):
    files = [data / "ethane" / name for name in ("GS.fchk", "TS.log", "GS.log", "TS.fchk")]

    assert belonging(files) == [(files[0], files[2]), (files[1], files[3])]


def test_namesakes_are_of_one_structure_and_must_agree(tmp_path):
    files = [water(tmp_path / "a.xyz"), water(tmp_path / "a.extxyz", GEOMETRY * 1.1)]

    (together,) = belonging(files)

    with pytest.raises(InputError, match="not of the same geometry"):
        read_reference(together)


def test_results_of_one_geometry_that_contradict_are_refused(tmp_path):
    (together,) = belonging([water(tmp_path / "a.xyz", energy=-1.0), water(tmp_path / "b.xyz", energy=-2.0)])

    with pytest.raises(InputError, match=r"contradict each other:\n  energy: .*a\.xyz and .*b\.xyz differ by"):
        read_reference(together)


def test_file_without_geometry_joins_the_only_structure(tmp_path):
    np.save(tmp_path / "hessian.npy", np.zeros((9, 9)))
    files = [tmp_path / "hessian.npy", water(tmp_path / "a.xyz")]

    assert belonging(files) == [(files[1], files[0])]


def test_file_without_geometry_of_no_known_structure_is_refused(tmp_path):
    np.save(tmp_path / "hessian.npy", np.zeros((9, 9)))
    files = [water(tmp_path / "a.xyz"), water(tmp_path / "b.xyz", GEOMETRY * 1.1), tmp_path / "hessian.npy"]

    with pytest.raises(InputError, match=r"hessian\.npy: holds no geometry, .* named alike"):
        belonging(files)


def test_several_structures_of_one_file_stand_alone(tmp_path):
    single, several = water(tmp_path / "a.xyz"), tmp_path / "a.extxyz"
    several.write_text(2 * single.read_text())

    assert belonging([single, several]) == [(single,), (several,)]


def test_file_that_is_given_twice_counts_once(tmp_path):
    path = water(tmp_path / "a.xyz")

    assert belonging([path, tmp_path / "." / "a.xyz", path]) == [(path,)]


def test_file_without_results_is_refused_with_what_to_give(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"")

    with pytest.raises(InputError, match="PaiNN format holds no QM results; give the file of a QM job"):
        belonging([tmp_path / "a.safetensors"])
