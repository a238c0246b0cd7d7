"""`forgefield diff`: every number that differs, beside the line it stands on."""

import json
import math
from pathlib import Path

import pytest

from certain import instance
from forgefield.assign.mm3.file import RowKind
from forgefield.assign.typed_rules import TypedRules
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.native import write_rules
from forgefield.io.rules import load
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.terms.stretch import HARMONIC_STRETCH

CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"


@pytest.fixture(scope="module")
def start(data):
    return data / "rh-enamide/forcefield/rh_hyd_enamide_start.fld"


@pytest.fixture(scope="module")
def lines(start):
    return start.read_text(encoding="latin-1").split("\n")


def differences(forgefield, old, new):
    result = forgefield("diff", old, new, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["differences"]


@pytest.mark.slow
def test_a_file_does_not_differ_from_itself(forgefield, start):
    assert differences(forgefield, start, start) == []
    assert "No row differs" in forgefield("diff", start, start).stdout


def test_rows_are_those_whose_lines_have_other_numbers(forgefield, start, lines):
    final = start.with_name("rh_hyd_enamide_final.fld")
    others = final.read_text(encoding="latin-1").split("\n")

    found = differences(forgefield, start, final)

    changed = [n for n, pair in enumerate(zip(lines, others, strict=True), 1) if pair[0][22:55] != pair[1][22:55]]
    in_numbers = [n for n in changed if any(numbers(lines[n - 1])) or any(numbers(others[n - 1]))]
    assert [d["line"] for d in found] == [[n, n] for n in in_numbers]
    for difference in found:
        old, new = (numbers(text[difference["line"][0] - 1]) for text in (lines, others))
        n = len(difference["columns"])
        assert [[x or 0.0 for x in numbers] for numbers in difference["numbers"]] == [old[:n], new[:n]]


def numbers(line):
    return [float(line[place : place + 11].strip() or 0.0) for place in (22, 33, 44)]


@pytest.mark.slow
def test_rows_are_found_again_where_lines_have_moved(forgefield, start, lines, tmp_path):
    place = next(n for n, line in enumerate(lines) if line.startswith(" 1") and line[22:33].strip())
    changed = lines[place][:22] + "     9.9990" + lines[place][33:]
    moved = tmp_path / "moved.fld"
    moved.write_text("\n".join([*lines[:place], " C  one line more", changed, *lines[place + 1 :]]), encoding="latin-1")

    (found,) = differences(forgefield, start, moved)

    assert found["kind"] == "stretch"
    assert found["line"] == [place + 1, place + 2]
    assert [numbers[0] for numbers in found["numbers"]] == [float(lines[place][22:33]), 9.999]


@pytest.mark.slow
def test_a_row_that_one_file_lacks_has_no_line_there(forgefield, start, lines, tmp_path):
    place = (
        next(row.line for row in read_fld(start).rows if row.kind == RowKind.STRETCH and row.first_line == row.line) - 1
    )
    shorter = tmp_path / "shorter.fld"
    shorter.write_text("\n".join(lines[:place] + lines[place + 1 :]), encoding="latin-1")

    (removed,) = differences(forgefield, start, shorter)
    (added,) = differences(forgefield, shorter, start)

    assert (removed["line"], removed["numbers"][1]) == ([place + 1, None], None)
    assert (added["line"], added["numbers"][0]) == ([None, place + 1], None)
    assert f"stretch {removed['name']}" in forgefield("diff", start, shorter).stdout


@pytest.fixture(scope="module")
def estimated(tmp_path_factory):
    """Force fields of fluoromethane as native files: one, and one of another method under other names of types."""
    folder = tmp_path_factory.mktemp("estimated")
    for name, method in (("old", "fuerza"), ("new", "approximation")):
        write_estimated(folder / f"{name}.json", estimate([CH3F], method=method, form="harmonic"))
    text = (folder / "new.json").read_text()
    (folder / "new.json").write_text(text.replace('"F1"', '"A0"').replace('"C1"', '"X9"'))
    return folder / "old.json", folder / "new.json"


def test_rows_of_generated_force_fields_are_compared_by_what_their_types_mean(forgefield, estimated):
    old, new = estimated

    found = {f"{d['kind']} {d['name']}": d for d in differences(forgefield, old, new)}

    assert {*found} == {
        "harmonic_stretch C(F,H,H,H)-F(C)",
        "harmonic_stretch C(F,H,H,H)-H(C)",
        "harmonic_bend F(C)-C(F,H,H,H)-H(C)",
        "harmonic_bend H(C)-C(F,H,H,H)-H(C)",
    }
    stretch = found["harmonic_stretch C(F,H,H,H)-F(C)"]
    tables = [instance(TypedRules, load(path)).tables[HARMONIC_STRETCH] for path in estimated]
    expected = [table[types] for table, types in zip(tables, (("C1", "F1"), ("X9", "A0")), strict=True)]
    assert stretch["columns"] == ["k [kcal/mol/Å²]", "r0 [Å]"]
    assert [tuple(numbers) for numbers in stretch["numbers"]] == expected
    assert expected[0][0] != expected[1][0]
    assert differences(forgefield, old, old) == []


def test_angles_are_shown_in_degrees(forgefield, estimated, tmp_path):
    old, _ = estimated
    content = json.loads(old.read_text())
    bend = next(row for row in content["rows"] if "theta0" in row["values"])
    bend["values"]["theta0"] = math.pi / 2.0
    (tmp_path / "right.json").write_text(json.dumps(content))

    (line,) = [
        line for line in forgefield("diff", old, tmp_path / "right.json").stdout.splitlines() if "theta0" in line
    ]

    assert "theta0 [°]" in line
    assert line.split()[-1] == "90.0000"


def test_a_row_of_one_force_field_alone_is_told(forgefield, estimated, tmp_path):
    old, _ = estimated
    content = json.loads(old.read_text())
    gone = content["rows"].pop(0)
    (tmp_path / "less.json").write_text(json.dumps(content))

    (found,) = differences(forgefield, old, tmp_path / "less.json")

    assert found["numbers"] == [list(gone["values"].values()), None]


@pytest.mark.slow
def test_a_native_file_of_mm3_is_compared_line_by_line(forgefield, start, tmp_path):
    write_rules(tmp_path / "start.json", load(start))

    assert differences(forgefield, tmp_path / "start.json", start) == []


def test_force_fields_of_different_kinds_are_refused(forgefield, start, estimated):
    result = forgefield("diff", start, estimated[0])

    assert result.exit_code == 2
    assert "only the rows of two MM3* files can be compared, or those of two force fields by types" in result.stderr
