"""`forgefield relax`: many structures at once, to minima and saddles."""

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

import forgefield as ff
from certain import instance
from forgefield.jobs.estimate import estimate, write_estimated

EXAMPLES = Path(__file__).parents[2] / "examples"
CH3F = EXAMPLES / "ch3f/ch3f.json"


@pytest.fixture(scope="module")
def project_folder(tmp_path_factory):
    """A force field, and three displaced structures of its molecule, two of which have the same name."""
    folder = tmp_path_factory.mktemp("relax")
    made = estimate([CH3F], form="harmonic")
    write_estimated(folder / "ch3f.frcmod", made)
    generator = np.random.default_rng(5)
    (molecule,) = made.molecules
    for name in ("one.xyz", "two.xyz", "other/two.xyz"):
        (folder / name).parent.mkdir(exist_ok=True)
        moved = molecule.positions + 0.05 * generator.normal(size=molecule.positions.shape)
        reference = ff.Reference(species=molecule.species, positions=moved)
        ff.write(folder / name, [(molecule, reference)], drop=["bonds"])
    return folder


@pytest.mark.slow
def test_structures_are_relaxed_and_written_with_energy_and_forces(forgefield, project_folder, tmp_path):
    files = [project_folder / name for name in ("one.xyz", "two.xyz", "other/two.xyz")]

    result = forgefield("relax", project_folder / "ch3f.frcmod", *files, "-o", tmp_path / "relaxed", "--json")

    told = json.loads(result.stdout)["structures"]
    assert result.exit_code == 0
    assert sorted(p.name for p in (tmp_path / "relaxed").iterdir()) == ["one.xyz", "two-1.xyz", "two-2.xyz"]
    assert [s["name"] for s in told] == ["one", "two-1", "two-2"]
    assert all(s["converged"] and s["n_negative"] == 0 and s["gradient_max_kcal_mol_a"] < 1e-6 for s in told)
    relaxed = instance(Atoms, ase.io.read(tmp_path / "relaxed/two-2.xyz"))
    assert np.abs(relaxed.get_forces()).max() < 1e-6
    relaxed.calc = ff.ForgeFieldCalculator(project_folder / "ch3f.frcmod")
    # Files have eight decimals.
    assert np.abs(relaxed.get_forces()).max() < 1e-5


@pytest.mark.slow
def test_structures_that_do_not_converge_are_told_and_marked(forgefield, project_folder, tmp_path):
    words = "relax", project_folder / "ch3f.frcmod", project_folder / "one.xyz", "-o", tmp_path

    result = forgefield(*words, "--max-iterations", 1, "--json")

    (told,) = json.loads(result.stdout)["structures"]
    assert result.exit_code == 1
    assert (told["converged"], told["outcome"]) == (
        False,
        "it did not converge within the number of iterations allowed",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["one.unconverged.xyz"]


def test_python_relaxes_without_writing(project_folder):
    files = [project_folder / name for name in ("one.xyz", "two.xyz", "other/two.xyz")]

    found = ff.relax(project_folder / "ch3f.frcmod", files)

    assert all(one.converged and one.gradient_max < 1e-6 for one in found)
    assert all(0.01 < one.rmsd < 0.3 for one in found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tolerance", "0"), "tolerance must be positive, not 0.0 kcal/mol/Å"),
        (("--max-iterations", "0"), "max-iterations must be 1 or more, not 0"),
        (("absent.xyz",), "absent.xyz: there is no such file"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(forgefield, project_folder, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = forgefield("relax", project_folder / "ch3f.frcmod", project_folder / "one.xyz", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []
