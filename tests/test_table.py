"""Tables as text and as HTML, and records that are shown as one."""

import pytest

from forgefield.table import Column, Group, Records, Table, table

SHOWN = Table(
    "Constants <k>",
    (Column("row", numeric=False), Column("k", "kcal/mol/Å²")),
    (Group("stretch & bend", (("C-H", "700.0"), ("C-F", "5.0"))),),
    "A note.",
)


def test_text_has_aligned_columns_under_title_and_heading():
    lines = [
        "Constants <k>",
        "row  k / kcal/mol/Å²",
        "stretch & bend",
        "C-H            700.0",
        "C-F              5.0",
        "A note.",
    ]

    assert str(SHOWN).splitlines() == lines


def test_html_holds_what_the_text_holds_with_nothing_taken_for_markup():
    html = SHOWN._repr_html_()

    assert "Constants &lt;k&gt;</caption>" in html
    assert '<th style="text-align: right">k / kcal/mol/Å²</th>' in html
    assert "stretch &amp; bend" in html
    assert '<tr><td style="text-align: left">C-F</td><td style="text-align: right">5.0</td></tr>' in html
    assert html.endswith("<p>A note.</p>")


def test_records_are_gone_through_and_shown():
    records = Records([3, 4], table("Numbers", (Column("n"),), [("3",), ("4",)]))

    assert [*records] == [3, 4]
    assert (records[1], records[:1], len(records)) == (4, (3,), 2)
    assert repr(records) == str(records) == "Numbers\nn\n3\n4"
    assert records._repr_html_() == records.table.html


def test_a_row_with_too_few_cells_is_no_table():
    with pytest.raises(ValueError, match="shorter"):
        str(table("Numbers", (Column("n"), Column("m")), [("3",)]))


def test_filled_leaves_out_columns_and_rows_that_hold_nothing():
    columns = (Column("", numeric=False), Column("a"), Column("b"), Column("said", numeric=False))
    whole = table("t", columns, [("x", "1", "—", ""), ("y", "—", "—", "odd"), ("z", "—", "", "")], "note")

    filled = whole.filled

    assert [column.label for column in filled.columns] == ["", "a"]
    assert filled.groups[0].rows == (("x", "1"),)
    assert filled.note == "note"


def test_filled_keeps_rows_of_words():
    columns = (Column("type", numeric=False), Column("stands for", numeric=False))

    assert table("t", columns, [("C1", "")]).filled.n_rows == 1
