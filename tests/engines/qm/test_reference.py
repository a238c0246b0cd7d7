import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import ConvergenceError, InputError, InputWarning
from forgefield.io.qm.qcschema import read_qcschema, write_qcschema
from forgefield.io.references import read_reference
from forgefield.molecules.molecule import Molecule

qm = pytest.importorskip(
    "forgefield.engines.qm.reference", reason="the extra qm is not installed", exc_type=ImportError
)

TIGHT_BINDING = qm.engine_named("gfn2", None)
HARTREE_FOCK = qm.engine_named("hf", "sto-3g")
ENGINES = [TIGHT_BINDING, HARTREE_FOCK]
NAMES = [engine.level for engine in ENGINES]


def largest_gradient(reference):
    return np.abs(reference.gradient).max() / units.HARTREE_PER_BOHR


def distance(molecule, a, b):
    return np.linalg.norm(molecule.positions[a] - molecule.positions[b])


def test_reference_says_all_of_one_geometry(water):
    found = qm.reference(replace(water, charge=1, multiplicity=2), HARTREE_FOCK)

    np.testing.assert_array_equal(found.positions, water.positions)
    np.testing.assert_allclose(found.masses, [15.99491, 1.00783, 1.00783], atol=1e-5)
    assert (found.gradient.shape, found.hessian.shape, found.frequencies.shape) == ((3, 3), (9, 9), (3,))
    assert (found.charge, found.multiplicity, found.stationary_order) == (1, 2, None)
    assert (found.level, found.sources) == ("HF/sto-3g", ("water.xyz",))


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_minimum_of_water_has_equal_bonds_and_no_imaginary_frequency(engine, water):
    relaxed, found = qm.minimum(water, engine)

    assert largest_gradient(found) < 1e-5
    np.testing.assert_allclose(distance(relaxed, 0, 1), distance(relaxed, 0, 2), atol=1e-5)
    assert found.stationary_order == 0
    assert (found.frequencies > 1000.0).all()
    np.testing.assert_array_equal(found.positions, relaxed.positions)


def test_minimum_of_water_is_that_of_the_literature(water):
    relaxed, found = qm.minimum(water, HARTREE_FOCK)

    # Hehre, Radom, Schleyer and Pople, Ab initio molecular orbital theory (1986): r = 0.990 Å, θ = 100.0°.
    bonds = relaxed.positions[1:] - relaxed.positions[0]
    cosine = bonds[0] @ bonds[1] / np.prod(np.linalg.norm(bonds, axis=1))
    np.testing.assert_allclose(distance(relaxed, 0, 1), 0.990, atol=1e-3)
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), 100.0, atol=0.1)
    np.testing.assert_allclose(found.energy / units.HARTREE, -74.9659, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_saddle_of_ammonia_is_planar(engine, planar_ammonia):
    bent = replace(planar_ammonia, positions=planar_ammonia.positions + np.outer([1, 0, 0, 0], [0.0, 0.0, 0.05]))

    relaxed, found = qm.saddle(bent, engine)

    normal = np.cross(*(relaxed.positions[2:] - relaxed.positions[1]))
    height = (relaxed.positions[0] - relaxed.positions[1]) @ normal / np.linalg.norm(normal)
    assert largest_gradient(found) < 1e-5
    assert abs(height) < 1e-3
    assert found.stationary_order == 1
    assert found.frequencies[0] < -500.0 < 0.0 < found.frequencies[1]


def test_a_minimum_is_found_from_a_saddle_that_symmetry_holds(planar_ammonia):
    seen = []

    relaxed, found = qm.minimum(planar_ammonia, TIGHT_BINDING, seen=seen.append)

    normal = np.cross(*(relaxed.positions[2:] - relaxed.positions[1]))
    height = (relaxed.positions[0] - relaxed.positions[1]) @ normal / np.linalg.norm(normal)
    assert len(seen) == 2
    assert abs(height) > 0.2
    assert found.stationary_order == 0


def test_a_point_that_stays_a_saddle_is_refused_as_minimum(planar_ammonia, monkeypatch):
    monkeypatch.setattr(qm, "_DESCENTS", 1)

    with pytest.raises(InputError, match=r"ammonia\.xyz: the optimisation did not end at a minimum; imaginary .*: -9"):
        qm.minimum(planar_ammonia, TIGHT_BINDING)


def test_the_last_geometry_is_told_where_an_optimisation_fails(water):
    seen = []

    with pytest.raises(ConvergenceError):
        qm.minimum(water, TIGHT_BINDING, max_steps=2, seen=seen.append)

    assert np.abs(seen[-1].positions - water.positions).max() > 1e-3


def test_masses_change_frequencies_and_are_told(water):
    heavy = np.array([15.9949, 2.0141, 2.0141])

    light, found = (qm.reference(water, TIGHT_BINDING, masses=masses) for masses in (None, heavy))

    np.testing.assert_array_equal(found.masses, heavy)
    np.testing.assert_allclose(found.frequencies / light.frequencies, 0.73, atol=0.02)


def test_minimum_is_refused_as_saddle(water):
    with pytest.raises(InputError, match=r"did not end at a first-order saddle point; imaginary .* there: none"):
        qm.saddle(water, TIGHT_BINDING)


def test_optimisation_out_of_steps_is_refused(water):
    with pytest.raises(
        ConvergenceError, match=r"water\.xyz: the optimisation did not converge in 1 of at most 1 steps"
    ):
        qm.minimum(water, TIGHT_BINDING, max_steps=1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_diatomic_along_any_axis_is_read_back(axis, tmp_path):
    apart = np.zeros((2, 3))
    apart[1, axis] = 1.1
    relaxed, found = qm.minimum(Molecule(name="N2", species=np.array([7, 7]), positions=apart), TIGHT_BINDING)
    write_qcschema(tmp_path / "n2.json", relaxed, found)

    (read,) = read_reference([tmp_path / "n2.json"])

    np.testing.assert_allclose(known(read.frequencies), found.frequencies)


def test_linear_molecule_keeps_four_vibrations():
    positions = np.array([[0.0, 0.0, -1.2], [0.0, 0.0, 0.0], [0.0, 0.0, 1.15]])
    carbon_dioxide = Molecule(name="CO2", species=np.array([8, 6, 8]), positions=positions)

    _, found = qm.minimum(carbon_dioxide, TIGHT_BINDING)

    assert found.frequencies.shape == (4,)
    np.testing.assert_allclose(found.frequencies[0], found.frequencies[1], atol=0.05)


def test_atom_has_an_energy_but_no_vibration_and_no_optimum():
    helium = Molecule(name="He", species=np.array([2]), positions=np.zeros((1, 3)))

    assert qm.reference(helium, HARTREE_FOCK).frequencies.size == 0
    with pytest.raises(InputError, match="He: a single atom has no geometry to optimise"):
        qm.minimum(helium, HARTREE_FOCK)


def test_task_chooses_what_is_run(water, planar_ammonia):
    ends = [
        qm.run(m, TIGHT_BINDING, t)[1] for m, t in ((water, "point"), (water, "minimum"), (planar_ammonia, "saddle"))
    ]

    assert [end.stationary_order for end in ends] == [None, 0, 1]


@pytest.mark.parametrize("method", ["gfn2", "GFN2-xTB", "gfn1"])
def test_tight_binding_has_names_of_its_own(method):
    assert qm.engine_named(method, None).level == f"GFN{method[3]}-xTB"
    with pytest.raises(InputError, match=f"{method} has a basis set of its own; leave 'sto-3g' out"):
        qm.engine_named(method, "sto-3g")


def test_functional_without_basis_is_refused():
    with pytest.raises(InputError, match="b3lyp needs a basis set"):
        qm.engine_named("b3lyp", None)


def test_nothing_is_printed_and_no_file_is_left(water, planar_ammonia, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    qm.minimum(water, HARTREE_FOCK)
    qm.saddle(planar_ammonia, TIGHT_BINDING)

    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_reference_is_written_and_read_back(water, tmp_path):
    relaxed, found = qm.minimum(water, TIGHT_BINDING)

    write_qcschema(tmp_path / "water.json", relaxed, found)
    part = read_qcschema(tmp_path / "water.json")

    np.testing.assert_allclose(known(part.hessian), found.hessian, rtol=1e-14)
    assert (part.level, part.stationary_order) == ("GFN2-xTB", 0)
    assert "step 0.001 Bohr" in part.program


@pytest.mark.slow
def test_water_agrees_with_another_program():
    # Psi4's basis is the same, its grid another; pure d functions or VWN5 would be 1e-3 or 7e-2 Hartree away.
    psi4 = json.loads((Path(__file__).parent / "golden/water.json").read_text())
    positions = np.array([[0.0, 0.0, 0.117], [0.0, 0.757, -0.470], [0.0, -0.757, -0.470]])
    molecule = Molecule(name="water", species=np.array([8, 1, 1]), positions=positions)

    found = qm.reference(molecule, qm.engine_named("b3lyp", "6-31+G(d)"))

    hartree, bohr = units.HARTREE, units.HARTREE_PER_BOHR
    np.testing.assert_allclose(found.energy / hartree, psi4["energy_hartree"], atol=1e-6)
    np.testing.assert_allclose(found.gradient / bohr, psi4["gradient_hartree_per_bohr"], atol=2e-5)
    np.testing.assert_allclose(found.hessian / units.HARTREE_PER_BOHR2, psi4["hessian_hartree_per_bohr2"], atol=1.5e-4)


def test_bonds_that_an_optimisation_changes_are_said_and_those_found_are_kept(water, monkeypatch):
    bonded = replace(water, bonds=np.array([[0, 1], [0, 2]]), orders=np.ones(2), formal_charges=np.zeros(3, dtype=int))
    away = replace(bonded, positions=water.positions + np.diag([0.0, 0.0, 5.0]))
    found = qm.bare(water, None)
    monkeypatch.setattr(qm, "minimum", lambda molecule, *_, **__: (away if molecule is bonded else molecule, found))

    with pytest.warns(InputWarning, match="water.xyz: bonds changed in the optimisation: O1-H3 broken"):
        ended, _ = qm.run(bonded, TIGHT_BINDING, "minimum")
    kept, _ = qm.run(replace(bonded, charge=0), TIGHT_BINDING, "minimum")

    assert ended.bonds.tolist() == [[0, 1]]
    assert ended.formal_charges is None
    assert kept.bonds.tolist() == [[0, 1], [0, 2]]
