"""Relaxed structures in the report: superposition, worst deviations, and the drawing in a browser."""

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
from forgefield.report.structures import relaxed_structure, structures_section

BUTANE = Path(__file__).parents[2] / "examples" / "butane" / "butane.json"
OPTIONS = ("--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-sync")
OPTIONS += ("--disable-component-update", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
OPTIONS += ("--enable-logging=stderr", "--virtual-time-budget=6000", "--dump-dom")
# Opens the first molecule only, and tells what is drawn.
OPEN = """
frame.onload = () => {
  const page = frame.contentDocument, all = [...page.querySelectorAll("details.structure")]
  const before = page.querySelectorAll("canvas").length
  all[0].open = true
  setTimeout(() => { told.textContent = JSON.stringify({
    before, after: page.querySelectorAll("canvas").length,
    atoms: all.map(d => d.querySelector(".viewer").dataset.atoms),
    failed: page.querySelectorAll(".viewer.failed").length,
    links: performance.getEntriesByType("resource").concat(frame.contentWindow.performance.getEntriesByType("resource"))
      .map(e => e.name),
  }) }, 2000)
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
    section = structures_section([relaxed_structure(butane, stretched)])

    shown = known(section).shown[0]
    (label, reference, model, difference) = shown.table.groups[0].rows[0]
    assert (label, difference) == ("C1-C2", "0.0500")
    assert float(model) - float(reference) == pytest.approx(0.05, abs=2e-4)
    assert "C1-C2 off by 0.0500 Å" in shown.summary
    assert shown.drawing["worst"] == [[0, 1]]


def test_page_without_relaxed_structures_has_no_script(record):
    page = fit_report(record)

    assert "<script" not in page
    assert "3dmol" not in page.lower()


def test_page_holds_one_copy_of_the_script_and_reaches_no_network(record, butane, stretched):
    entries = tuple(replace(relaxed_structure(butane, stretched), name=f"butane {k}") for k in range(9))

    page = fit_report(replace(record, structures=entries))

    library = resources.files("forgefield.report").joinpath("3Dmol-min.js").read_text(encoding="utf-8")
    assert page.count(library) == 1
    assert page.count('<details class="structure">') == 9
    assert not re.search(r'\b(?:src|href)="(?:https?:)?//', page)
    assert "default-src 'none'" in page
    # Of nine molecules of 14 atoms little is added to the script's half megabyte.
    assert len(page) - len(fit_report(record)) < 620_000


@pytest.mark.slow
def test_structures_are_drawn_when_they_are_opened(record, butane, stretched, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium to show the page with (Debian: apt-get install chromium)")
    entry = relaxed_structure(butane, stretched)
    page = fit_report(replace(record, structures=(entry, replace(entry, name="again"))))
    path = tmp_path / "frame.html"
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><textarea id="page" hidden>{escape(page)}</textarea>'
        f'<iframe id="frame" width="1000" height="800"></iframe><pre id="told"></pre><script>{OPEN}</script>',
        encoding="utf-8",
    )

    command = [browser, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(unescape(known(re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.DOTALL))[1]))

    assert (told["before"], told["after"], told["failed"]) == (0, 1, 0)
    assert told["atoms"] == [str(2 * butane.n_atoms), None]
    assert [name for name in told["links"] if not name.startswith("file:")] == []
    assert not [line for line in ran.stderr.splitlines() if "CONSOLE" in line and "GL Driver" not in line]


def test_a_shorter_bond_is_as_bad_as_a_longer_one():
    # One bond of water is shorter by 0.05 Å, the other longer by 0.02 Å.
    positions = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    water = Molecule("water", np.array([1, 8, 1]), positions, np.array([[0, 1], [1, 2]]), np.ones(2))

    entry = relaxed_structure(water, np.array([[-0.95, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.02, 0.0]]))

    assert [worst.atoms for worst in entry.worst_bonds] == [(0, 1), (1, 2)]
    np.testing.assert_allclose([worst.model - worst.reference for worst in entry.worst_bonds], [-0.05, 0.02])
