"""Two aldehydes with an MM3* file, and charges that known bond moments make."""

import numpy as np
import pytest

from forgefield import units
from samples import MM3_HEAD

FLD = f"""{MM3_HEAD} 1  CU  C1 C2
-2
 1  C2 = O2                1.2200    10.0000    -1.5000  0000 0000
 1  C2 - H1                1.1100     4.7000     0.1000  0000 0000
 1  C2 - C3                1.5000     4.4000     0.2000  0000 0000
 1  C3 - H1                1.1100     4.7000     0.0000  0000 0000
 2  00 * 00 * 00         110.0000     0.6000     0.0000  0000 0000 0000
-6
  C2     1.9000     0.0500     0.0000                                   0000
  C3     1.9000     0.0500     0.0000                                   0000
  O2     1.8000     0.0500     0.0000                                   0000
  H1     1.6000     0.0500     0.0000                                   0000
 END OF NONBONDED INTERACTIONS
-3
"""
FORMALDEHYDE = ("C2", "O2", "H1", "H1"), ((1, 2, 2), (1, 3, 1), (1, 4, 1))
ACETALDEHYDE = (
    ("C2", "O2", "H1", "C3", "H1", "H1", "H1"),
    ((1, 2, 2), (1, 3, 1), (1, 4, 1), (4, 5, 1), (4, 6, 1), (4, 7, 1)),
)
POSITIONS = {
    4: [[0.0, 0.0, 0.0], [1.22, 0.0, 0.0], [-0.55, 0.96, 0.0], [-0.55, -0.96, 0.0]],
    7: [
        *([0.0, 0.0, 0.0], [1.22, 0.0, 0.0], [-0.55, 0.96, 0.0], [-0.75, -1.30, 0.0]),
        *([-0.1, -2.2, 0.0], [-1.4, -1.35, 0.9], [-1.4, -1.35, -0.9]),
    ],
}
FIT = """
[forcefield]
start = "test.fld"
estimate = "none"
train = [{train}]
[[molecules]]
structures = "*.mol2"
reference = "*.extxyz"
[targets]
{targets}
[fit]
prior = {{ strength = {strength} }}
"""
MOMENTS = '"bond_moment*"'
# The moments, in debye, of which the reference charges are made.
CO, CH = -1.9, 0.3


def mol2(name, types, bonds):
    atoms = zip(types, POSITIONS[len(types)], strict=True)
    rows = [f"{i} {t}{i} {x} {y} {z} {t} 1 RES 0.0" for i, (t, (x, y, z)) in enumerate(atoms, 1)]
    ends = [f"{i} {a} {b} {order}" for i, (a, b, order) in enumerate(bonds, 1)]
    counts = f"{len(types)} {len(bonds)} 1 0 0"
    return "\n".join(
        ["@<TRIPOS>MOLECULE", name, counts, "SMALL", "NO_CHARGES", "@<TRIPOS>ATOM", *rows, "@<TRIPOS>BOND", *ends, ""]
    )


def xyz(types, charges):
    """A frame with charges and without forces."""
    head = 'Properties=species:S:1:pos:R:3:esp_charges:R:1:forces:R:3 pbc="F F F"'
    rows = [
        f"{t[0]} {x} {y} {z} {q} 0.0 0.0 0.0"
        for t, (x, y, z), q in zip(types, POSITIONS[len(types)], charges, strict=True)
    ]
    return "\n".join([str(len(types)), head, *rows, ""])


@pytest.fixture(scope="module")
def aldehydes(tmp_path_factory):
    """Writes a FIT.toml beside two aldehydes whose charges come from known moments."""
    folder = tmp_path_factory.mktemp("charges")
    (folder / "test.fld").write_text(FLD)
    oxygen, hydrogen, methyl = CO / 1.22, CH / 1.11, 0.2 / 1.5
    debye = units.DEBYE
    # The atom that a row names first gains what the other loses.
    formaldehyde = np.array([oxygen + 2 * hydrogen, -oxygen, -hydrogen, -hydrogen]) * debye
    acetaldehyde = np.array([oxygen + hydrogen + methyl, -oxygen, -hydrogen, -methyl, 0.0, 0.0, 0.0]) * debye
    for name, (types, bonds), charges in (
        ("formaldehyde", FORMALDEHYDE, formaldehyde),
        ("acetaldehyde", ACETALDEHYDE, acetaldehyde),
    ):
        (folder / f"{name}.mol2").write_text(mol2(name, types, bonds))
        (folder / f"{name}.extxyz").write_text(xyz(types, charges))

    def written(targets="charges = { tolerance = 0.05 }", train=MOMENTS, strength=0.0):
        path = folder / "FIT.toml"
        path.write_text(FIT.format(targets=targets, train=train, strength=strength))
        return path

    return written
