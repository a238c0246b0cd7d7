"""The page as a browser shows it: no errors, all figures, nothing wider than the window."""

import json
import re
import shutil
import subprocess
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


def shown(browser: str, page: str, width: int, folder: Path) -> tuple[dict, list[str]]:
    """Show a page in a frame of this width; return measurements and the messages of the console."""
    # A window cannot be as narrow as a telephone's; a frame can.
    path = folder / "frame.html"
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><textarea id="page" hidden>{escape(page)}</textarea>'
        f'<iframe id="frame" width="{width}" height="800" style="border:0"></iframe><pre id="measured"></pre>'
        f"<script>{MEASURE}</script>",
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
