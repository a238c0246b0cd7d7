"""Reading MM3* force-field files and writing them back."""

import numpy as np
import pytest

from certain import instance, known
from forgefield import units
from forgefield.assign.mm3.file import Mm3Row, Neighbour, RowKind
from forgefield.errors import InputError
from forgefield.io.forcefields.mm3.fld import read_fld, write_fld
from forgefield.io.forcefields.mm3.fld_differences import fld_differences
from samples import MM3_HEAD

FILES = [
    *(f"rh-enamide/forcefield/{name}" for name in ("mm3", "rh_hyd_enamide_start", "rh_hyd_enamide_final")),
    *("rh-enamide/forcefield/rh_hyd_enamide_seminario", "pd-allyl/mm3", "mm3-substructures/ferrocene-full-mm3"),
    *(f"cases/mm3/{name}" for name in ("optional-pattern/sulfone", "short-number/mm3")),
]
PUBLISHED = {
    "combined": 3,
    "os-dihydroxylation-alkene": 1,
    "rh-hydrogenation-enamide": 1,
    "ru-hydrogenation-ketone": 3,
    "sulfone": 1,
}
"""Number of substructures in files that hold nothing else to be inserted in one place."""

HEADER = f"{MM3_HEAD} 1  CU  C1 C2\n"
STRETCH = " 1  C3 - H1                1.1120     4.7400     0.0000  0000 0000              O 1             H-C(sp3)\n"
NONBONDED = "  C3     2.0400     0.0270     0.0000                                   0000    O 1\n"
TORSION = " 4   1   2   3   1         1.0000     2.0000     3.0000\n"
RING = " 1   1   2                 1.5030     5.0000\n"


def text(main=STRETCH, *, pattern="C3-C3-00-1", inside=RING, header=HEADER):
    return f"{header}-2\n{main}-6\n{NONBONDED}-3\n C  A ring\n 9  {pattern}\n-2\n{inside}-3\n\n"


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "test.fld"
        path.write_bytes(content.encode("latin-1"))
        return read_fld(path)

    return read


@pytest.mark.parametrize("name", FILES)
def test_file_without_changes_is_written_back_byte_for_byte(data, tmp_path, name):
    path = data / f"{name}.fld"
    file = read_fld(path)
    same = {row.line: row.columns for row in (*file.rows, *(r for s in file.substructures for r in s.rows))}

    write_fld(tmp_path / "none.fld", file, {})
    write_fld(tmp_path / "same.fld", file, same)

    assert (tmp_path / "none.fld").read_bytes() == path.read_bytes()
    assert (tmp_path / "same.fld").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_published_substructures_are_read_within_a_file_and_refused_without(data, read, name, count):
    path = data / f"mm3-substructures/{name}.fld"
    lines = path.read_text(encoding="latin-1").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith((" C", "-3")))
    # What stands behind the first section that does not begin with a title belongs elsewhere in the file.
    ends = [i for i, line in enumerate(lines) if line == "-3" and i > first]
    last = next(i for i in ends if not "".join(lines[i + 1 : i + 2]).startswith(" C"))

    assert len(read("\n".join([text().rstrip(), *lines[first:last], "-3", ""])).substructures) == 1 + count
    with pytest.raises(InputError, match=rf"{name}\.fld: holds substructures alone, .* insert it into a complete"):
        read_fld(path)


def test_new_numbers_land_in_their_columns_and_read_back(data, tmp_path):
    file = read_fld(data / "rh-enamide/forcefield/rh_hyd_enamide_start.fld")
    millidyne = 601.99392 * units.KILOJOULE

    write_fld(tmp_path / "new.fld", file, {1861: (1.6, 2.5 * millidyne, None), 1134: (None, None, -0.5)})

    old, new = file.lines, (tmp_path / "new.fld").read_text().split("\n")
    assert [i for i, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b] == [1135 - 1, 1861]
    assert new[1860] == " 1   1   2                 1.6000     2.5000   -0.4611"
    row = instance(Mm3Row, read_fld(tmp_path / "new.fld").row_on(1861))
    np.testing.assert_allclose(known(row.columns[1]), 2.5 * millidyne, rtol=1e-12)


def test_line_ends_and_unknown_bytes_survive(read, tmp_path):
    content = text().replace("A force field", "caf\xe9").replace("\n", "\r\n")
    file = read(content)

    write_fld(tmp_path / "out.fld", file, {})

    assert (tmp_path / "out.fld").read_bytes() == content.encode("latin-1")


def test_continued_row_says_what_the_neighbour_bears_and_ends_on_its_last_line(data):
    row = instance(Mm3Row, read_fld(data / "rh-enamide/forcefield/mm3.fld").row_on(114))

    assert (row.first_line, row.line, row.names) == (114, 115, ("N2", "H3"))
    assert row.neighbours == ((Neighbour("C2", ("O2",)),), ())
    assert (row.origin, row.quality, row.comment) == ("O", "1", "N(-C=O)-H")


def test_substructure_knows_its_alternates(data):
    rhodium = read_fld(data / "rh-enamide/forcefield/mm3.fld").substructures[16]

    condition = rhodium.conditions["a"]

    assert (len(rhodium.pattern), rhodium.title[:7], condition.positions) == (9, "Rhodium", (3, 2, 9))
    np.testing.assert_allclose([condition.angle, condition.tolerance], [np.pi, np.pi / 4])
    assert [row.line for row in rhodium.rows if row.alternate == "a"] == [1862, 1869, 1874, 1876, 1878]


def test_whole_file_has_every_row(data):
    file = read_fld(data / "rh-enamide/forcefield/mm3.fld")

    counts = [sum(row.kind == kind for row in file.rows) for kind in RowKind]

    # Counted in the file with grep: rows of each kind before the first substructure, continuations joined.
    assert counts == [105, 258, 3, 559, 4, 1, 37, 6]
    assert (len(file.nonbonded), len(file.substructures), len(file.equivalences)) == (36, 18, 6)


def test_rows_whose_label_the_header_does_not_select_are_left_out(read):
    select = " 0    SEL     1                 M Modified parameters\n"
    header = HEADER.replace("-5\n", select + "-5\n")

    assert len(read(text()).rows) == 1
    assert read(text(header=header)).rows == ()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(text(STRETCH[:40] + "\n"), "line 16: the line ends inside columns 34-44", id="cut in a number"),
        pytest.param(text(STRETCH[:33] + "\n"), "line 16: .* 1 of the 2 numbers", id="cut between numbers"),
        pytest.param(text(STRETCH[:8] + "\n"), "line 16: the row names 1 atom", id="cut in the names"),
        pytest.param(text(STRETCH[:60] + "\n"), "line 16: .* does not hold two type names", id="cut in a qualifier"),
        pytest.param(text(STRETCH[:61] + "\n"), "line 16: the line ends before the qualifiers", id="cut before one"),
        pytest.param(text(STRETCH.replace("1.1120", "1.1x20")), "line 16: '1.1x20' .* not a number", id="no number"),
        pytest.param(text(STRETCH.replace("-", "?")), r"line 16: '\?' .* no bond symbol", id="bond symbol"),
        pytest.param(text(STRETCH.replace("1.1120", "0.0000")), "line 16: a bond length", id="zero length"),
        pytest.param(text(STRETCH.replace(" 0000 0000", "1O200 0000")), "line 16: .* continuation", id="not continued"),
        pytest.param(text("77" + STRETCH[2:]), "line 16: .*'7' in column 1", id="label in a table"),
        pytest.param(text(" X" + STRETCH[2:]), "line 16: .* no kind of row", id="unknown kind"),
        pytest.param(text(inside=RING.replace("  2 ", "  7 ")), "line 23: position 7 does not exist", id="position"),
        pytest.param(text(inside="b" + RING[1:]), r"no condition \(such as bA\)", id="alternate"),
        pytest.param(text(pattern="C3-C3-00-9"), "line 21: .* names position 9", id="ring closure"),
        pytest.param(text(pattern="C3-C3(-00"), "line 21: .* ends too early", id="open branch"),
        pytest.param(text(pattern="C3C3"), "line 21: .* no bond symbol", id="no bond"),
        pytest.param(text(header=HEADER.replace("STR     3", "STR     2")), "line 3: STR .* equation 2", id="MM2"),
        pytest.param(text(header=HEADER.replace(" 0    ELE", " C    ELE")), "does not give ELE", id="no factor"),
        pytest.param("nothing", "no force-field sections", id="no fld"),
        pytest.param(text(STRETCH + "54" + " " * 24 + " 0.1000\n"), "line 17: .* follow a torsion", id="54 alone"),
        pytest.param(text(inside=TORSION + "54   1   2\n"), "line 23: .* holds no names", id="54 with names"),
        pytest.param(text(inside="aT" + RING[2:]), "line 23: the row names 2 atom", id="torsion of two"),
        pytest.param(text(inside="aS" + RING[2:]), r"line 23: .* 'S' .* angles \(A\) and torsions \(T\)", id="kind"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_line(read, content, complaint):
    with pytest.raises(InputError, match=complaint):
        read(content)


def test_substructure_after_one_without_a_pattern_is_still_read(read):
    content = text().replace(" 9  C3-C3-00-1\n", "") + " 9  C3C3\n-2\n-3\n"

    with pytest.raises(InputError, match=r"(?s)line 21: section -2 .*line 23: .* has no pattern.*line 25: .* no bond"):
        read(content)


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("shift", [1, 2, 3, 4])
@pytest.mark.parametrize("number", ["-1.2345", "12.5", ".7500", "+3.0001"])
def test_number_may_end_anywhere_in_its_columns(read, column, shift, number):
    values = ["1.1120", "4.7400", "0.5000"]
    values[column] = number
    fields = [value.rjust(11) for value in values]
    fields[column] = fields[column][shift:] + " " * shift
    inside = f"{' 4   1   2   3   1':22s}{''.join(fields).rstrip()}\n"

    (row,) = read(text(inside=inside)).substructures[0].rows

    np.testing.assert_allclose(row.columns, [float(value) for value in values], rtol=1e-14)


def test_published_numbers_short_of_the_edge_of_their_columns(data):
    row = instance(Mm3Row, read_fld(data / "cases/mm3/short-number/mm3.fld").row_on(1854))

    moment = 0.0002 / 4.80298
    columns = [known(column) for column in row.columns]
    np.testing.assert_allclose(columns, [1.0127, 5.0 * 601.99392 * units.KILOJOULE, moment], rtol=1e-12)


def test_torsion_goes_on_with_the_constants_of_a_row_54(read, tmp_path):
    higher = "54" + " " * 24 + "-0.5000    0.2500\n"
    file = read(text(inside=TORSION + higher + TORSION))
    row, last = file.substructures[0].rows

    write_fld(tmp_path / "new.fld", file, {row.line: (None, 4.0, None, None, None, 0.5)})

    assert (row.columns, row.first_line, row.line) == ((1.0, 2.0, 3.0, -0.5, 0.25, 0.0), 23, 24)
    assert last.columns == (1.0, 2.0, 3.0)
    new = read_fld(tmp_path / "new.fld")
    assert instance(Mm3Row, new.row_on(23)).columns == (1.0, 4.0, 3.0, -0.5, 0.25, 0.5)
    assert [b for a, b in zip(file.lines, new.lines, strict=True) if a != b] == [
        " 4   1   2   3   1         1.0000     4.0000     3.0000",
        "54" + " " * 24 + "-0.5000    0.2500      0.5000",
    ]


def test_row_54_of_the_tables_follows_its_torsion_and_is_compared(read):
    torsion = " 4  C3 - C3 - C3 - H1      0.0000     0.0000     0.2670  0000 00Si 0000 0000    O 1\n"
    higher = "54                         0.1000     0.0000     0.5000\n"
    old, new = read(text(torsion + higher)), read(text(torsion + higher.replace("0.5", "0.4")))

    (found,) = fld_differences(old, new)

    assert old.rows[0].columns == (0.0, 0.0, 0.267, 0.1, 0.0, 0.5)
    assert dict(zip(found.columns, zip(*map(known, found.numbers), strict=True), strict=True))["v6"] == (0.5, 0.4)


@pytest.mark.parametrize("title", [" S  A ring", " S A ring", "S  A ring", " S\tA ring", " S\n C  A ring"])
def test_title_with_s_makes_a_substructure_that_stops_others(read, title):
    (substructure,) = read(text().replace(" C  A ring", title)).substructures

    assert (substructure.title, substructure.stops) == ("A ring", True)
    assert [s.stops for s in read(text().replace("A ring", "S ring")).substructures] == [False]


def test_type_that_takes_no_part_has_neither_radius_nor_depth(read):
    dummy = NONBONDED.replace("C3", "D1").replace("2.0400", "0.0000").replace("0.0270", "0.0000")

    file = read(text().replace(NONBONDED, NONBONDED + dummy))

    assert [(row.name, row.radius, row.depth) for row in file.nonbonded][1:] == [("D1", 0.0, 0.0)]
    with pytest.raises(InputError, match="a radius must be positive"):
        read(text().replace(NONBONDED, dummy.replace("0.0000     0.0000 ", "0.0000     0.0100 ", 1)))


def test_out_of_plane_row_holds_two_constants(read):
    (row,) = read(text(inside=" 5   1   2  00  00         0.0048     0.5000     0.0000\n")).substructures[0].rows

    np.testing.assert_allclose(row.columns[:2], [0.0048 * 2.0 * 60.19939 / 4.184, 60.19939 / 4.184])


def test_conditions_are_angles_or_torsions(data):
    allyl = next(s for s in read_fld(data / "pd-allyl/mm3.fld").substructures if s.title.startswith("PdAllyl ALLYL"))

    assert {label: condition.positions for label, condition in allyl.conditions.items()} == {
        "c": (2, 3, 4, 5),
        "m": (2, 3, 4, 6),
    }
    np.testing.assert_allclose([allyl.conditions["c"].angle, allyl.conditions["c"].tolerance], [np.pi, np.pi / 3])


def test_all_offending_lines_are_listed(read):
    with pytest.raises(InputError, match=r"(?s)line 16.*line 17"):
        read(text(STRETCH[:33] + "\n" + STRETCH[:8] + "\n"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({15: (1.0,)}, "line 15: no row stands here", id="no row"),
        pytest.param({16: (1e9,)}, "line 16: .* does not fit", id="too large"),
        pytest.param({16: (1.0,) * 4}, "line 16: 4 numbers for 3", id="too many"),
    ],
)
def test_changes_that_cannot_be_written_are_named(read, tmp_path, changes, complaint):
    with pytest.raises(InputError, match=complaint):
        write_fld(tmp_path / "out.fld", read(text()), changes)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.fld: No such file"):
        read_fld(tmp_path / "none.fld")
