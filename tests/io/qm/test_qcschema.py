import json

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.formats import format_of
from forgefield.io.qm.qcschema import read_qcschema, write_qcschema
from forgefield.molecules.molecule import Molecule, Reference

ROUNDING = {"rtol": 4 * np.finfo(float).eps, "atol": 0.0}


@pytest.fixture
def molecule(generator):
    return Molecule(
        name="water",
        species=np.array([8, 1, 1]),
        positions=generator.normal(size=(3, 3)),
        bonds=np.array([[0, 1], [0, 2]]),
        orders=np.array([1.0, 0.5]),
    )


@pytest.fixture
def reference(molecule, generator):
    hessian = generator.normal(size=(9, 9))
    return Reference(
        species=molecule.species,
        positions=generator.normal(size=(3, 3)),
        energy=-76.4 * units.HARTREE,
        gradient=generator.normal(size=(3, 3)),
        hessian=hessian + hessian.T,
        frequencies=np.array([-100.5, 1600.0, 3700.1]),
        masses=np.array([15.9949, 2.0141, 1.0078]),
        level="B3LYP/6-31+G(d)",
        program="Psi4",
        stationary_order=1,
        charge=-1,
        multiplicity=2,
    )


@pytest.fixture
def content(tmp_path, molecule, reference):
    write_qcschema(tmp_path / "written.json", molecule, reference)
    return json.loads((tmp_path / "written.json").read_text())


def test_what_is_written_is_read_to_full_precision(tmp_path, molecule, reference):
    write_qcschema(tmp_path / "water.json", molecule, reference)
    part = read_qcschema(tmp_path / "water.json")

    for name in ("positions", "energy", "gradient", "hessian", "frequencies", "masses"):
        np.testing.assert_allclose(getattr(part, name), getattr(reference, name), **ROUNDING)
    for name in ("level", "program", "stationary_order", "charge", "multiplicity"):
        assert getattr(part, name) == getattr(reference, name)
    assert (part.name, known(part.bonds).tolist(), known(part.orders).tolist()) == (
        "water",
        [[0, 1], [0, 2]],
        [1.0, 0.5],
    )
    assert [path.name for path in tmp_path.iterdir()] == ["water.json"]


def test_absent_data_stay_absent(tmp_path, molecule):
    write_qcschema(tmp_path / "water.json", molecule, Reference(molecule.species, molecule.positions))

    part = read_qcschema(tmp_path / "water.json")

    absent = ("energy", "gradient", "hessian", "frequencies", "masses", "stationary_order")
    assert [getattr(part, name) for name in absent] == [None] * len(absent)


def test_result_of_another_program_is_read_in_shape_or_flat(tmp_path):
    result = {
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "molecule": {"symbols": ["H", "H"], "geometry": [[0, 0, 0], [0, 0, 1.4]], "molecular_charge": 0.0},
        "driver": "gradient",
        "model": {"method": "hf", "basis": "sto-3g"},
        "properties": {"return_energy": -1.1, "scf_iterations": 5},
        "return_result": [0, 0, -0.5, 0, 0, 0.5],
        "provenance": {"creator": "QCEngine"},
        "success": True,
    }
    (tmp_path / "h2.json").write_text(json.dumps(result))

    part = read_qcschema(tmp_path / "h2.json")

    assert known(part.gradient)[1, 2] == 0.5 * units.HARTREE_PER_BOHR
    assert (part.energy, part.level, part.hessian) == (-1.1 * units.HARTREE, "hf/sto-3g", None)


H2 = {"schema_name": "qcschema_molecule", "symbols": ["H", "H"], "geometry": [0.0, 0.0, 0.0, 0.0, 0.0, 1.4]}
LONGER = {**H2, "geometry": [0.0, 0.0, 0.0, 0.0, 0.0, 1.5]}
MODEL = {"method": "hf", "basis": "sto-3g"}
GRADIENT = [0.0, 0.0, -0.5, 0.0, 0.0, 0.5]
ONE = {
    "schema_name": "qcschema_output",
    "molecule": H2,
    "driver": "gradient",
    "model": MODEL,
    "properties": {"return_energy": -1.1},
    "return_result": GRADIENT,
}
SPECIFICATION = {"driver": "gradient", "model": MODEL}
TWO = {
    **{key: ONE[key] for key in ("molecule", "properties", "return_result")},
    "schema_name": "qcschema_atomic_result",
    "schema_version": 2,
    "input_data": {"schema_name": "qcschema_atomic_input", "molecule": H2, "specification": SPECIFICATION},
}
RECORD = {
    "record_type": "singlepoint",
    "status": "complete",
    "specification": {"driver": "gradient", "program": "psi4", **MODEL},
    "molecule": H2,
    "properties": {"return_energy": -1.1, "return_gradient": GRADIENT},
}
LAYOUTS = {
    "the name of old programs": {**ONE, "schema_name": "qc_schema_output"},
    "version 2": TWO,
    "input and result": {"input": {"molecule": H2, "driver": "gradient"}, "result": ONE},
    "a record": RECORD,
    "an optimisation": {
        "schema_name": "qcschema_optimization_output",
        "final_molecule": H2,
        "energies": [-1.0, -1.1],
        "trajectory": [{**ONE, "molecule": LONGER}, ONE],
    },
    "an optimisation of version 2": {
        "schema_name": "qcschema_optimization_result",
        "final_molecule": H2,
        "properties": {"return_energy": -1.1},
        "trajectory_results": [TWO],
    },
    "a record of an optimisation": {
        "record_type": "optimization",
        "status": "complete",
        "final_molecule": H2,
        "energies": [-1.1],
        "trajectory": [RECORD],
    },
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_says_the_same(tmp_path, name):
    (tmp_path / "h2.json").write_text(json.dumps(LAYOUTS[name]))

    part = read_qcschema(tmp_path / "h2.json")

    assert (part.energy, part.level) == (-1.1 * units.HARTREE, "hf/sto-3g")
    np.testing.assert_allclose(known(part.gradient)[1, 2], 0.5 * units.HARTREE_PER_BOHR, rtol=1e-12)
    np.testing.assert_allclose(known(part.positions)[1, 2], 1.4 * units.BOHR, rtol=1e-12)


def test_optimisation_that_keeps_no_step_at_its_end_has_no_gradient(tmp_path):
    optimisation = {**LAYOUTS["an optimisation"], "trajectory": [{**ONE, "molecule": LONGER}]}
    (tmp_path / "h2.json").write_text(json.dumps({**optimisation, "input_specification": SPECIFICATION}))

    part = read_qcschema(tmp_path / "h2.json")

    assert (part.energy, part.gradient, part.level) == (-1.1 * units.HARTREE, None, "hf/sto-3g")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**RECORD, "status": "error"}, "the computation is not complete; its status is 'error'"),
        ({**RECORD, "molecule": 5}, "names its molecule by number only"),
        ({**TWO, "success": False, "error": {"error_message": "no SCF"}}, "the computation failed: no SCF"),
    ],
)
def test_computations_that_hold_nothing_are_refused(tmp_path, content, message):
    (tmp_path / "h2.json").write_text(json.dumps(content))

    with pytest.raises(InputError, match=message):
        read_qcschema(tmp_path / "h2.json")


ENERGIES = {"scf_total_energy": -1.1, "mp2_total_energy": -1.2, "ccsd_prt_pr_total_energy": -1.3}


@pytest.mark.parametrize(("method", "right"), [("B3LYP", -1.1), ("HF", -1.1), ("MP2", -1.2), ("CCSD(T)", -1.3)])
def test_energy_among_the_properties_is_that_of_the_method(tmp_path, method, right):
    result = {**ONE, "model": {"method": method}, "properties": ENERGIES}
    (tmp_path / "h2.json").write_text(json.dumps(result))

    assert read_qcschema(tmp_path / "h2.json").energy == right * units.HARTREE


def test_of_another_method_there_is_none(tmp_path):
    (tmp_path / "h2.json").write_text(json.dumps({**ONE, "model": {"method": "CASSCF"}, "properties": ENERGIES}))

    with pytest.warns(InputWarning, match="the energy of CASSCF is not read: the file holds only others"):
        assert read_qcschema(tmp_path / "h2.json").energy is None


def test_unwritable_reference_leaves_the_old_file(tmp_path, molecule, reference):
    path = tmp_path / "water.json"
    path.write_text("old")
    other = Reference(reference.species, reference.positions, energy=float("nan"))

    with pytest.raises(ValueError, match="JSON"):
        write_qcschema(path, molecule, other)

    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)


def test_folder_that_is_not_there_is_named(tmp_path, molecule, reference):
    with pytest.raises(InputError, match=r"none/water\.json: cannot be written \(No such file or directory\)"):
        write_qcschema(tmp_path / "none/water.json", molecule, reference)


def test_reference_of_other_atoms_is_not_written(tmp_path, molecule):
    other = Reference(np.array([1, 8, 1]), molecule.positions)

    with pytest.raises(InputError, match="are not of the same atoms"):
        write_qcschema(tmp_path / "water.json", molecule, other)


def _set(content, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        content = content[parent]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema_name", "qcschema_basis", "schema_name is 'qcschema_basis'; expected `qcschema_output`"),
        ("schema_name", "qcschema_optimization_output", "the optimisation keeps no `final_molecule`"),
        ("schema_version", 2, "schema_version: Input should be 1"),
        ("success", False, "the computation failed"),
        ("success", None, "the computation failed"),
        ("extras.forgefield", 7, "Input should be a valid dictionary"),
        ("molecule.molecular_charge", True, "True is not a number"),
        ("molecule.geometry", ["0.0"] + [1.0] * 8, "'0.0' is not a number"),
        ("molecule.connectivity", [[False, 1, 1.0]], "False is not a number"),
        ("driver", "forces", "driver: Input should be"),
        ("properties.return_hessian", [1.0] * 80, "3 atoms, but hessian of 80 numbers, expected 81"),
        ("return_result", [0.0], "hessian of 1 numbers, expected 81"),
        ("properties.return_hessian", [0.0] * 81, "return_result and properties.return_hessian contradict each other"),
        ("return_result", [float("nan")] * 81, "finite number"),
        ("molecule.geometry", [0.0] * 8, "3 symbols, but 8 coordinates"),
        ("molecule.symbols", ["O", "H", "Gh"], "'Gh' is a ghost"),
        ("molecule.real", [True, True, False], r"atom\(s\) 3 are ghosts"),
        ("molecule.molecular_charge", 0.5, "charge 0.5 and multiplicity 2.0 must be whole numbers"),
        ("molecule.connectivity", [[0, 3, 1.0]], "joins atoms that are not there"),
        ("molecule.masses", [1.0, 1.0], "3 atoms, but masses of 2 rows, expected 3"),
    ],
)
def test_wrong_fields_are_refused(tmp_path, content, path, value, message):
    _set(content, path, value)
    (tmp_path / "wrong.json").write_text(json.dumps(content))

    with pytest.raises(InputError, match=message):
        read_qcschema(tmp_path / "wrong.json")


def test_uncommon_isotopes_need_their_masses(tmp_path, content):
    del content["molecule"]["masses"]
    content["molecule"]["mass_numbers"] = [16, 2, 1]
    (tmp_path / "wrong.json").write_text(json.dumps(content))

    with pytest.raises(InputError, match="mass_numbers name uncommon isotopes"):
        read_qcschema(tmp_path / "wrong.json")


@pytest.mark.parametrize(
    ("text", "message"), [("{", "line 1: is not JSON"), ("[1]", "holds a list"), ("{}", "schema_name is None")]
)
def test_other_json_is_refused(tmp_path, text, message):
    (tmp_path / "wrong.json").write_text(text)

    with pytest.raises(InputError, match=message):
        read_qcschema(tmp_path / "wrong.json")


def test_hessian_of_two_different_halves_is_refused(tmp_path, content):
    content["return_result"][1] += 0.1
    (tmp_path / "wrong.json").write_text(json.dumps(content))

    with pytest.raises(InputError, match=r"the halves of the Hessian differ by up to 0\.1 Hartree/Bohr²"):
        read_qcschema(tmp_path / "wrong.json")


def test_a_record_that_keeps_the_output_of_its_program_is_no_output_of_it(molecule, reference, tmp_path):
    path = tmp_path / "water.json"
    write_qcschema(path, molecule, reference)
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"stdout": "Psi4: An Open-Source\n*** Psi4 exiting successfully"}))

    assert format_of(path).name == "QCSchema JSON"
