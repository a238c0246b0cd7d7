"""`forgefield diff`: every number that differs, beside the line it stands on."""

import json

import pytest

from forgefield.assign.mm3.file import RowKind
from forgefield.io.forcefields.mm3.fld import read_fld


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


def test_rows_are_found_again_where_lines_have_moved(forgefield, start, lines, tmp_path):
    place = next(n for n, line in enumerate(lines) if line.startswith(" 1") and line[22:33].strip())
    changed = lines[place][:22] + "     9.9990" + lines[place][33:]
    moved = tmp_path / "moved.fld"
    moved.write_text("\n".join([*lines[:place], " C  one line more", changed, *lines[place + 1 :]]), encoding="latin-1")

    (found,) = differences(forgefield, start, moved)

    assert found["kind"] == "stretch"
    assert found["line"] == [place + 1, place + 2]
    assert [numbers[0] for numbers in found["numbers"]] == [float(lines[place][22:33]), 9.999]


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


def test_other_formats_are_refused(forgefield, start, tmp_path):
    result = forgefield("diff", start, tmp_path / "x.frcmod")

    assert result.exit_code == 2
    assert "x.frcmod: only MM3* files (.fld) can be compared" in result.stderr
