"""The pattern language of substructures."""

import pytest

from forgefield.assign.mm3.patterns import Pattern, PatternBond, embeddings, parse_pattern
from forgefield.errors import InputError


def ring(n, order=1.0):
    return [{(a - 1) % n: order, (a + 1) % n: order} for a in range(n)]


def anything(name, atom):
    return True


def test_branches_and_ring_closures_are_bonds_between_positions():
    pattern = parse_pattern("HX-RH(-PX)-HX.C2*C2(.2)")

    assert pattern.names == ("HX", "RH", "PX", "HX", "C2", "C2")
    assert pattern.bonds == (
        PatternBond(0, 1, "-"),
        PatternBond(1, 2, "-"),
        PatternBond(1, 3, "-"),
        PatternBond(3, 4, "."),
        PatternBond(4, 5, "*"),
        PatternBond(1, 5, "."),
    )


def test_single_letter_is_any_type_of_the_element():
    assert parse_pattern("C3-C2(=O)-00").names == ("C3", "C2", "O0", "00")


def test_benzene_pattern_lies_in_a_ring_of_six_in_twelve_ways():
    pattern = parse_pattern("C2*C2*AA*AA*AA*AA*1")

    assert len(set(embeddings(pattern, ring(6), anything))) == 12
    assert list(embeddings(pattern, ring(5), anything)) == []


@pytest.mark.parametrize(
    ("symbol", "orders"), [("-", {1.0}), ("=", {2.0}), ("%", {3.0}), (".", {0.0}), ("*", {1.0, 1.5, 2.0, 3.0})]
)
def test_bond_symbol_stands_for_its_orders(symbol, orders):
    pattern = Pattern(("00", "00"), (PatternBond(0, 1, symbol),))

    fitting = {o for o in (0.0, 1.0, 1.5, 2.0, 3.0) if list(embeddings(pattern, [{1: o}, {0: o}], anything))}

    assert fitting == orders


def star(*ends):
    """An atom S in the middle, bonded to atoms of these names."""
    around = [dict.fromkeys(range(1, len(ends) + 1), 1.0), *({0: 1.0} for _ in ends)]
    return around, ("S0", *ends)


@pytest.mark.parametrize("text", ["S-O[(-N)]", "S-O([-N])", "S-O[-N]"])
def test_optional_branch_is_laid_where_it_fits_and_left_out_elsewhere(text):
    def laid(text, around, names):
        return list(embeddings(parse_pattern(text), around, lambda name, atom: name == names[atom]))

    text = text.replace("S-O", "S(-O)", 1)

    assert laid(text, *star("O0", "N0")) == [(0, 1, 2)]
    assert laid(text, *star("O0", "C0")) == [(0, 1, None)]
    assert laid(text, *star("O0", "N0", "N0")) == [(0, 1, 2), (0, 1, 3)]


@pytest.mark.parametrize(
    ("text", "images"),
    [
        pytest.param("O-C[-N[-H]]", [(2, 0, 1, None)], id="inner one missing"),
        pytest.param("O-C[-S[-N]]", [(2, 0, None, None)], id="outer one missing"),
        pytest.param("O-C[-S][-N]", [(2, 0, None, 1)], id="the first of two missing"),
        pytest.param("O-C[-N](-N)", [(2, 0, None, 1)], id="needed by what must be there"),
        pytest.param("O[(-C[(-N)])]", [(2, 0, 1)], id="all there"),
        pytest.param("O[-C-N-H]", [(2, None, None, None)], id="all or none of a branch"),
        pytest.param("N[-C]-H", [], id="what must be there is missing"),
    ],
)
def test_optional_branches_of_isocyanic_fragment(text, images):
    # N-C-O
    around, names = [{1: 1.0, 2: 1.0}, {0: 1.0}, {0: 1.0}], ("C0", "N0", "O0")

    laid = embeddings(parse_pattern(text), around, lambda name, atom: name == names[atom])

    assert list(laid) == images


def test_ring_that_an_optional_atom_closes_is_asked_for_only_where_it_is_there():
    pattern = parse_pattern("C1-C2[-C3-1]")
    fits = {"C1": 0, "C2": 1, "C3": 2}

    def laid(around):
        return list(embeddings(pattern, around, lambda name, atom: fits[name] == atom))

    assert laid(ring(3)) == [(0, 1, 2)]
    assert laid([{1: 1.0}, {0: 1.0, 2: 1.0}, {1: 1.0}]) == [(0, 1, None)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "ends too early"),
        ("C3-", "ends too early"),
        ("-C3", "before the first atom"),
        ("C3--C3", "two bond symbols"),
        ("C3C3", "no bond symbol"),
        ("C3-C3-2", "no other atom before it"),
        ("C3-C3-1", "repeats the bond"),
        ("C3-C3-7", "names position 7"),
        ("C3(-C3", "ends too early"),
        ("C3)-C3", r"'\)' without"),
        ("C3-(C3)", "parenthesis"),
        ("[C3]-C3", "before the first atom"),
        ("C3-[C3]", "bracket"),
        ("C3[-C3", "ends too early"),
        ("C3[-C3)", r"'\)' without"),
        ("C3(-C3]", r"'\]' without"),
        ("C3[]-C3", "hold no atom"),
        ("C3[-C3-]", "after a bond symbol"),
        ("C3-c3", "'c' is no atom name"),
    ],
)
def test_pattern_that_does_not_parse_is_refused_with_its_column(text, complaint):
    with pytest.raises(InputError, match=rf"cannot be read at column \d+: .*{complaint}"):
        parse_pattern(text)
