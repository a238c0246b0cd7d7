"""`forgefield diff`: every number that differs, beside the line it stands on, or the atoms that it acts on."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import System
from forgefield.assign.generated import generate
from forgefield.assign.mm3.file import RowKind
from forgefield.assign.typed_rules import TypedRules
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.native import write_native, write_rules
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from forgefield.jobs.convert import convert_force_field
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.models.forcefield import ForceField
from forgefield.molecules.bonds import perceive_bonds
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import COUPLINGS
from forgefield.terms.periodic import PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

FLUOROMETHYLAMINE = """7

C 0.02 0.01 0.03
N 1.45 0.05 -0.04
F -0.45 1.28 0.06
H -0.40 -0.55 0.87
H -0.35 -0.47 -0.91
H 1.82 -0.42 0.76
H 1.80 -0.45 -0.87
"""
CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"


@pytest.fixture(scope="module")
def start(data):
    return data / "rh-enamide/forcefield/rh_hyd_enamide_start.fld"


@pytest.fixture(scope="module")
def lines(start):
    return start.read_text(encoding="latin-1").split("\n")


def differences(forgefield, old, new, *more):
    result = forgefield("diff", old, new, *more, "--json")
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


AMIDE = "nmethylacetamide"
CONVERSIONS = [
    *((AMIDE, suffix) for suffix in ("prmtop", "top", "lmp", "key", "json", "frcmod")),
    *(
        pytest.param(name, suffix, marks=pytest.mark.openmm)
        for name, suffix in (
            (AMIDE, "system.xml"),
            (AMIDE, "xml"),
            (AMIDE, "psf"),
            ("aladip_charmm27", "psf"),
            ("aladip_charmm27", "system.xml"),
        )
    ),
    ("aladip_oplsaa", "prmtop"),
    ("aladip_oplsaa", "lmp"),
]
JOINED = {"psf": ("psf", "prm", "rtf")}
"""Suffixes of the files that make up a force field."""
OVER = {"xml": "gro", "frcmod": "mol2"}
"""Suffixes of the structures that a format is laid over."""


@pytest.fixture(scope="module")
def topologies(data, tmp_path_factory):
    """Topologies of AMBER and GROMACS with their coordinates."""
    folder = tmp_path_factory.mktemp("topologies")
    for kind, name, suffixes in (
        ("amber", AMIDE, ("prmtop", "gro")),
        ("amber", "propionitrile", ("prmtop",)),
        ("gromacs", "aladip_charmm27", ("top", "gro")),
        ("gromacs", "aladip_oplsaa", ("top", "gro")),
    ):
        for suffix in suffixes:
            shutil.copy(data / "programs" / kind / f"{name}.{suffix}", folder)
    return folder


@pytest.mark.parametrize(("name", "suffix"), CONVERSIONS)
def test_a_conversion_does_not_differ_from_what_it_was_made_of(forgefield, topologies, tmp_path, name, suffix):
    if suffix in ("system.xml", "xml", "psf"):
        pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    source = topologies / f"{name}.{'prmtop' if name == AMIDE else 'top'}"
    written = tmp_path / f"lig.{suffix}"
    convert_force_field(source, written, over=[] if suffix in ("json", "system.xml") else [source.with_suffix(".gro")])
    read = "+".join(str(written.with_suffix(f".{part}")) for part in JOINED.get(suffix, ())) or str(written)
    home = tmp_path / "lig.mol2" if suffix == "frcmod" else source.with_suffix(".gro")
    over = ["--over", home] if suffix in OVER else []

    result = forgefield("diff", source, read, *over, "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["differences"] == []
    assert {"stretch", "bend", "torsion", "vdw"} <= {*found["same"]}
    assert found["same"]["charge"] == instance(SystemRules, load(source)).system.n_atoms


@pytest.fixture(scope="module")
def coupled(tmp_path_factory):
    """A native file of fluoromethylamine with all couplings, and a geometry at which none of them is zero."""
    folder = tmp_path_factory.mktemp("coupled")
    path = folder / "bent.xyz"
    path.write_text(FLUOROMETHYLAMINE)
    (read,) = read_structures(path)
    bonds, orders = perceive_bonds(read.species, read.positions)
    molecule = replace(read, bonds=bonds, orders=orders)
    made = generate([molecule], (HARMONIC_STRETCH, HARMONIC_BEND, *COUPLINGS))
    values = np.array(made.model.values)
    values += 10.0 * (values == 0.0) * (1.0 + np.arange(len(values)) / len(values))
    for row in made.rows:
        if row.term in (HARMONIC_STRETCH, HARMONIC_BEND):
            values[row.indices[1]] *= 0.97
    write_native(folder / "coupled.json", replace(made, model=ForceField(made.model.terms, jnp.asarray(values))))
    return folder / "coupled.json", path


@pytest.mark.parametrize("suffixes", [("xml",), ("system.xml",), ("system.xml", "json")])
def test_couplings_are_known_again_in_openmms_files(forgefield, coupled, tmp_path, suffixes):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    (native, bent), over = coupled, ["--over", coupled[1]]
    written = native
    for suffix in suffixes:
        source, written = written, tmp_path / f"written.{suffix}"
        assert forgefield("convert", source, written, *over).exit_code == 0
        over = []

    result = forgefield("diff", native, written, "--over", bent, "--json")
    shown = [forgefield("evaluate", path, bent, "--json") for path in (native, written)]

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["differences"] == []
    assert {term.kind for term in COUPLINGS} <= {*found["same"]}
    ours, theirs = (json.loads(one.stdout)["structures"][0] for one in shown)
    kinds = [*(term.kind for term in COUPLINGS), "stretch", "bend", "total"]
    assert min(abs(ours[kind]) for kind in kinds) > 1e-4
    assert [theirs[kind] for kind in kinds] == pytest.approx([ours[kind] for kind in kinds], abs=1e-8)


@pytest.mark.parametrize("name", ["nmethylacetamide", "paracetamol", "propionitrile", "thiazole", "aladip"])
@pytest.mark.parametrize("suffix", ["top", "openmm.xml"])
def test_a_topology_does_not_differ_from_what_other_programs_made_of_it(forgefield, data, name, suffix):
    source = data / "programs/amber" / f"{name}.prmtop"

    found = json.loads(forgefield("diff", source, source.with_name(f"{name}.{suffix}"), "--json").stdout)

    assert found["differences"] == []
    assert {"stretch", "bend", "torsion", "vdw", "charge"} <= {*found["same"]}


@pytest.mark.openmm
def test_templates_are_laid_over_several_molecules_in_one_structure(forgefield, tmp_path):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    source = Path(__file__).parents[1] / "io/forcefields/laid/golden/mixture.prmtop"
    convert_force_field(source, tmp_path / "mixture.xml")

    found = differences(forgefield, source, tmp_path / "mixture.xml", "--over", source.with_suffix(".inpcrd"))

    assert found == []


def changed(source: Path, target: Path, kind: str) -> tuple[str, float, float]:
    """Write a topology with one constant by 1 % larger; return the name of its row, the old and the new value."""
    rules = instance(SystemRules, load(source))
    row = next(row for row in rules.rowed.rows if row.term.kind == kind)
    values = rules.rowed.values.copy()
    before = values[row.indices[0]]
    values[row.indices[0]] *= 1.01
    write_rules(target, rules.with_values(values))
    return row.name, float(before), float(values[row.indices[0]])


@pytest.mark.openmm
@pytest.mark.parametrize("kind", ["stretch", "bend", "torsion", "improper", "vdw", "electrostatic"])
def test_one_changed_constant_is_the_one_difference_whatever_the_format(forgefield, topologies, tmp_path, kind):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    source = topologies / f"{AMIDE}.prmtop"
    convert_force_field(source, tmp_path / "lig.system.xml")
    name, before, after = changed(source, tmp_path / "changed.json", kind)

    found = differences(forgefield, tmp_path / "changed.json", tmp_path / "lig.system.xml")

    (one,) = found
    assert f"{one['kind']} {one['name']}" == name.replace("electrostatic", "charge")
    np.testing.assert_allclose([numbers[0] for numbers in one["numbers"]], [after, before], rtol=2e-5)
    assert one["new_name"] or kind == "electrostatic"
    assert one["atoms"]


def test_numbers_that_hardly_differ_are_shown_to_differ(forgefield, topologies, tmp_path):
    source = topologies / f"{AMIDE}.prmtop"
    rules = instance(SystemRules, load(source))
    values = rules.rowed.values.copy()
    values[next(row for row in rules.rowed.rows if row.term.kind == "stretch").indices[1]] += 1.6e-6
    write_rules(tmp_path / "near.json", rules.with_values(values))

    (line,) = [text for text in forgefield("diff", source, tmp_path / "near.json").stdout.splitlines() if "r0" in text]
    at_ease = forgefield("diff", source, tmp_path / "near.json", "--tolerance", "1e-5")

    old, new = line.split()[-2:]
    assert old != new
    assert "No row differs" in at_ease.stdout


def in_order(system: System, order: np.ndarray) -> System:
    """Return a system whose atoms are these of it, one after the other."""
    place, space = np.argsort(order), system.through_space
    return replace(
        system,
        species=system.species[order],
        masses=system.masses[order],
        bonds=place[system.bonds],
        **{what: tuple(getattr(system, what)[k] for k in order) for what in ("types", "names", "residues")},
        interactions=tuple(replace(one, atoms=place[one.atoms]) for one in system.interactions),
        through_space=replace(
            space, parameters=space.parameters[order], charges=space.charges[order], special=place[space.special]
        ),
    )


@pytest.mark.parametrize("names", ["kept", "lost"])
def test_atoms_in_another_order_are_matched(forgefield, topologies, tmp_path, names):
    system = instance(SystemRules, load(topologies / f"{AMIDE}.prmtop")).system
    turned = in_order(system, np.arange(system.n_atoms)[::-1])
    if names == "lost":
        turned = replace(turned, names=tuple(f"X{k}" for k in range(system.n_atoms)))
    write_rules(tmp_path / "turned.json", SystemRules(turned))

    found = json.loads(forgefield("diff", topologies / f"{AMIDE}.prmtop", tmp_path / "turned.json", "--json").stdout)

    assert found["differences"] == []
    assert "Atoms are in another order" in found["remarks"][0]


def test_other_molecules_are_compared_by_types(forgefield, topologies):
    result = forgefield("diff", topologies / f"{AMIDE}.prmtop", topologies / "propionitrile.prmtop")

    assert "are not the same molecules: rows are compared by the names of their types" in result.stdout
    assert "harmonic_stretch c-o" in result.stdout


@pytest.mark.parametrize(("phase", "n"), [(math.pi + 1.4e-6, 0), (math.pi + 2e-5, 1), (-math.pi, 0)])
def test_phases_are_the_same_to_the_digits_of_ambers_files(forgefield, topologies, tmp_path, phase, n):
    source = topologies / f"{AMIDE}.prmtop"
    rules = instance(SystemRules, load(source))
    values = rules.rowed.values.copy()
    place = next(row.indices[0] for row in rules.rowed.rows if row.name.startswith("improper c3-ns-c-o"))
    values[place + 2] = phase
    write_rules(tmp_path / "turned.json", rules.with_values(values))

    result = forgefield("diff", source, tmp_path / "turned.json")

    assert (f"{n} row(s) differ" if n else "No row differs") in result.stdout
    assert len([line for line in result.stdout.splitlines() if line.startswith("improper")]) == n


@pytest.mark.parametrize(("shares", "n"), [((0.25, 0.75), 0), ((1.5, -0.5), 0), ((0.25, 0.5), 1)])
def test_torsions_of_one_fold_about_the_same_atoms_are_added_up(forgefield, topologies, tmp_path, shares, n):
    source = topologies / f"{AMIDE}.prmtop"
    system = instance(SystemRules, load(source)).system
    whole = next(one for one in system.interactions if one.term is PERIODIC_TORSION)
    first = int(np.argmax(np.abs(whole.values[:, 0])))
    parts = [np.where(np.arange(len(whole.atoms)) == first, share, k)[:, None] for k, share in enumerate(shares[::-1])]
    split = [replace(whole, values=whole.values * np.hstack([part, np.ones((len(part), 2))])) for part in parts]
    write_rules(
        tmp_path / "split.json",
        SystemRules(replace(system, interactions=(*(i for i in system.interactions if i is not whole), *split))),
    )

    assert len(differences(forgefield, source, tmp_path / "split.json")) == n


def test_hydrogens_that_are_made_heavier_are_told(forgefield, topologies, tmp_path):
    system = instance(SystemRules, load(topologies / f"{AMIDE}.prmtop")).system
    heavier = np.where(system.species == 1, 3.024, system.masses)
    write_rules(tmp_path / "heavy.json", SystemRules(replace(system, masses=heavier)))

    result = forgefield("diff", topologies / f"{AMIDE}.prmtop", tmp_path / "heavy.json")

    assert "No row differs" in result.stdout
    assert "Masses differ [amu]: H1 1.008 and 3.024, H2 1.008 and 3.024 and 5 more" in result.stdout


def test_scales_of_pairs_are_compared(forgefield, topologies, tmp_path):
    text = (topologies / f"{AMIDE}.prmtop").read_text()
    head, _, rest = text.partition("%FLAG SCNB_SCALE_FACTOR")
    (tmp_path / "scaled.prmtop").write_text(
        f"{head}%FLAG SCNB_SCALE_FACTOR{rest.replace('2.00000000E+00', '1.60000000E+00')}"
    )

    found = differences(forgefield, topologies / f"{AMIDE}.prmtop", tmp_path / "scaled.prmtop")

    assert {one["kind"] for one in found} == {"pair"}
    assert all([one["numbers"][0][0], one["numbers"][1][0]] == [0.5, 0.625] for one in found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("a.prmtop", "a.offxml"),
            "a.offxml: has rows for any molecule; name a structure that it is laid over (--over)",
        ),
        (("a.prmtop", "a.prmtop", "--over", "a.gro"), "state what acts on their own atoms; name no structure (--over)"),
        (("a.prmtop", "a.prmtop", "--tolerance", "2"), "--tolerance 2: a number from 0 to 1 is expected"),
        (("a.prmtop", "none.top"), "none.top: "),
    ],
)
def test_what_cannot_be_compared_is_one_message(forgefield, topologies, tmp_path, monkeypatch, words, message):
    for suffix in ("prmtop", "gro"):
        shutil.copy(topologies / f"{AMIDE}.{suffix}", tmp_path / f"a.{suffix}")
    convert_force_field(tmp_path / "a.prmtop", tmp_path / "a.offxml", over=[tmp_path / "a.gro"], approximate=True)
    monkeypatch.chdir(tmp_path)

    result = forgefield("diff", *words)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_force_field_of_any_molecule_is_laid_over_a_structure(forgefield, start, estimated):
    result = forgefield("diff", start, estimated[0])

    assert result.exit_code == 2
    assert "name a structure that it is laid over (--over)" in result.stderr
