"""`forgefield fit` with torsions V1 to V6: hydrogen peroxide turned about its bond."""

import json

import numpy as np
import pytest

from forgefield import units

# kcal/mol
SERIES = np.array([3.1, -2.2, 1.4, 0.6, -0.35, 0.15])
ANGLES = np.radians(np.arange(0.0, 181.0, 15.0))
FIT = """
[forcefield]
form = "{form}"
terms = ["stretch", "bend", "{torsion}"]
estimate = "none"
train = ["torsion*"]
[[molecules]]
reference = "scan.extxyz"
[targets]
energy = {{ tolerance = 0.1 }}
[fit]
prior = {{ strength = 0.0 }}
"""


def turned(angle):
    """Bonds of 0.97 and 1.45 Å at right angles, one end turned by an angle."""
    end = [0.0, 0.97 * np.cos(angle), 0.97 * np.sin(angle)]
    return [[-0.725, 0.97, 0.0], [-0.725, 0.0, 0.0], [0.725, 0.0, 0.0], [0.725 + end[0], *end[1:]]]


def energy(angle):
    """½ Σ V (1 ± cos nφ) [Hartree]."""
    n = np.arange(1, 7)
    return 0.5 * float(np.sum(SERIES * (1.0 - (-1.0) ** n * np.cos(n * angle)))) / units.HARTREE


@pytest.fixture
def write(tmp_path):
    def written(torsion, form="harmonic"):
        frames = []
        for angle in ANGLES:
            rows = [f"{s} {x:.15f} {y:.15f} {z:.15f}" for s, (x, y, z) in zip("HOOH", turned(angle), strict=True)]
            frames += ["4", f'Properties=species:S:1:pos:R:3 energy_hartree={energy(angle)!r} pbc="F F F"', *rows]
        (tmp_path / "scan.extxyz").write_text("\n".join([*frames, ""]))
        (tmp_path / "FIT.toml").write_text(FIT.format(torsion=torsion, form=form))
        return tmp_path / "FIT.toml"

    return written


def fitted(forgefield, path):
    result = forgefield("fit", path, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    return told, [p["value"] for p in told["parameters"] if p["name"].startswith("torsion")]


@pytest.mark.slow
def test_the_series_that_made_the_energies_is_found(forgefield, write):
    told, series = fitted(forgefield, write("torsion6"))

    np.testing.assert_allclose(series, SERIES, rtol=0, atol=1e-6)
    assert told["metrics"]["final"]["energy_rmsd_kcal_mol"] < 1e-6


@pytest.mark.slow
def test_three_members_leave_the_others_over(forgefield, write):
    told, series = fitted(forgefield, write("torsion"))

    assert len(series) == 3
    assert told["metrics"]["final"]["energy_rmsd_kcal_mol"] > 0.1


def test_a_format_without_room_for_the_series_is_told(forgefield, write):
    path = write("torsion6", form="mm3")
    path.write_text(path.read_text().replace("[[molecules]]", 'write = ["fld"]\n[[molecules]]'))

    result = forgefield("fit", path, "--check")

    assert result.exit_code == 2
    assert "an MM3* file cannot hold torsion6" in " ".join(result.stderr.split())
