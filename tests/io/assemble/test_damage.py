"""Digits of a geometry and of a Hessian that were changed: what else the file says gives them away."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.consistency import check_energy, check_frame
from forgefield.io.assemble.damage import check_elements, check_halves
from forgefield.io.references import read_reference
from forgefield.molecules.molecule import Reference

GOLDEN = Path(__file__).parents[1] / "qm" / "golden"
FILES = {"gradient known": "nwchem/mecn-opt-freq.out", "gradient unknown": "mopac/mecn-force.aux"}


@pytest.fixture(params=FILES.values(), ids=list(FILES), scope="module")
def acetonitrile(request) -> Reference:
    (reference,) = read_reference([GOLDEN / f"{request.param}.gz"])
    return reference


def test_a_position_that_was_changed_is_named_with_the_right_one(acetonitrile):
    moved = acetonitrile.positions.copy()
    moved[4, 1] += 0.1

    with pytest.raises(InputError, match="the position of atom H5 contradicts the Hessian") as told:
        check_frame(replace(acetonitrile, positions=moved))

    numbers = str(told.value).partition("about ")[2].partition(" Å")[0].split(",")
    np.testing.assert_allclose([float(word) for word in numbers], acetonitrile.positions[4], atol=0.04)


def test_an_element_that_was_changed_is_named_with_the_right_one(acetonitrile):
    hessian = known(acetonitrile.hessian).copy()
    right = hessian[4, 7]
    hessian[4, 7] = hessian[7, 4] = right + 20.0

    assert check_elements(acetonitrile) is None
    with pytest.raises(InputError, match=r"the element \(5, 8\) of the Hessian is") as told:
        check_elements(replace(acetonitrile, hessian=hessian))

    np.testing.assert_allclose(float(str(told.value).partition("ask for ")[2].partition(";")[0]), right, atol=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_small_error_is_named_where_it_stands_alone(acetonitrile, generator, noise):
    hessian = known(acetonitrile.hessian) + noise * generator.normal(size=(18, 18))
    hessian = (hessian + hessian.T) / 2.0
    hessian[4, 7] = hessian[7, 4] = hessian[4, 7] + 0.1
    changed = replace(acetonitrile, hessian=hessian)

    if noise == 0.0:
        with pytest.raises(InputError, match=r"the element \(5, 8\) of the Hessian is"):
            check_elements(changed)
    else:
        assert check_elements(changed) is None


@pytest.mark.parametrize(("error", "is_told"), [(1.2, True), (0.1, False)])
def test_an_error_is_told_from_the_noise_of_its_columns_though_others_are_noisier(acetonitrile, error, is_told):
    heavy = np.repeat(acetonitrile.species, 3) > 1
    noise = np.random.default_rng(2).normal(size=(18, 18)) * np.outer(heavy, heavy)
    hessian = known(acetonitrile.hessian) + noise + noise.T
    h = np.flatnonzero(~heavy)
    hessian[h[0], h[4]] = hessian[h[4], h[0]] = hessian[h[0], h[4]] + error
    changed = replace(acetonitrile, hessian=hessian)

    if is_told:
        with pytest.raises(InputError, match=rf"the element \({h[0] + 1}, {h[4] + 1}\) of the Hessian is"):
            check_elements(changed)
    else:
        assert check_elements(changed) is None


def test_an_element_that_is_not_its_mirror_image_is_named(acetonitrile):
    hessian = known(acetonitrile.hessian).copy()
    hessian[11, 2] += 0.3

    with pytest.raises(InputError, match=r"a\.hess: the elements \(3, 12\) and \(12, 3\) of the Hessian are"):
        check_halves("a.hess", hessian)


def test_halves_that_differ_by_the_noise_of_finite_differences_are_accepted(acetonitrile, generator):
    hessian = known(acetonitrile.hessian)

    check_halves("a.hess", hessian + generator.normal(scale=2.0, size=hessian.shape))


def test_several_elements_that_were_changed_are_refused(acetonitrile):
    hessian = known(acetonitrile.hessian).copy()
    for i, j in ((3, 6), (4, 13), (2, 8)):
        hessian[i, j] = hessian[j, i] = hessian[i, j] + 30.0

    with pytest.raises(InputError, match=r"along [xyz] is not free of force: in column \d+ .*; the file is damaged"):
        check_elements(replace(acetonitrile, hessian=hessian))


def test_noise_in_all_columns_is_not_called_damage(acetonitrile, generator):
    noise = generator.normal(scale=3.0, size=known(acetonitrile.hessian).shape)
    noisy = replace(acetonitrile, hessian=known(acetonitrile.hessian) + noise + noise.T)

    with pytest.raises(InputError, match="is the grid of the job too coarse for its functional"):
        check_elements(noisy)


@pytest.mark.parametrize("factor", [27.2114, -1.0])
def test_an_energy_that_the_atoms_cannot_have_is_refused(acetonitrile, factor):
    energy = -132.0 * units.HARTREE

    assert check_energy(replace(acetonitrile, energy=energy)) is None
    with pytest.raises(InputError, match=r"that of these atoms lies between -\d+\.\d+ and 30; is it in another unit"):
        check_energy(replace(acetonitrile, energy=factor * energy))
