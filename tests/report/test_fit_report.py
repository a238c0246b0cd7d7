"""The page tells everything that the record holds, and nothing breaks on what is missing."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from forgefield.report.fit_report import fit_report


class Reader(HTMLParser):
    """Collects the text, the tags and the rows of tables of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self._inside = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._inside = "" if tag in ("td", "th", "style") else self._inside

    def handle_data(self, data):
        self.text += "" if self._inside == "style" else data
        if self._inside in ("td", "th"):
            self.rows[-1][-1] += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def row(reader: Reader, name: str) -> list[str]:
    return next(cells for cells in reader.rows if cells and cells[0] == name)


def test_names_everything_of_the_record(record):
    results = record.results
    names = [p["name"] for p in results["parameters"]] + [m["name"] for m in results["molecules"]]
    sentences = [*results["warnings"], *record.statements, *record.files, *record.types.values(), *record.contributions]

    text = read(fit_report(record)).text

    missing = [said for said in (*names, *sentences, results["provenance"]["input_sha256"]) if said not in text]
    assert not missing


def test_escapes_names(record):
    hostile = "<script>alert(1)</script>"
    molecules = [record.results["molecules"][0] | {"name": hostile}, *record.results["molecules"][1:]]
    changed = replace(record, title=hostile, files=(hostile,), types={hostile: hostile}, statements=(hostile,))
    changed.results.update(molecules=molecules, warnings=[hostile])

    page = fit_report(changed)

    assert hostile not in page
    assert page.count(escape(hostile)) >= 7


def test_says_at_the_top_that_a_fit_failed(bare_record):
    text = read(fit_report(bare_record)).text

    before_content = text[: text.index("What was fitted")]
    assert "The fit did not succeed" in before_content
    assert "the cost is not a finite number" in before_content


def test_counts_warnings_beside_success(record):
    text = read(fit_report(record)).text

    assert "The fit succeeded, with 3 warnings to read before its result is used." in text


@pytest.mark.parametrize("name", ["Relative energies, RMSD", "Bond lengths, relaxed, RMSD"])
def test_unknown_metrics_are_left_out(record, name):
    assert not [cells for cells in read(fit_report(record)).rows if cells and cells[0] == name]


def test_metrics_stand_in_one_table_with_units(record):
    reader = read(fit_report(record))

    name = "Eigenmatrix diagonal, RMSD"
    assert row(reader, name) == [name, "131.4", "25.9", "50", "cm⁻¹"]
    assert row(reader, "Eigenmatrix diagonal, R²")[1:3] == ["0.9521", "0.9981"]


def test_r2_is_not_shown_without_its_rmsd(record):
    record.results["metrics"]["final"] = record.results["metrics"]["final"] | {"eigenmatrix_rmsd_cm1": None}

    assert row(read(fit_report(record)), "Eigenmatrix diagonal, R²")[1:3] == ["0.9521", "—"]


def test_angles_are_in_degrees(record):
    # 1.8985 rad = 108.776°, π rad = 180°, a prior width of 0.0873 rad = 5.002°.
    cells = row(read(fit_report(record)), "bend F1-C1-H<1> theta0")

    assert cells[1:] == ["108.78", "180.00", "—", "5.00", "at bound"]


def test_reaction_mode_stands_apart(record):
    reader = read(fit_report(record))

    reaction = [cells for cells in reader.rows if cells and cells[0] == "sn2 <saddle> & co" and "5140.5" in cells]
    assert len(reaction) == 1
    assert not [cells for cells in reader.rows if cells[:2] == ["1", "5140.5"]]
    assert "Table of 11 modes" in reader.text


def test_multi_start_counts_the_starts_of_each_optimum(record):
    reader = read(fit_report(record))

    assert "16 starts led to 3 distinct optima" in reader.text
    assert [cells[3] for cells in reader.rows if cells[0] in ("1", "2", "3") and "." in cells[2]][-3:] == [
        "11",
        "3",
        "1",
    ]
    assert "1 start ended without a finite cost." in reader.text


def test_multi_start_says_where_later_passes_ended(record):
    record.results["fit"]["cost"] = 0.31

    assert "went on from the best and ended at a cost of 0.31000." in read(fit_report(record)).text


def test_says_how_many_starting_values_lie_outside_a_figure(record):
    assert (
        "21 values; 1 value of the start outside the axes. Band: ± 20 cm⁻¹, its tolerance."
        in read(fit_report(record)).text
    )


def test_draws_what_there_is(record, bare_record):
    def n_figures(page: str) -> int:
        return sum(tag == "svg" and attributes.get("role") == "img" for tag, attributes in read(page).tags)

    # A scan, two molecules with frequencies (spectra and deviations), two parity plots, the cost, its contributions.
    assert n_figures(fit_report(record)) == 9
    assert n_figures(fit_report(bare_record)) == 0


def test_infinite_and_unknown_numbers_do_not_reach_the_drawings(record):
    record.results["molecules"][0]["frequencies"][2] |= {"mm": np.nan}
    parity = record.parities[1]
    changed = replace(parity, final=np.where(np.arange(30) == 3, np.inf, parity.final))
    page = fit_report(replace(record, parities=(changed,), costs=np.array([np.nan, 3.0, 0.0, 2.0])))

    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.search(r"[M L](nan|inf|-inf)", drawings)
    assert "1 value not finite" in page


def test_equal_values_can_be_drawn(record):
    parity = record.parities[0]
    same = np.zeros(21)
    changed = replace(record, parities=(replace(parity, reference=same, start=same, final=same),), costs=np.ones(4))

    page = fit_report(replace(changed, contributions={"forces": (1.0, 1.0)}))

    assert page.count('role="img"') == 8


def test_needs_no_network(record):
    reader = read(fit_report(record))

    assert not {tag for tag, _ in reader.tags} & {"link", "img", "iframe", "object"}
    targets = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert not [target for target in targets if ":" in target or target.startswith("//")]


def test_anchors_lead_to_sections_and_identifiers_are_unique(record):
    reader = read(fit_report(record))

    identifiers = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    anchors = [a["href"][1:] for tag, a in reader.tags if tag == "a" and a["href"].startswith("#")]
    assert len(identifiers) == len(set(identifiers))
    assert set(anchors) <= set(identifiers)


def test_large_data_sets_stay_small_and_folded(large_record):
    page = fit_report(large_record)

    assert len(page.encode()) < 5e6
    assert "<details open" not in page
    assert page.count("<details") == 11
