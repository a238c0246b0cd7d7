"""Positions of AMBER and GROMACS are read with any width of columns, and only together with their topology."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import netcdf_file

from forgefield.errors import InputError
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.molecules import read_structures
from forgefield.io.structures.coordinates.gro import read_gro
from forgefield.io.structures.coordinates.inpcrd import read_inpcrd

INPCRD = "two atoms\n    2  0.1\n  -0.9931000   0.2635000   0.0381000-100.3032000  -0.4128000  -0.3034000\n"
POSITIONS = [[-0.9931, 0.2635, 0.0381], [-100.3032, -0.4128, -0.3034]]


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_formatted_coordinates_may_touch_and_have_velocities_behind_them(tmp_path):
    path = written(tmp_path, "a.rst7", INPCRD + "   1.0000000" * 6 + "\n")

    np.testing.assert_allclose(read_inpcrd(path).positions, POSITIONS)


def test_restart_files_of_netcdf_are_read(tmp_path):
    with netcdf_file(tmp_path / "a.ncrst", "w") as file:
        file.createDimension("atom", 2)
        file.createDimension("spatial", 3)
        file.createVariable("coordinates", "d", ("atom", "spatial"))[:] = POSITIONS

    np.testing.assert_allclose(read_inpcrd(tmp_path / "a.ncrst").positions, POSITIONS)


@pytest.mark.parametrize(("decimals", "velocities"), [(3, ""), (6, "  0.1000  0.2000  0.3000")])
def test_columns_of_gro_are_as_wide_as_their_decimals_say(tmp_path, decimals, velocities):
    width = decimals + 5
    row = f"    1MOL     C1    1{0.1:{width}.{decimals}f}{-1.25:{width}.{decimals}f}{9.5:{width}.{decimals}f}"
    path = written(tmp_path, "a.gro", f"title\n 1\n{row}{velocities}\n 1.0 1.0 1.0\n")

    found = read_gro(path)

    np.testing.assert_allclose(found.positions, [[1.0, -12.5, 95.0]])
    assert found.names == ("C1",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.inpcrd", "title\nnone\n", "the number of atoms is 'none', expected an integer"),
        (
            "a.inpcrd",
            INPCRD.replace("    2 ", "    3 "),
            "holds 6 coordinates, not three for each of 3 atoms",
        ),
        ("a.inpcrd", INPCRD.replace("0.2635000", "*********"), "a.inpcrd, line 3: '*********' is not a finite number"),
        ("a.rst7", "CDF damaged", "is no NetCDF restart file of AMBER, or is damaged"),
        ("a.gro", "title\n 2\n    1MOL     C1    1   0.100   0.200   0.300\n", "holds 1 atoms, not 2; it is cut"),
        ("a.gro", "title\n 1\n    1MOL     C1    1   0.100   0.200\n 1 1 1\n", "does not state three coordinates"),
    ],
)
def test_damaged_coordinates_are_named(tmp_path, name, text, message):
    path = written(tmp_path, name, text)

    with pytest.raises(InputError) as refusal:
        (read_gro if path.suffix == ".gro" else read_inpcrd)(path)

    assert message in str(refusal.value)


def test_positions_alone_are_of_no_use_and_those_of_others_refused(data, tmp_path):
    amber = data / "programs" / "amber"
    system = read_prmtop(amber / "propionitrile.prmtop").system

    with pytest.raises(InputError, match="holds positions without elements; give it with the topology"):
        read_structures(amber / "propionitrile.inpcrd")
    with pytest.raises(InputError, match=r"thiazole.inpcrd: has 11 atoms, but .*propionitrile.prmtop 9"):
        read_structures(amber / "thiazole.inpcrd", system=system)
    swapped = (amber / "propionitrile.gro").read_text().replace("C3    3", "N1    3").replace("N1    4", "C3    4")
    with pytest.raises(InputError, match=r"atom 3 is N1, but C3 in .*; give the structure in the order"):
        read_structures(written(tmp_path, "a.gro", swapped), system=system)
