"""Relaxed structures in the report: superposition, worst deviations, and the drawing in a browser."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape, unescape
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from certain import known
from forgefield.io.qm.qcschema import read_qcschema
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.report.fit_report import fit_report
from forgefield.report.record import Vibrations
from forgefield.report.scripts import scripts
from forgefield.report.structures import relaxed_structure, shown_structures

BUTANE = Path(__file__).parents[2] / "examples" / "butane" / "butane.json"
OPTIONS = ("--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-sync")
OPTIONS += ("--disable-component-update", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
OPTIONS += ("--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom")
# Goes to the viewer, and tells what is drawn of each molecule, and when the first vibration of the last is chosen.
OPEN = """
frame.onload = () => {
  const page = frame.contentDocument, box = page.querySelector(".viewer")
  const press = name => page.querySelector(`#viewer button[name=${name}]`).click()
  const seen = []
  const shown = () => page.querySelector(".molecule:not([hidden])").innerText
  const look = () => seen.push([box.dataset.atoms, box.dataset.moving, shown()])
  const vibrate = place => () => {
    const mode = page.querySelector("#viewer select[name=mode]")
    mode.value = place
    mode.dispatchEvent(new frame.contentWindow.Event("change"))
  }
  const before = page.querySelectorAll("canvas").length
  press("reset")
  const steps = [look, () => press("next"), look, () => press("model"), look, () => press("labels"),
    () => press("previous"), vibrate("0"), look, vibrate(""), look]
  const next = () => {
    if (steps.length) { steps.shift()(); setTimeout(next, 60) }
    else told.textContent = JSON.stringify({
      before, after: page.querySelectorAll("canvas").length, seen,
      failed: page.querySelectorAll(".viewer.failed").length,
      links: [window, frame.contentWindow].flatMap(w => w.performance.getEntriesByType("resource")).map(e => e.name),
    })
  }
  setTimeout(next, 1500)
}
frame.srcdoc = page.value
"""


@pytest.fixture(scope="module")
def butane() -> Molecule:
    """The shipped minimum."""
    part = read_qcschema(BUTANE)
    bonds, orders = perceive_bonds(known(part.species), known(part.positions))
    return Molecule("butane <anti> & co", known(part.species), known(part.positions), bonds, orders)


@pytest.fixture(scope="module")
def stretched(butane):
    """The minimum with its first C-C bond longer by 0.05 Å, turned and moved away."""
    positions = butane.positions.copy()
    axis = positions[0] - positions[1]
    methyl = [0, *butane.bonds[(butane.bonds[:, 0] == 0) & (butane.bonds[:, 1] > 3), 1]]
    positions[methyl] += 0.05 * axis / np.linalg.norm(axis)
    return Rotation.from_euler("xyz", [1.0, 2.0, 0.5]).apply(positions) + np.array([5.0, -3.0, 1.0])


def test_worst_bond_is_named_and_the_frame_does_not_matter(butane, stretched):
    entry = relaxed_structure(butane, stretched)

    worst = entry.worst_bonds[0]
    assert worst.atoms == (0, 1)
    np.testing.assert_allclose(worst.model - worst.reference, 0.05, atol=1e-9)
    np.testing.assert_allclose([b.model - b.reference for b in entry.worst_bonds[1:]], 0.0, atol=1e-9)
    np.testing.assert_allclose(entry.model.mean(axis=0), butane.positions.mean(axis=0), atol=1e-9)
    assert np.linalg.norm(entry.model - entry.reference, axis=1).max() < 0.05


def test_geometry_that_did_not_change_stays_where_it_is(butane):
    entry = relaxed_structure(butane, butane.positions)

    np.testing.assert_array_equal(entry.model, butane.positions)


def test_section_names_atoms_from_1_with_values_and_differences(butane, stretched):
    (shown,) = shown_structures([relaxed_structure(butane, stretched)])

    (label, reference, model, difference) = known(shown.table).groups[0].rows[0]
    assert (label, difference) == ("C1-C2", "0.0500")
    assert float(model) - float(reference) == pytest.approx(0.05, abs=2e-4)
    assert "C1-C2 off by 0.0500 Å" in shown.summary
    assert shown.drawing["worst"] == [[0, 1]]


@pytest.fixture
def moving(butane) -> Vibrations:
    """Two modes of butane: the first, in which the first atom moves along x, and the third."""
    displacements = np.zeros((2, butane.n_atoms, 3))
    displacements[:, 0] = [[1.0, 0.0, -0.256], [0.0, 1.0, 0.0]]
    return Vibrations("ch3f", butane.species, butane.bonds, butane.positions, np.array([0, 2]), displacements)


def test_modes_are_named_by_their_frequencies_and_move_in_hundredths(record, moving):
    (shown,) = shown_structures([], [moving], record.results["molecules"])

    first, third = shown.drawing["modes"]
    mode = record.results["molecules"][0]["frequencies"][0]
    assert first["name"] == f"1: QM 1021, MM {mode['mm']:.0f} cm⁻¹, overlap {mode['overlap']:.2f}"
    assert (first["moved"][0], third["moved"][0]) == ([100, 0, -26], [0, 100, 0])
    assert third["name"].startswith("3: QM 1198")
    assert shown.drawing["model"] is None


def test_page_without_structures_has_no_library(record):
    page = fit_report(record)

    assert 'id="3dmol"' not in page
    assert not scripts(draws=False).library


def test_page_holds_one_packed_library_that_its_policy_knows(record, butane, stretched):
    entries = tuple(replace(relaxed_structure(butane, stretched), name=f"butane {k}") for k in range(9))

    page = fit_report(replace(record, structures=entries))

    (packed,) = re.findall(r'id="3dmol">([^<]*)<', page)
    text = resources.files("forgefield.report").joinpath("3Dmol-min.js").read_bytes()
    assert gzip.decompress(base64.b64decode(packed)) == text
    policy = known(re.search(r"script-src ([^\"]*)\"", page))[1]
    run = [script.encode() for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in (*run, text)}
    assert {*policy.split()} == hashes
    assert len(run) == 2
    assert page.count('<div class="molecule">') == 9
    assert not re.search(r'\b(?:src|href)="(?:https?:)?//', page)
    assert "default-src 'none'" in page
    # Of nine molecules of 14 atoms little is added to the library's two hundred kilobytes.
    assert len(page) - len(fit_report(record)) < 260_000


@pytest.mark.slow
def test_viewer_goes_through_molecules_and_shows_vibrations(record, butane, stretched, moving, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium to show the page with (Debian: apt-get install chromium)")
    entry = relaxed_structure(butane, stretched)
    page = fit_report(replace(record, structures=(replace(entry, name="again"),), vibrations=(moving,)))
    path = tmp_path / "frame.html"
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><textarea id="page" hidden>{escape(page)}</textarea>'
        f'<iframe id="frame" width="1000" height="800"></iframe><pre id="told"></pre><script>{OPEN}</script>',
        encoding="utf-8",
    )

    command = [browser, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(unescape(known(re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.DOTALL))[1]))

    assert (told["before"], told["failed"]) == (0, 0)
    assert told["after"] > 0
    n = butane.n_atoms
    mode = known(re.search(r'"name": ?"(1: QM [^"]*)"', page))[1].encode().decode("unicode_escape")
    assert [(atoms, moving) for atoms, moving, _ in told["seen"]] == [
        (str(n), ""), (str(2 * n), ""), (str(n), ""), (str(n), mode), (str(n), "")
    ]  # fmt: skip
    assert [text.split(":")[0] for _, _, text in told["seen"]] == ["ch3f", "again", "again", "ch3f", "ch3f"]
    assert [name for name in told["links"] if not name.startswith("file:")] == []
    assert not [line for line in ran.stderr.splitlines() if "CONSOLE" in line and "GL Driver" not in line]


def test_a_shorter_bond_is_as_bad_as_a_longer_one():
    # One bond of water is shorter by 0.05 Å, the other longer by 0.02 Å.
    positions = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    water = Molecule("water", np.array([1, 8, 1]), positions, np.array([[0, 1], [1, 2]]), np.ones(2))

    entry = relaxed_structure(water, np.array([[-0.95, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.02, 0.0]]))

    assert [worst.atoms for worst in entry.worst_bonds] == [(0, 1), (1, 2)]
    np.testing.assert_allclose([worst.model - worst.reference for worst in entry.worst_bonds], [-0.05, 0.02])
