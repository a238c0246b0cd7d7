"""Input that cannot be used is refused in words that say what, where and what to do."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, MissingParameters
from forgefield.io.qm.qcschema import write_qcschema
from forgefield.jobs.convert import read_with_results
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.load import isomers_apart, load
from forgefield.jobs.fit.plan.prepare import prepare

FIT = """
[[molecules]]
reference = "{reference}"
[targets]
forces = {{ tolerance = 20.0 }}
"""


@pytest.fixture
def refusal(project):
    """Prepares a FIT.toml after a change to its folder and returns what was said, without the folder."""

    def of(text, change=None):
        path = project(text)
        if change is not None:
            change(path.parent)
        with pytest.raises(InputError) as error:
            prepare(path)
        return str(error.value).replace(f"{path.parent}/", "")

    return of


def edited(change):
    """Returns a function that changes ch3f.json in a folder."""

    def edit(folder):
        path = folder / "ch3f.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return edit


def shorten(content):
    hessian = np.reshape(content["return_result"], (15, 15))[:12, :12]
    content["return_result"] = content["properties"]["return_hessian"] = hessian.ravel().tolist()


def contradict(content):
    hessian = 1.1 * np.array(content["return_result"])
    content["return_result"] = content["properties"]["return_hessian"] = hessian.tolist()


def put_nan(content):
    content["return_result"][7] = content["properties"]["return_hessian"][7] = float("nan")


def split(content):
    geometry = np.reshape(content["molecule"]["geometry"], (-1, 3))
    geometry[4] += 12.0
    content["molecule"]["geometry"] = geometry.ravel().tolist()


def no_hessian(content):
    content["driver"], content["return_result"] = "gradient", content["properties"]["return_gradient"]
    del content["properties"]["return_hessian"]
    content["extras"] = {}


def rare_element(content):
    content["molecule"]["molecular_multiplicity"] = 2
    content["molecule"]["symbols"][1] = "Og"
    content["molecule"]["masses"][1] = 294.0


def both(*changes):
    def edit(content):
        for change in changes:
            change(content)

    return edited(edit)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited(shorten), ["ch3f.json", "hessian of 144 numbers, expected 225"]),
        (edited(contradict), ["ch3f.json", "frequenc"]),
        (edited(put_nan), ["ch3f.json", "finite"]),
        (both(no_hessian, split), ["ch3f.json", "the molecule is in 2 pieces", "H5"]),
        (both(no_hessian, rare_element), ["ch3f.json", "Og", "radius"]),
    ],
    ids=["hessian of the wrong size", "contradicts its frequencies", "NaN", "two pieces", "no radius"],
)
def test_damaged_reference_is_named(refusal, change, said):
    message = refusal(FIT.format(reference="ch3f.json"), change)

    assert all(word in message for word in said), message


def test_missing_reference_is_named(refusal):
    message = refusal(FIT.format(reference="nowhere.json"))

    assert "nowhere.json" in message


def test_negative_eigenvalue_asks_for_a_policy(refusal):
    message = refusal(FIT.format(reference="saddle.json"))

    assert "saddle.json: the Hessian has a negative eigenvalue" in message
    assert 'transition_state = "C" | "D" | "D+" | "E" | "none"' in message


def test_structure_with_other_atoms_than_its_reference_is_refused(refusal):
    text = FIT.format(reference="ch3f.json").replace("reference", 'structures = "ch3f.xyz"\nreference')

    def change(folder):
        content = json.loads((folder / "ch3f.json").read_text())["molecule"]
        atoms = np.reshape(content["geometry"], (-1, 3)) * 0.529177
        lines = [f"{s} {x} {y} {z}" for s, (x, y, z) in zip(content["symbols"], atoms, strict=True)]
        lines[0], lines[1] = lines[1], lines[0]
        (folder / "ch3f.xyz").write_text("\n".join(["5", "swapped", *lines]) + "\n")

    message = refusal(text, change)

    assert "the atoms of one are in another order than in the other" in message
    assert "atom 1 is F in ch3f.xyz, C in ch3f.json" in message


def test_as_many_structures_as_references_are_wanted(refusal):
    text = FIT.format(reference="ch3f.json").replace("reference", 'structures = ["ch3f.xyz", "copy.xyz"]\nreference')

    def change(folder):
        for name in ("ch3f.xyz", "copy.xyz"):
            (folder / name).write_text("1\n\nH 0 0 0\n")

    message = refusal(text, change)

    assert "2 structure(s) but 1 reference(s)" in message
    assert "copy.xyz" in message


def test_target_without_data_is_named(refusal):
    message = refusal(FIT.format(reference="ch3f.json") + "energy = { tolerance = 1.0 }")

    assert "no reference has data for the target(s) energy" in message


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('freeze = ["stretch X*"]', "freeze: no trained parameter matches 'stretch X*'; `forgefield fit --check`"),
        ('allow_negative = ["bond*"]', "allow_negative: no trained parameter matches 'bond*'"),
        ('freeze = ["*"]', "nothing is trained"),
        ('train = ["torsion *"]', "matches no row of the force field"),
        ('write = ["frcmod"]', 'write: frcmod cannot hold form = "mm3"'),
        (
            'ties = [{ follower = "stretch C1-H1 k", leader = "stretch C1-F1 k" }, '
            '{ follower = "stretch C1-F1 k", leader = "stretch C1-H1 k" }]',
            "ties run in a circle: stretch C1-F1 k -> stretch C1-H1 k -> stretch C1-F1 k; remove one of them",
        ),
        ('ties = [{ follower = "stretch C1-H1 k", leader = "x" }]', "a tie names parameters that are not trained: 'x'"),
        ('start = "nowhere.fld"', "nowhere.fld"),
    ],
)
def test_force_field_section_that_cannot_be_is_refused(refusal, entry, said):
    assert said in refusal(f"[forcefield]\n{entry}\n" + FIT.format(reference="ch3f.json"))


def test_stretches_and_bends_without_a_row_are_listed(project, data):
    path = project(
        """
[forcefield]
start = "mm3.fld"
train = ["C3-C3"]
[[molecules]]
structures = "GS.mol2"
reference = "GS.fchk"
[targets]
frequencies = { tolerance = 20.0 }
"""
    )
    for name in ("rh-enamide/forcefield/mm3.fld", "rh-enamide/forcefield/atom.typ", "ethane/GS.mol2", "ethane/GS.fchk"):
        shutil.copy(data / name, path.parent)

    with pytest.raises(MissingParameters, match=r"stretch C3-HC: 6 \(first at atoms 1, 2 of .*GS\.mol2\)"):
        prepare(path)


def test_missing_gradient_is_taken_as_zero_with_a_warning(project):
    path = project(FIT.format(reference="ch3f.json"))
    edited(lambda content: content["properties"].pop("return_gradient"))(path.parent)

    prepared = prepare(path)

    assert any("no gradient in the file; the structure is taken to be stationary" in w for w in prepared.warnings)
    np.testing.assert_array_equal(prepared.data.gradient, 0.0)


def test_structures_of_one_name_get_numbers(project):
    text = FIT.format(reference="ch3f.json").replace("[targets]", '[[molecules]]\nreference = "ch3f.json"\n[targets]')

    prepared = prepare(project(text))

    assert [m.name for m in prepared.molecules] == ["ch3f-1", "ch3f-2"]


def test_scaled_hessian_scales_its_frequencies_by_the_root(project):
    whole = prepare(project(FIT.format(reference="ch3f.json")))
    scaled = prepare(project("[forcefield]\nhessian_scale = 0.81\n" + FIT.format(reference="ch3f.json")))

    ratio = known(scaled.examples[0].treated).frequencies / known(whole.examples[0].treated).frequencies
    np.testing.assert_allclose(ratio, 0.9)


def numpy_hessian(path, unit):
    """Puts geometry and Hessian of ch3f.json beside it, as an array of NumPy in a unit of so many Hartree/Bohr²."""
    content = json.loads((path.parent / "ch3f.json").read_text())
    positions = np.reshape(content["molecule"]["geometry"], (-1, 3)) * units.BOHR
    rows = [
        " ".join([s, *map(str, x)]) for s, x in zip(content["molecule"]["symbols"], positions.tolist(), strict=True)
    ]
    (path.parent / "other.xyz").write_text("\n".join(["5", "", *rows, ""]))
    np.save(path.parent / "other.npy", np.reshape(content["return_result"], (15, 15)) / unit)
    return path


KCAL = units.HARTREE_PER_BOHR2**-1
IN_KCAL = FIT.replace('"{reference}"', '["other.xyz", "other.npy"]').replace("[targets]", "{unit}\n[targets]")


@pytest.mark.parametrize(("unit", "size"), [("kcal/mol/Å²", KCAL), ("eV/Å^2", KCAL * units.ELECTRONVOLT)])
def test_hessian_of_an_array_is_in_the_unit_that_is_stated(project, unit, size):
    stated = prepare(numpy_hessian(project(IN_KCAL.format(unit=f'hessian_unit = "{unit}"')), size))
    usual = prepare(numpy_hessian(project(IN_KCAL.format(unit="")), 1.0))

    found, right = (known(one.examples[0].reference.hessian) for one in (stated, usual))
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("reference", "unit", "message"),
    [
        ('["other.xyz", "other.npy"]', "", r"frequency of 1\d{5} cm⁻¹.* most likely in kcal/mol/Å\^2"),
        ('["other.xyz", "other.npy"]', 'hessian_unit = "furlong"', r'hessian_unit = "furlong": has a unit that is not'),
        (
            '["other.xyz", "other.npy"]',
            'hessian_unit = "kcal/mol"',
            r"is in kcal/mol, which cannot be turned into kcal",
        ),
        ('"ch3f.json"', 'hessian_unit = "eV/Å^2"', r"ch3f\.json: state the unit of their Hessians themselves"),
    ],
)
def test_unit_that_is_wrong_is_refused(project, reference, unit, message):
    text = FIT.replace('"{reference}"', reference).replace("[targets]", f"{unit}\n[targets]").format()

    with pytest.raises(InputError, match=message):
        prepare(numpy_hessian(project(text), KCAL))


SKIP = """
[[molecules]]
reference = ["*.json"]
transition_state = "C"
[targets]
forces = { tolerance = 20.0 }
[fit]
on_error = "skip"
"""


def only(*names):
    """Keeps these references in a folder."""

    def keep(folder):
        for path in folder.glob("*.json"):
            if path.stem not in names:
                path.unlink()

    return keep


@pytest.mark.parametrize(
    ("change", "said"),
    [(contradict, "frequenc"), (split, "pieces")],
    ids=["fails in reading", "fails in assignment"],
)
def test_molecule_that_cannot_be_used_is_left_out_where_the_file_says_so(project, change, said):
    path = project(SKIP)
    only("ch3f", "staggered")(path.parent)
    edited(lambda content: (no_hessian(content) if change is split else None, change(content)))(path.parent)

    prepared = prepare(path)

    (skipped,) = prepared.skipped
    assert [m.name for m in prepared.molecules] == ["staggered"]
    assert skipped.name == "ch3f"
    assert skipped.file.endswith("ch3f.json")
    assert said in skipped.reason
    assert any(w.startswith("ch3f is left out") and said in w for w in prepared.warnings)
    with pytest.raises(InputError, match=r"ch3f\.json"):
        prepare_stopping(path)


def prepare_stopping(path):
    path.write_text(path.read_text().replace("skip", "stop"))
    return prepare(path)


def write_xyz(folder, name):
    """Writes the geometry of a reference."""
    molecule = json.loads((folder / f"{name}.json").read_text())["molecule"]
    atoms = np.reshape(molecule["geometry"], (-1, 3)) * 0.529177
    lines = [f"{s} {x} {y} {z}" for s, (x, y, z) in zip(molecule["symbols"], atoms, strict=True)]
    (folder / f"{name}.xyz").write_text("\n".join([str(len(lines)), name, *lines]) + "\n")


def test_structures_keep_their_references_when_one_is_left_out(project):
    path = project(SKIP.replace("reference", 'structures = "*.xyz"\nreference'))
    only("ch3f", "staggered", "eclipsed")(path.parent)
    for name in ("ch3f", "staggered", "eclipsed"):
        write_xyz(path.parent, name)
    edited(contradict)(path.parent)

    prepared = prepare(path)

    assert [one.name for one in prepared.skipped] == ["ch3f"]
    assert [m.name for m in prepared.molecules] == ["eclipsed", "staggered"]


def test_nothing_left_is_refused(refusal):
    message = refusal(SKIP, lambda folder: (only("ch3f")(folder), edited(contradict)(folder)))

    assert "no molecule can be used:\n  ch3f is left out (ch3f.json): " in message


def test_pattern_that_matches_nothing_is_no_molecule_to_skip(refusal):
    assert "matches no file" in refusal(SKIP.replace("*.json", "*.fchk"))


def test_misspelt_results_are_among_the_warnings_of_a_fit(project):
    path = project(FIT.format(reference="frames.xyz"))
    head = "Properties=species:S:1:pos:R:3:forces:R:3 enrgy=-2.0"
    (path.parent / "frames.xyz").write_text(f"2\n{head}\nH 0 0 0 0.5 0 0\nF 0 0 0.95 -0.5 0 0\n")

    loaded = load(read_plan(path))

    assert loaded.warnings == (f"{path.parent}/frames.xyz: the key 'enrgy' is not read; did you mean 'energy'?",)


ENERGY = """
[[molecules]]
reference = "{first}.json"
transition_state = "D"
[[molecules]]
reference = "{second}.json"
[targets]
energy = {{ tolerance = 0.5 }}
"""


@pytest.mark.parametrize(("group", "n_groups"), [("", 2), ('group = "isomers"\n', 1)])
def test_energies_of_isomers_are_compared_in_a_stated_group_alone(project, group, n_groups):
    path = project(f'[[molecules]]\nreference = "*.xyz"\n{group}[targets]\nenergy = {{ tolerance = 1.0 }}\n')
    # Hydrogen cyanide and isocyanide.
    for name, atoms in (("a", "H 0 0 0;C 0 0 1.07;N 0 0 2.22"), ("b", "C 0 0 0;N 0 0 1.17;H 0 0 2.17")):
        head = "Properties=species:S:1:pos:R:3 energy=-1000.0"
        (path.parent / f"{name}.xyz").write_text("\n".join(["3", head, *atoms.split(";")]) + "\n")

    examples = load(read_plan(path)).examples

    assert len({one.group for one in examples}) == n_groups
    said = isomers_apart(examples)
    assert len(said) == n_groups - 1
    assert all("the energies of a, b are not compared" in one and "group" in one for one in said)


def test_energies_of_other_compositions_have_no_common_zero(refusal, project):
    # Fluoromethane and ethane are not compared, ethane and ethane are.
    message = refusal(ENERGY.format(first="ch3f", second="staggered"))

    assert "data for the target(s) energy: energy needs the energies of at least two structures of one group" in message
    assert len({e.group for e in prepare(project(ENERGY.format(first="eclipsed", second="staggered"))).examples}) == 1


def test_bonds_and_charges_that_a_reference_states_are_taken(project):
    path = project(FIT.format(reference="ch3f.json"))
    ((molecule, reference),) = read_with_results(path.parent / "ch3f.json")
    stated = replace(molecule, bonds=np.array([[0, 1], [0, 2]]), orders=np.array([1.0, 0.0]))
    charged = replace(stated, formal_charges=np.array([1, -1, 0, 0, 0]))
    write_qcschema(path.parent / "ch3f.json", charged, reference)

    (example,) = load(read_plan(path)).examples

    assert example.molecule.bonds.tolist() == [[0, 1], [0, 2]]
    assert example.molecule.orders.tolist() == [1.0, 0.0]
    assert known(example.molecule.formal_charges).tolist() == [1, -1, 0, 0, 0]


def test_bonds_that_a_saddle_states_are_not_taken_for_those_that_form_and_break(project):
    path = project(FIT.format(reference="saddle.json").replace("[targets]", 'transition_state = "C"\n[targets]'))
    ((molecule, reference),) = read_with_results(path.parent / "saddle.json")
    stated = replace(molecule, bonds=np.array([[0, 1]]), orders=np.ones(1))
    write_qcschema(path.parent / "saddle.json", stated, reference)

    (example,) = load(read_plan(path)).examples

    assert len(example.molecule.bonds) == 5


def test_a_smiles_among_the_structures_gives_the_bonds_of_its_reference(project):
    path = project(FIT.format(reference="ch3f.json").replace("[targets]", 'structures = "smiles:FC"\n[targets]'))

    (example,) = load(read_plan(path)).examples

    ((molecule, _),) = read_with_results(path.parent / "ch3f.json")
    np.testing.assert_array_equal(example.molecule.positions, molecule.positions)
    assert (example.molecule.name, len(example.molecule.bonds)) == ("CH3F", 4)


def test_a_smiles_of_another_molecule_is_refused(refusal):
    text = FIT.format(reference="ch3f.json").replace("[targets]", 'structures = "smiles:CCl"\n[targets]')

    assert "are not those of smiles:CCl; check hydrogens" in refusal(text)
