"""`forgefield reference --scan`, and scans as examples of a fit."""

import json
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.formats import format_of
from forgefield.io.references import read_reference
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.load import load

scan = pytest.importorskip(
    "forgefield.engines.qm.relaxed_scan", reason="the extra qm is not installed", exc_type=ImportError
)
job = pytest.importorskip("forgefield.jobs.scan", reason="the extra qm is not installed", exc_type=ImportError)

PEROXIDE = "4\n\nO 0 0 0\nO 1.45 0 0\nH -0.2 0.95 0\nH 1.65 0 0.95\n"
SCAN = Path(__file__).parents[2] / "examples" / "butane" / "scan.json"
FIT = """
[[molecules]]
reference = {reference}
{more}
[targets]
energy = {{ tolerance = 0.5 }}
"""


@pytest.fixture
def peroxide(tmp_path):
    path = tmp_path / "peroxide.xyz"
    path.write_text(PEROXIDE)
    return path


@pytest.fixture
def loaded(tmp_path):
    def of(reference: str, more: str = ""):
        (tmp_path / "FIT.toml").write_text(FIT.format(reference=reference, more=more))
        return load(read_plan(tmp_path / "FIT.toml")).examples

    return of


@pytest.mark.parametrize(
    ("told", "angles"),
    [
        ({"points": 4}, [-90, 0, 90, 180]),
        ({"step": 120}, [-60, 60, 180]),
        ({"points": 3, "ranges": ["0:180"]}, [0, 90, 180]),
        ({"step": 30, "ranges": ["-60:0"]}, [-60, -30, 0]),
    ],
)
def test_grid_is_read_from_words(told, angles):
    (turned,) = job.grid_of(["3-1-2-4"], **told).turned

    assert turned.atoms == (2, 0, 1, 3)
    assert turned.angles == angles


def test_several_dihedrals_have_a_range_each_or_share_one():
    shared = job.grid_of(["1-2-3-4", "2-3-4-5"], ranges=["0:60"])
    own = job.grid_of(["1-2-3-4", "2-3-4-5"], step=60, ranges=["0:60", "-60:180"])

    assert len(shared.points) == 3 * 3
    assert len(own.points) == 2 * 5


@pytest.mark.parametrize(
    ("chain", "told", "message"),
    [
        ("1-2-3", {}, "--scan '1-2-3': expected four atoms counted from 1, such as 1-2-3-4"),
        ("C-2-3-4", {}, "--scan 'C-2-3-4': expected four atoms"),
        ("1-2-3-4", {"points": 7}, "--points 7: the points are no whole degrees apart"),
        ("1-2-3-4", {"points": 1, "ranges": ["0:60"]}, "--points 1 from 0° to 60°"),
        ("1-2-3-4", {"ranges": ["0-60"]}, "--range '0-60': expected two angles"),
        ("1-2-3-4", {"ranges": ["60:0"]}, "a scan from 60° to 0°"),
        ("1-2-3-4", {"ranges": ["0:60", "0:30"]}, "2 ranges for 1 dihedrals"),
        ("1-2-3-4", {"points": 3, "step": 5}, "--points and --step exclude each other"),
    ],
)
def test_words_that_make_no_grid_are_refused(chain, told, message):
    with pytest.raises(InputError, match=message):
        job.grid_of([chain], **told)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scan.json", "scan.extxyz"])
def test_scan_is_run_and_written_as_what_the_readers_read(forgefield, peroxide, name):
    output = peroxide.with_name(name)
    words = ["--method", "gfn2", "--scan", "3-1-2-4", "--range", "90:150", "--points", "3", "-o", output, "--json"]

    result = forgefield("reference", peroxide, *words)
    found = read_reference([output])
    told = json.loads(result.stdout)

    assert result.exit_code == 0
    np.testing.assert_allclose(told["angles_deg"], [[90.0], [120.0], [150.0]], atol=1e-4)
    np.testing.assert_allclose(
        [known(f.energy) - min(known(g.energy) for g in found) for f in found], told["energies_kcal_mol"], atol=1e-6
    )
    assert found[0].gradient is not None
    assert not output.with_name(f"{name}.partial").exists()


def test_interrupted_scan_is_continued_by_the_same_command(forgefield, peroxide, monkeypatch):
    output = peroxide.with_name("scan.json")
    words = [
        "reference",
        peroxide,
        "--method",
        "gfn2",
        "--scan",
        "3-1-2-4",
        "--range",
        "90:150",
        "--points",
        "3",
        "-o",
        output,
    ]
    monkeypatch.setattr("forgefield.engines.qm.relaxed_scan.descend_held", interrupted_after(2))
    first = forgefield(*words)
    partial = output.with_name("scan.json.partial")
    kept = json.loads(partial.read_text())
    monkeypatch.undo()

    other = forgefield(*words[:-3], "2", "-o", output)
    second = forgefield(*words)

    assert (first.exit_code, len(kept["final_energies"]), kept["success"]) == (1, 2, False)
    assert other.exit_code == 2
    assert "unfinished scan of another molecule, level of theory or grid" in other.stderr
    assert second.exit_code == 0
    assert len(read_reference([output])) == 3
    assert not partial.exists()


def test_a_finished_scan_and_one_of_another_start_are_replaced_only_on_request(forgefield, peroxide, monkeypatch):
    pytest.importorskip("tblite", reason="the extra qm is not installed")
    output = peroxide.with_name("scan.json")
    grid = ["--scan", "3-1-2-4", "--range", "90:120", "--points", "2"]
    words = ["reference", peroxide, "--method", "gfn2", *grid, "-o", output]
    monkeypatch.setattr("forgefield.engines.qm.relaxed_scan.descend_held", interrupted_after(1))
    forgefield(*words)
    monkeypatch.undo()
    kept = output.with_name("scan.json.partial").read_bytes()

    peroxide.write_text(PEROXIDE.replace("-0.2 0.95", "-0.3 0.95"))
    other_start = forgefield(*words)
    after = output.with_name("scan.json.partial").read_bytes()
    replaced = forgefield(*words, "--overwrite")
    finished = forgefield(*words)

    assert (other_start.exit_code, replaced.exit_code, finished.exit_code) == (2, 0, 2)
    assert "unfinished scan of another molecule" in other_start.stderr
    assert after == kept
    assert "scan.json: there already" in finished.stderr


def interrupted_after(n_points: int):
    """The optimiser, stopped by hand after some points."""
    descend_held = scan.descend_held
    done = []

    def run(*words, **options):
        if len(done) == n_points:
            raise KeyboardInterrupt
        done.append(words)
        return descend_held(*words, **options)

    return run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scan", "3-1-2-4", "--optimise", "-o", "x.json"], "leave --optimise and --saddle out"),
        (["--scan", "3-1-2-4", "-o", "x.fchk"], "a scan is written as .json"),
        (["--points", "3", "-o", "x.json"], "--points, --step and --range belong to --scan"),
        (["--scan", "3-4-2-1", "-o", "x.json"], "H3-H4 are not bonded"),
    ],
)
def test_scan_that_cannot_be_run_is_refused(forgefield, peroxide, words, message):
    result = forgefield("reference", peroxide, "--method", "gfn2", *words)

    assert result.exit_code == 2
    assert message in result.stderr


def test_scan_gives_one_example_a_frame_with_the_bonds_of_one_molecule(loaded):
    examples = loaded(f'"{SCAN}"')

    assert format_of(SCAN).name == "torsion drive"
    assert len(examples) == 24
    assert {tuple(map(tuple, e.molecule.bonds.tolist())) for e in examples} == {
        tuple(map(tuple, examples[0].molecule.bonds.tolist()))
    }
    assert (examples[0].molecule.name, examples[-1].molecule.name) == ("scan -165°", "scan 180°")
    assert [e.reference.constraints[0].atoms for e in examples] == 24 * [(0, 1, 2, 3)]


def stretched(source: Path, target: Path) -> Path:
    """A scan whose highest frame has a C-H bond too long to be perceived."""
    content = json.loads(source.read_text())
    for molecule in (content["final_molecules"]["0"], *content["optimization_history"].pop("0", [])):
        if "geometry" in molecule:
            geometry = np.array(molecule["geometry"]).reshape(-1, 3)
            geometry[4] += 0.6 * (geometry[4] - geometry[0])
            molecule["geometry"] = geometry.ravel().tolist()
    target.write_text(json.dumps(content))
    return target


def test_bonds_are_those_of_the_lowest_frame(loaded, tmp_path):
    path = stretched(SCAN, tmp_path / "stretched.json")

    examples = loaded(f'"{path}"')

    assert {len(e.molecule.bonds) for e in examples} == {13}


def test_each_scan_is_a_group_of_its_own_unless_one_is_stated(loaded, tmp_path):
    second = tmp_path / "second.json"
    second.write_text(SCAN.read_text())
    both = f'["{SCAN}"]\n[[molecules]]\nreference = "{second}"'

    own, stated = loaded(both), loaded(both.replace("[[", 'group = "butane"\n[['), 'group = "butane"')

    assert len({e.group for e in own}) == 2
    assert len({e.group for e in stated}) == 1


def test_one_structure_serves_all_frames_of_its_scan(loaded, tmp_path):
    rows = [
        f"{s} {x} {y} {z}" for s, (x, y, z) in zip("CCCCHHHHHHHHHH", read_reference([SCAN])[5].positions, strict=True)
    ]
    (tmp_path / "butane.xyz").write_text("14\n\n" + "\n".join(rows) + "\n")
    (tmp_path / "other.xyz").write_text("14\n\n" + "\n".join([rows[4], *rows[1:4], rows[0], *rows[5:]]) + "\n")

    examples = loaded(f'"{SCAN}"', 'structures = "butane.xyz"')

    assert len(examples) == 24
    np.testing.assert_allclose(examples[3].molecule.positions, examples[3].reference.positions)
    with pytest.raises(InputError, match="other elements, or atoms in another order"):
        loaded(f'"{SCAN}"', 'structures = "other.xyz"')


def test_angles_of_examples_are_those_of_their_frames(loaded):
    examples = loaded(f'"{SCAN}"')

    names = [float(e.molecule.name.split()[1].rstrip("°")) for e in examples]

    np.testing.assert_allclose(names, [e.reference.constraints[0].angle / units.DEGREE for e in examples], atol=0.05)
