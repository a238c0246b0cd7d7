"""Masses of dynamics: weights by default, isotopes where they are asked for, and never others than the user means."""

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.jobs.md.masses import chosen_masses


def extended(path, masses):
    """Write water with these masses."""
    rows = zip("OHH", ("0 0 0", "0.76 0.59 0", "-0.76 0.59 0"), masses, strict=True)
    lines = [f"{element} {place} {mass}" for element, place, mass in rows]
    path.write_text("3\nProperties=species:S:1:pos:R:3:masses:R:1\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("choice", "masses"),
    [
        (None, [12.011, 35.45, 1.008]),
        ("weights", [12.011, 35.45, 1.008]),
        ("isotopes", [12.0, 34.96885268, 1.00782503]),
    ],
)
def test_masses_are_weights_unless_isotopes_are_asked_for(choice, masses, tmp_path):
    structure = tmp_path / "chloromethane.xyz"
    structure.write_text("5\n\n" + "".join(f"{z} {k} 0 0\n" for k, z in enumerate(("C", "Cl", "H", "H", "H"))))

    found = chosen_masses(single(read_structures(structure)), choice)

    np.testing.assert_allclose(found, [masses[0], masses[1], *[masses[2]] * 3], rtol=1e-7)


def test_isotopes_that_a_file_states_are_taken_or_refused_but_never_passed_over(tmp_path):
    heavy = single(read_structures(extended(tmp_path / "d2o.xyz", (15.9949, 2.0141, 2.0141))))

    with pytest.raises(InputError, match=r"d2o.xyz: states masses of other isotopes \(H2 2.0141, H3 2.0141 amu\)"):
        chosen_masses(heavy, None)

    np.testing.assert_array_equal(chosen_masses(heavy, "file"), [15.9949, 2.0141, 2.0141])
    np.testing.assert_allclose(chosen_masses(heavy, "weights"), [15.999, 1.008, 1.008])


@pytest.mark.parametrize("masses", [(15.999, 1.008, 1.008), (15.9949146, 1.00782503, 1.008)])
def test_usual_masses_in_a_file_leave_the_default_as_it_is(masses, tmp_path):
    water = single(read_structures(extended(tmp_path / "water.xyz", masses)))

    np.testing.assert_allclose(chosen_masses(water, None), [15.999, 1.008, 1.008])


def test_masses_of_a_file_without_any_are_refused(tmp_path):
    (tmp_path / "water.xyz").write_text("3\n\nO 0 0 0\nH 0 1 0\nH 1 0 0\n")

    with pytest.raises(InputError, match="states no masses; choose --masses weights or isotopes"):
        chosen_masses(single(read_structures(tmp_path / "water.xyz")), "file")
