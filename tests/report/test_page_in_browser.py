"""The page as a browser shows it: no errors, all figures, nothing wider than the window."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import pytest

from forgefield.report.fit_report import fit_report

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--window-size=1400,900",
    "--dump-dom",
)
MEASURE = """
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement
  const drawings = [...page.querySelectorAll("svg[role=img]")]
  const wide = [...page.querySelectorAll("body *")].filter(e =>
    !e.closest(".scroll table, svg *") && e.getBoundingClientRect().right > root.clientWidth + 1)
  measured.textContent = JSON.stringify({
    inner: root.clientWidth, content: root.scrollWidth, drawings: drawings.length,
    flat: drawings.filter(d => d.getBoundingClientRect().height < 50).length,
    wide: wide.map(e => e.tagName + "." + e.className),
  })
}
frame.srcdoc = page.value
"""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium to show the page with (Debian: apt-get install chromium)")
    return found


def shown(browser: str, page: str, width: int, folder: Path, script: str = MEASURE) -> tuple[dict, list[str]]:
    """Show a page in a frame of this width; return what a script measures and the messages of the console."""
    # A window cannot be as narrow as a telephone's; a frame can.
    path = folder / "frame.html"
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><textarea id="page" hidden>{escape(page)}</textarea>'
        f'<iframe id="frame" width="{width}" height="800" style="border:0"></iframe><pre id="measured"></pre>'
        f"<script>{script}</script>",
        encoding="utf-8",
    )
    command = [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}", path.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    measured = re.search(r'<pre id="measured">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert measured, ran.stderr
    return json.loads(unescape(measured[1])), [line for line in ran.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1280, 400])
def test_page_fits_the_window(record, chromium, width, tmp_path):
    measured, messages = shown(chromium, fit_report(record), width, tmp_path)

    assert not messages
    assert measured["inner"] > width - 20
    assert measured["content"] <= measured["inner"]
    assert not measured["wide"]
    assert (measured["drawings"], measured["flat"]) == (9, 0)


def test_measurement_notices_errors_and_overflow(chromium, tmp_path):
    page = "<!DOCTYPE html><p style='width: 900px'>wide</p><script>console.error('noticed')</script>"

    measured, messages = shown(chromium, page, 400, tmp_path)

    assert measured["content"] > measured["inner"]
    assert [message for message in messages if "noticed" in message]


USE = """
frame.onload = () => {
  const page = frame.contentDocument
  const box = [...page.querySelectorAll(".scroll")].find(b => b.getAttribute("aria-label") === "Trained parameters")
  const table = box.querySelector("table"), head = n => table.tHead.rows[0].cells[n]
  const first = () => [...table.tBodies].filter(b => !b.hidden)
    .map(b => [...b.rows].filter(r => r.className !== "group" && !r.hidden).map(r => r.cells[0].textContent))
  const told = { buttons: [...table.tHead.querySelectorAll("button")].length, before: first(), after: [] }
  for (let k = 0; k < 3; k++) {
    head(2).querySelector("button").click()
    told.after.push([head(2).getAttribute("aria-sort"), first()])
  }
  const search = page.querySelector("input[type=search]")
  search.value = "K f1"
  search.dispatchEvent(new frame.contentWindow.Event("input"))
  told.found = first()
  told.said = page.querySelector("[role=status]").textContent
  measured.textContent = JSON.stringify(told)
}
frame.srcdoc = page.value
"""


def row(name: str, unit: str, value: float) -> dict:
    """A parameter of results.json."""
    told = {"term": "stretch", "start": 1.0, "sigma": 0.5, "prior": None, "at_bound": False}
    return {"name": name, "unit": unit, "value": value, **told, "trained": True, "determined": True}


def test_tables_sort_by_a_column_within_their_groups_and_show_rows_that_match(record, chromium, tmp_path):
    constants = [("C1-F1", 9.5), ("C1-H1", 120.0), ("C1-C2", -3.0), ("C2-F1", 1.2e-7), ("C3-F1", 1e9)]
    stretches = [row(f"stretch {n} k", "kcal/mol/Å²", v) for n, v in constants]
    lengths = [row(f"stretch {k} r0", "Å", v) for k, v in enumerate((1.3, 1.1, 1.2, 1.0, 1.6, 1.5, 1.4))]

    told, messages = shown(
        chromium,
        fit_report(replace(record, results=record.results | {"parameters": stretches + lengths})),
        1280,
        tmp_path,
        USE,
    )

    assert not messages
    k, r0 = told["before"]
    assert (k[0], r0[0], told["buttons"]) == ("stretch C1-F1 k", "stretch 0 r0", 4)
    rising = [[k[n] for n in (2, 3, 0, 1, 4)], [r0[n] for n in (3, 1, 2, 0, 6, 5, 4)]]
    assert told["after"] == [
        ["ascending", rising],
        ["descending", [one[::-1] for one in rising]],
        [None, [k, r0]],
    ]
    assert told["found"] == [[k[0], k[3], k[4]]]
    assert told["said"] == "3 of 12"
