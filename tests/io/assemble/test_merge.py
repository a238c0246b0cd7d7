from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from certain import known
from forgefield.errors import InputError
from forgefield.io.assemble.merge import merged
from forgefield.io.assemble.parts import Part
from forgefield.io.assemble.superposition import rotated_hessian


@pytest.fixture
def full(generator):
    hessian = generator.normal(size=(12, 12))
    return Part(
        source="a.fchk",
        species=np.array([6, 8, 1, 1]),
        positions=generator.normal(size=(4, 3)),
        energy=-10.0,
        gradient=generator.normal(size=(4, 3)),
        hessian=hessian + hessian.T,
        level="RHF/STO-3G",
        charge=-1,
    )


def turned(part, turn, **changes):
    return replace(
        part,
        positions=part.positions @ turn + 2.0,
        gradient=part.gradient @ turn,
        hessian=rotated_hessian(part.hessian, turn),
        **changes,
    )


@pytest.fixture
def turn(generator):
    return Rotation.random(rng=generator).as_matrix()


def test_what_one_file_lacks_comes_from_the_other(full):
    frequencies = np.arange(1.0, 7.0)
    printed = Part(source="a.log", frequencies=frequencies, masses=np.array([12.0, 16.0, 1.0, 2.0]))

    reference = merged([full, printed])

    assert reference.frequencies is frequencies
    assert (known(reference.masses)[3], reference.charge) == (2.0, -1)
    assert reference.sources == ("a.fchk", "a.log")
    assert reference.hessian is full.hessian


def test_frame_is_that_of_the_first_hessian_and_gradients_are_turned_into_it(full, turn):
    other = replace(turned(full, turn, source="a.log"), hessian=None)
    first = replace(full, gradient=None)

    reference = merged([other, first])

    np.testing.assert_array_equal(reference.positions, full.positions)
    np.testing.assert_allclose(known(reference.gradient), full.gradient, atol=1e-13)


def test_hessians_of_two_frames_are_compared_after_rotation(full, turn):
    merged([full, turned(full, turn, source="a.log")])

    with pytest.raises(InputError, match=r"hessian: a\.fchk and a\.log differ by .* kcal/mol/Å²"):
        merged([full, turned(replace(full, hessian=full.hessian + 3.0), turn, source="a.log")])


def test_array_without_geometry_takes_the_only_frame(full, turn):
    bare = Part(source="a.npy", hessian=full.hessian)
    placed = replace(full, hessian=None, gradient=None)
    other = replace(turned(full, turn, source="b.xyz"), hessian=None, gradient=None)

    assert merged([placed, bare]).hessian is full.hessian
    with pytest.raises(
        InputError, match=r"a\.npy holds no geometry, and .* different orientations \(a\.fchk against b\.xyz"
    ):
        merged([placed, bare, other])


def test_files_without_geometry_are_refused():
    with pytest.raises(InputError, match=r"a\.npy: none of these files holds a geometry; add one"):
        merged([Part(source="a.npy", hessian=np.eye(3))])


def test_hessian_of_another_size_is_refused(full):
    with pytest.raises(InputError, match=r"a\.npy: 4 atoms, but hessian of 9 rows, expected 12"):
        merged([replace(full, hessian=None), Part(source="a.npy", hessian=np.eye(9))])


def test_all_contradictions_are_listed(full):
    other = replace(full, source="a.log", energy=-9.0, level="UHF/STO-3G", charge=0, hessian=None)

    with pytest.raises(InputError) as caught:
        merged([full, other])

    message = str(caught.value)
    assert "energy: a.fchk and a.log differ by 1 kcal/mol" in message
    assert "charge: -1 in a.fchk, 0 in a.log" in message
    assert "level: RHF/STO-3G in a.fchk, UHF/STO-3G in a.log" in message


def test_another_structure_is_refused(full):
    moved = replace(full, source="b.log", positions=full.positions + np.eye(4, 3))

    with pytest.raises(InputError, match=r"b\.log and a\.fchk are not of the same geometry"):
        merged([full, moved])
