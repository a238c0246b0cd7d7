"""What looks wrong in structures is named, and what only looks so is not."""

import json
import warnings

import pytest

from forgefield.errors import InputWarning
from forgefield.io.molecules import read_structures

ETHANE = [
    ("C", 0.0, 0.0, 0.0),
    ("C", 1.53, 0.0, 0.0),
    ("H", -0.38, 1.03, 0.0),
    ("H", -0.38, -0.51, 0.89),
    ("H", -0.38, -0.51, -0.89),
    ("H", 1.91, -1.03, 0.0),
    ("H", 1.91, 0.51, 0.89),
    ("H", 1.91, 0.51, -0.89),
]
# Propane by ideal angles, all C-H 1.09 Å.
PROPANE = [
    *[("C", 0.0, 0.587, 0.0), ("C", 1.277, -0.256, 0.0), ("C", -1.277, -0.256, 0.0)],
    *[("H", 0.0, 1.247, 0.867), ("H", 0.0, 1.247, -0.867), ("H", 2.165, 0.377, 0.0), ("H", 1.318, -0.898, 0.88)],
    *[
        ("H", 1.318, -0.898, -0.88),
        ("H", -2.165, 0.377, 0.0),
        ("H", -1.318, -0.898, 0.88),
        ("H", -1.318, -0.898, -0.88),
    ],
]
STRETCHED = [*PROPANE[:5], ("H", 2.265, 0.449, 0.0), *PROPANE[6:]]
BARE_PROPANE = [("C", 0.0, 0.0, 0.0), ("C", 1.53, 0.0, 0.0), ("C", 2.1, 1.42, 0.0), ("O", 3.5, 1.4, 0.0)]
METHYL = [("C", 0.0, 0.0, 0.0), ("H", 1.02, 0.0, 0.35), ("H", -0.51, 0.88, 0.35), ("H", -0.51, -0.88, 0.35)]
CARBENE = [("C", 0.0, 0.0, 0.0), ("F", 0.0, 1.05, 0.78), ("F", 0.0, -1.05, 0.78), ("H", 0.0, 0.0, 2.6)]
IRON = [("Fe", 0.0, 0.0, 0.0), ("C", 1.9, 0.0, 0.0), ("C", 2.4, 1.4, 0.0)]


def xyz(atoms, comment=""):
    """Return an xyz file."""
    return f"{len(atoms)}\n{comment}\n" + "".join(f"{e} {x} {y} {z}\n" for e, x, y, z in atoms)


def mol2(atoms, bonds):
    """Return a mol2 file with these bonds (i, j, type)."""
    rows = [f"{k} {e}{k} {x} {y} {z} {e}.3 1 MOL 0.0" for k, (e, x, y, z) in enumerate(atoms, 1)]
    links = [f"{k} {i} {j} {kind}" for k, (i, j, kind) in enumerate(bonds, 1)]
    head = f"@<TRIPOS>MOLECULE\nthing\n{len(atoms)} {len(bonds)}\nSMALL\nNO_CHARGES\n"
    return "\n".join([head, "@<TRIPOS>ATOM", *rows, "@<TRIPOS>BOND", *links, ""]).replace("H.3", "H")


def scaled(atoms, factor):
    """Return atoms with all distances times a factor."""
    return [(e, factor * x, factor * y, factor * z) for e, x, y, z in atoms]


WATER = [("O", 0.0, 0.0, 0.0), ("H", 0.96, 0.0, 0.0), ("H", -0.24, 0.93, 0.0)]
CYANIDE = [("H", 0.0, 0.0, 0.0), ("C", 1.065, 0.0, 0.0), ("N", 2.22, 0.0, 0.0)]
IN_BOHR = 1.0 / 0.529177


def qcschema(atoms):
    """Return a QCSchema molecule with these numbers as its geometry, which is in Bohr."""
    geometry = [value for atom in atoms for value in atom[1:]]
    symbols = [atom[0] for atom in atoms]
    return json.dumps(
        {"schema_name": "qcschema_molecule", "schema_version": 2, "symbols": symbols} | {"geometry": geometry}
    )


ODD = {
    "water in Bohr": (xyz(scaled(WATER, IN_BOHR)), ".xyz", r"look to be in Bohr, but were read in Å: O1-H2 .* 1\.81 Å"),
    "hydrogen cyanide in Bohr": (xyz(scaled(CYANIDE, IN_BOHR)), ".xyz", "look to be in Bohr"),
    "energies in Bohr": (xyz(scaled(PROPANE, IN_BOHR), "energy_hartree=-118.0"), ".xyz", "look to be in Bohr"),
    "bonds in Bohr": (mol2(scaled(ETHANE, IN_BOHR), [(1, 2, "1"), (1, 3, "1")]), ".mol2", "look to be in Bohr"),
    "water in Å": (qcschema(WATER), ".json", "look to be in Å, but were read in Bohr: O1-H2"),
    "overlap": (
        xyz([*ETHANE[:2], ("H", 1.53, 0.0, 0.3), *ETHANE[3:]]),
        ".xyz",
        r"atoms overlap in odd: C2-H3 \(0\.30 Å\)",
    ),
    "far": (xyz([*ETHANE[:7], ("H", 19.1, 0.5, -0.9)]), ".xyz", r"far from all others in odd: H8 \(17\.\d Å\)"),
    "angles": (xyz(BARE_PROPANE), ".xyz", "hydrogens look to be missing in odd: C1, C2, C3"),
    "second frame": (xyz(ETHANE) + xyz([*ETHANE[:7], ("H", 19.1, 0.5, -0.9)]), ".xyz", "far from all others in odd-2"),
    "orders": (mol2(ETHANE[:5], [(1, 2, "2"), (1, 3, "1"), (1, 4, "1")]), ".mol2", "missing in thing: C2"),
    "a bond unlike others": (
        xyz(STRETCHED),
        ".xyz",
        r"bonds to hydrogen are unlike all others in odd: C2-H6 \(1\.2\d\d Å, others 1\.0\d\d Å\)",
    ),
    "lengths": (mol2(ETHANE, [(1, 2, "1"), (1, 6, "1")]), ".mol2", r"impossible lengths in thing: C1-H6 \(2\.17 Å\)"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_looks_wrong_is_named(case, tmp_path):
    text, suffix, message = ODD[case]
    path = tmp_path / f"odd{suffix}"
    path.write_text(text)

    with pytest.warns(InputWarning, match=message):
        read_structures(path)


SOUND = {
    "whole": xyz(ETHANE),
    "radical": xyz(METHYL, "charge=0 multiplicity=2"),
    "anion": xyz(METHYL, "charge=-1"),
    "carbene beside a hydrogen on its way": xyz(CARBENE, "charge=0 multiplicity=2"),
    "at a metal": xyz(IRON, "charge=0 multiplicity=1"),
    "equal bonds": xyz(PROPANE),
    "a hydrogen on its way": xyz([*STRETCHED, ("O", 3.3, 1.2, 0.0), ("H", 4.2, 0.8, 0.0)], "multiplicity=2"),
    "atoms on their way": xyz(scaled(WATER, IN_BOHR), "energy_hartree=-76.0") + xyz(WATER, "energy_hartree=-76.4"),
    "two atoms apart": xyz([("H", 0.0, 0.0, 0.0), ("F", 1.75, 0.0, 0.0)]),
    "noble gases": xyz([("Ar", 0.0, 0.0, 0.0), ("Ar", 3.8, 0.0, 0.0)]),
}


@pytest.mark.parametrize("case", SOUND)
def test_what_only_looks_so_is_not(case, tmp_path):
    path = tmp_path / "sound.xyz"
    path.write_text(SOUND[case])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_structures(path)
