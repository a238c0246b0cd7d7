"""Warnings of one kind are counted, not repeated."""

import pytest

from forgefield.report.folding import folded, kinds

NO_GRADIENT = "{}: no gradient in the file; the structure is taken to be stationary (zero forces)"
OTHER = "At a bound of what makes sense: bond length of a, angle of b."


def test_of_each_kind_three_are_shown_and_the_rest_is_counted():
    names = ["formamide", "ethanol", "butane 60°", "water", "ion-3"]
    warnings = [*(NO_GRADIENT.format(name) for name in names), OTHER]

    shown = folded(warnings, "report.html")

    assert shown == [*warnings[:3], "… and 2 more like the 3 above: see report.html", OTHER]


def test_three_of_a_kind_are_all_shown():
    warnings = [NO_GRADIENT.format(name) for name in ("a", "b", "c")]

    assert folded(warnings, "report.html") == warnings


@pytest.mark.parametrize("mark", [", ", "; "])
@pytest.mark.parametrize("end", ["", ".", ". Add a forces target."])
def test_of_a_long_list_three_entries_are_shown(mark, end):
    entries = [f"stretch{k} = {k}.5" for k in range(8)]

    (shown,) = folded([f"This is unphysical: {mark.join(entries)}{end}"], "report.html")

    assert shown == f"This is unphysical: {mark.join(entries[:3])}{mark}… and 5 more{end}"


def test_a_list_of_four_is_left_whole():
    warning = "At a bound: a, b, c, d."

    assert folded([warning], "report.html") == [warning]


def test_entries_stay_whole_and_those_that_a_list_has_only_counted_are_counted():
    entries = [f"a{k} (1.5 Å, bent; odd)" for k in range(5)]

    (commas,) = folded([f"Wrong: {', '.join(entries)} and 7 more."], "report.html")
    (semicolons,) = folded([f"Wrong: {'; '.join(entries)}; and 7 more."], "report.html")

    assert commas == f"Wrong: {', '.join(entries[:3])}, … and 9 more."
    assert semicolons == f"Wrong: {'; '.join(entries[:3])}; … and 9 more."


def test_kinds_keep_every_warning_in_the_order_of_the_first():
    warnings = ["a.json: no gradient in the file; zeros", "the fit is odd", "b.json: no gradient in the file; zeros"]

    found = kinds([*warnings, *(f"c{k}.json: no gradient in the file; zeros" for k in range(4))])

    assert [len(kind.warnings) for kind in found] == [6, 1]
    assert (len(found[0].examples), len(found[0].rest)) == (3, 3)
