import pytest

from forgefield.errors import InputError
from forgefield.molecules.scan_grid import Grid, Turned, full_turn, wrapped

FIRST, SECOND = (0, 1, 2, 3), (1, 2, 3, 4)


def test_full_turn_visits_each_angle_once_and_closes():
    turned = full_turn(FIRST, 90)

    assert turned.angles == [-90, 0, 90, 180]
    assert Grid((turned,)).neighbours((180,)) == [(90,), (-90,)]


def test_range_that_crosses_180_degrees_goes_on_and_has_ends():
    turned = Turned(FIRST, 20, 160, 220)

    assert turned.angles == [160, 180, -160, -140]
    assert Grid((turned,)).neighbours((-140,)) == [(-160,)]
    assert Grid((turned,)).neighbours((180,)) == [(160,), (-160,)]


def test_turn_from_0_to_360_degrees_counts_its_ends_once():
    turned = Turned(FIRST, 120, 0, 360)

    assert turned.angles == [0, 120, -120]
    assert turned.is_closed


def test_grid_of_two_dihedrals_is_their_product():
    grid = Grid((full_turn(FIRST, 180), Turned(SECOND, 30, 0, 60)))

    assert grid.points == [(0, 0), (0, 30), (0, 60), (180, 0), (180, 30), (180, 60)]
    assert set(grid.neighbours((0, 30))) == {(180, 30), (0, 0), (0, 60)}


@pytest.mark.parametrize(("angle", "same"), [(180, 180), (-180, 180), (190, -170), (360, 0), (-190, 170)])
def test_angles_are_wrapped_to_180(angle, same):
    assert wrapped(angle) == same


@pytest.mark.parametrize("told", [(7, 0, 60), (15, 60, 0), (0, 0, 60), (15, 0, 375)])
def test_range_that_is_no_whole_number_of_steps_is_refused(told):
    with pytest.raises(InputError, match="whole number of steps"):
        Turned(FIRST, *told)


def test_step_that_does_not_divide_a_turn_is_refused():
    with pytest.raises(InputError, match="no whole number of steps of 7°"):
        full_turn(FIRST, 7)
