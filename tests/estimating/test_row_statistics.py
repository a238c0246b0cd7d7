import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forgefield.estimating.row_statistics import estimate_rows


def test_mean_and_spread_of_each_row_are_those_worked_out_by_hand():
    rows = estimate_rows(np.array([1.0, 10.0, 3.0, 8.0]), np.array([0, 2, 0, 2]), 3)

    np.testing.assert_array_equal(rows.mean, [2.0, np.nan, 9.0])
    np.testing.assert_array_equal(rows.std, [1.0, np.nan, 1.0])
    np.testing.assert_array_equal(rows.minimum, [1.0, np.nan, 8.0])
    np.testing.assert_array_equal(rows.maximum, [3.0, np.nan, 10.0])
    np.testing.assert_array_equal(rows.count, [2, 0, 2])


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 3)), max_size=20), st.randoms())
def test_the_order_of_interactions_does_not_matter(pairs, shuffle):
    shuffled = pairs.copy()
    shuffle.shuffle(shuffled)

    first, second = (
        estimate_rows(np.array([v for v, _ in p], float), np.array([r for _, r in p], int), 4)
        for p in (pairs, shuffled)
    )

    np.testing.assert_allclose(first.mean, second.mean, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(first.std, second.std, rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(first.maximum, second.maximum)
