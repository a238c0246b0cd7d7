import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.qm.numpy_hessian import read_energy_text, read_frequencies_text, read_numpy_hessian


def test_hessian_enters_in_internal_units(tmp_path):
    np.save(tmp_path / "h.npy", np.diag([1.0, 2.0, 3.0]))

    part = read_numpy_hessian(tmp_path / "h.npy")

    np.testing.assert_array_equal(part.hessian, np.diag([1.0, 2.0, 3.0]) * units.HARTREE_PER_BOHR2)
    assert part.positions is None


@pytest.mark.parametrize("n_atoms", [2, 3, 4])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 1, 3)], ids=["atom axis atom axis", "atom atom axis axis"])
def test_hessian_may_have_an_index_for_each_atom_and_axis(tmp_path, generator, n_atoms, axes):
    # Springs along any directions: symmetric, and no force where all atoms move alike, as tells of three atoms.
    springs = np.zeros((n_atoms, 3, n_atoms, 3))
    for a, b in zip(*np.triu_indices(n_atoms, 1), strict=True):
        u = generator.normal(size=3)
        for i, j, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
            springs[i, :, j, :] += sign * np.outer(u, u)
    np.save(tmp_path / "h.npy", springs.transpose(axes))

    part = read_numpy_hessian(tmp_path / "h.npy")

    right = springs.reshape(3 * n_atoms, -1) * units.HARTREE_PER_BOHR2
    np.testing.assert_allclose(known(part.hessian), right, rtol=1e-12)


def test_frequencies_and_energy_carry_the_level_of_their_comment(tmp_path):
    (tmp_path / "f.txt").write_text("# frequencies (cm^-1) at b3lyp/6-31+G(d)\n-461.7\n322.0 # degenerate\n")
    (tmp_path / "e.txt").write_text("# energy\n-1.0\n")

    frequencies, energy = read_frequencies_text(tmp_path / "f.txt"), read_energy_text(tmp_path / "e.txt")

    assert (known(frequencies.frequencies).tolist(), frequencies.level) == ([-461.7, 322.0], "b3lyp/6-31+G(d)")
    assert (energy.energy, energy.level) == (-units.HARTREE, "")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.eye(4), r"shape \(4, 4\); a Hessian is a square matrix of three rows for each atom"),
        (np.ones((3, 6)), r"shape \(3, 6\)"),
        (np.full((3, 3), np.nan), "9 of the force constants are not finite"),
        (np.triu(np.ones((3, 3))), "the matrix is not symmetric"),
        (np.array(["a"]), "holds no array of real numbers"),
    ],
)
def test_arrays_that_are_no_hessian_are_refused(tmp_path, array, message):
    np.save(tmp_path / "h.npy", array)

    with pytest.raises(InputError, match=message):
        read_numpy_hessian(tmp_path / "h.npy")


def test_truncated_and_missing_files_are_refused(tmp_path):
    np.save(tmp_path / "h.npy", np.eye(9))
    (tmp_path / "h.npy").write_bytes((tmp_path / "h.npy").read_bytes()[:-8])

    with pytest.raises(InputError, match="is truncated"):
        read_numpy_hessian(tmp_path / "h.npy")
    with pytest.raises(InputError, match="there is no such file"):
        read_numpy_hessian(tmp_path / "none.npy")


@pytest.mark.parametrize(
    ("text", "message"),
    [("# only\n", "holds no numbers"), ("1.0\n2.0\n", "expected one energy, found 2"), ("inf", r"'inf' \(line 1\)")],
)
def test_texts_that_are_no_energy_are_refused(tmp_path, text, message):
    (tmp_path / "e.txt").write_text(text)

    with pytest.raises(InputError, match=message):
        read_energy_text(tmp_path / "e.txt")


def test_size_that_the_file_does_not_have_is_refused_before_memory_is_taken(tmp_path):
    np.save(tmp_path / "h.npy", np.eye(3))
    content = (tmp_path / "h.npy").read_bytes()
    huge = content.replace(b"(3, 3), }" + 12 * b" ", b"(9000000, 9000000), }")
    assert len(huge) == len(content)
    (tmp_path / "h.npy").write_bytes(huge)

    with pytest.raises(InputError, match=r"h\.npy: is not a NumPy array file, or is truncated"):
        read_numpy_hessian(tmp_path / "h.npy")


def test_both_triangles_of_a_hessian_count_alike(tmp_path):
    # By hand: noise of numerical derivatives, 2.0 above the diagonal and 2.001 below.
    noisy = np.array([[3.0, 2.0, 0.0], [2.001, 3.0, 0.0], [0.0, 0.0, 1.0]])
    np.save(tmp_path / "h.npy", noisy)

    found = known(read_numpy_hessian(tmp_path / "h.npy").hessian) / units.HARTREE_PER_BOHR2

    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found[0, 1], 2.0005, rtol=1e-12)
