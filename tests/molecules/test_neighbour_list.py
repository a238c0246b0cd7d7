import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.molecules.neighbour_list import CapacityError, neighbour_list, rung

CELL = np.array([[4.0, 0.0, 0.0], [1.0, 4.5, 0.0], [0.3, -0.7, 5.0]])


def pairs_by_hand(positions, cell, periodic, cutoff):
    """Every (first, second, vector) within the cut-off, from images three cells around."""
    ranges = [range(-3, 4) if p else [0] for p in periodic]
    found = set()
    for shift in np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3):
        d = positions[None] + shift @ cell - positions[:, None]
        r = np.linalg.norm(d, axis=-1)
        for i, j in zip(*np.nonzero((r < cutoff) & (r > 1e-9)), strict=True):
            found.add((int(i), int(j), *np.round(d[i, j], 6) + 0.0))
    return found


@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True), (False, False, False)])
def test_pairs_are_those_of_a_search_over_all_images(generator, periodic):
    positions = generator.uniform(size=(7, 3)) @ CELL
    found = neighbour_list(positions, 5.0, 0.5, CELL, periodic).neighbours

    d = positions[found.atom] - positions[:, None] + (0.0 if found.shift is None else found.shift)
    i, k = np.nonzero(found.valid)
    listed = [(int(a), int(found.atom[a, b]), *np.round(d[a, b], 6) + 0.0) for a, b in zip(i, k, strict=True)]

    assert len(listed) == len(set(listed))
    assert set(listed) == pairs_by_hand(positions, CELL, periodic, 5.5)


def test_a_list_holds_until_an_atom_has_moved_by_half_the_skin(generator):
    positions = generator.uniform(size=(5, 3)) @ CELL
    made = neighbour_list(positions, 4.0, 0.6, CELL, (True, True, True))
    little, much = positions.copy(), positions.copy()
    little[2, 1] += 0.29
    much[2, 1] += 0.31

    assert made.holds(little, CELL)
    assert not made.holds(much, CELL)
    assert not made.holds(positions, 1.001 * CELL)
    assert not made.holds(positions)


def test_more_neighbours_than_places_are_an_error_that_names_the_atom(generator):
    positions = np.concatenate([np.zeros((1, 3)), generator.normal(size=(6, 3)) * 0.5 + 1.0, [[40.0, 0.0, 0.0]]])

    with pytest.raises(CapacityError, match=r"atom 1 has 6 neighbours within 5 Å, but the list has 5 places"):
        neighbour_list(positions, 4.5, 0.5, places=5)


def test_renewing_keeps_the_places_and_adds_some_where_they_run_out(generator):
    spread = 30.0 * np.arange(8.0)[:, None] * np.ones(3)
    close = generator.uniform(size=(8, 3))
    made = neighbour_list(spread, 4.0, 0.5, places=3)

    assert made.renewed(spread + 1.0).places == 3
    assert made.renewed(close).places >= 7
    assert made.renewed(close).neighbours.valid.sum() == 56


@pytest.mark.parametrize("volume", [0.1, 0.999, 1.001, 10.0])
def test_places_change_seldom_in_a_cell_that_shrinks_or_grows(generator, volume):
    # Each other number of places has to be compiled.
    inside = generator.uniform(size=(8, 3))
    edge = 6.0
    made = neighbour_list(edge * inside, 4.0, 0.5, edge * np.eye(3), (True, True, True))
    places = [made.places]

    for step in range(1, 31):
        length = edge * volume ** (step / 90)
        made = made.renewed(length * inside, length * np.eye(3))
        places.append(made.places)

    assert len(set(places)) <= 3


def test_a_list_that_has_long_been_too_large_becomes_smaller(generator):
    spread, close = 30.0 * np.arange(8.0)[:, None] * np.ones(3), generator.uniform(size=(8, 3))
    made = neighbour_list(spread, 4.0, 0.5).renewed(close)
    assert made.places == 16

    for _ in range(101):
        made = made.renewed(spread)

    assert made.places == 4


def test_places_stand_on_a_ladder():
    assert [rung(n) for n in (0, 4, 5, 6, 11, 40, 44)] == [4, 6, 6, 8, 16, 48, 64]


def test_a_periodic_system_without_volume_is_refused():
    with pytest.raises(InputError, match="span a volume"):
        neighbour_list(np.zeros((1, 3)), 4.0, 0.5, np.diag([5.0, 5.0, 0.0]), (True, True, False))
