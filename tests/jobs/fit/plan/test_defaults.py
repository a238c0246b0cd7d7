"""What is fitted to QM results where nobody says it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from certain import instance
from forgefield.config import EigenmatrixTarget
from forgefield.errors import InputError
from forgefield.io.references import read_reference
from forgefield.jobs.fit.plan.defaults import given, settings

EXAMPLES = Path(__file__).parents[4] / "examples"
MINIMUM, SADDLE = EXAMPLES / "ethane/staggered.json", EXAMPLES / "ethane/eclipsed.json"
REACTION, SCAN = EXAMPLES / "sn2/saddle.json", EXAMPLES / "butane/scan.json"
WATER = np.array([[0.0, 0.0, 0.1], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
PEROXIDE = np.array([[0.0, 0.73, -0.06], [0.0, -0.73, -0.06], [0.8, 0.9, 0.46], [-0.8, -0.9, 0.46]])
OXIDE = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.5], [0.8, 0.0, -0.5], [-0.8, 0.0, -0.5]])
DIATOMIC = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]])


def chosen(*files, **options):
    return settings([given((path,), read_reference((path,))) for path in files], **options)


def asked_for(file):
    return {*file.targets.model_dump(exclude_none=True)}


def frames(path, geometries, *, elements="OHH", energy=True, forces=True):
    """Write geometries with results that are all the same."""
    text = ""
    for positions in geometries:
        columns = "species:S:1:pos:R:3" + (":forces:R:3" if forces else "")
        text += f"{len(positions)}\nProperties={columns}{' energy=-1.0' if energy else ''}\n"
        for element, row in zip(elements, positions, strict=True):
            text += f"{element} {' '.join(map(str, row))}{' 0.1 0.0 0.0' if forces else ''}\n"
    path.write_text(text)
    return path


def hessian_of(path, positions, symbols):
    """Write a structure whose atoms all pull at each other."""
    n, hessian = len(positions), np.zeros((3 * len(positions),) * 2)
    for i in range(n):
        for j in range(i):
            along = (positions[i] - positions[j]) / np.linalg.norm(positions[i] - positions[j])
            pair = np.zeros(3 * n)
            pair[3 * i : 3 * i + 3], pair[3 * j : 3 * j + 3] = along, -along
            hessian += 0.3 * np.outer(pair, pair)
    result = {
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "molecule": {"symbols": symbols, "geometry": (positions / 0.529177210903).ravel().tolist()},
        "driver": "hessian",
        "model": {"method": "m", "basis": "b"},
        "properties": {"return_energy": -1.0},
        "return_result": hessian.ravel().tolist(),
        "success": True,
        "provenance": {"creator": "test"},
    }
    path.write_text(json.dumps(result))
    return path


def test_minimum_is_fitted_to_its_eigenmatrix_and_to_no_force():
    file = chosen(MINIMUM)

    assert file.targets.model_dump(exclude_none=True, exclude_defaults=True) == {
        "eigenmatrix": {"tolerance": 20.0, "off_diagonal": 15.0},
        "forces": {"tolerance": 1.0},
    }
    assert (file.fit.prior.strength, file.fit.prior.theta0, file.fit.prior.v) == (1.0, 1.0, 3.0)
    assert file.molecules[0].transition_state is None


def test_reaction_mode_that_a_policy_makes_up_is_not_fitted_to():
    (table,) = chosen(REACTION).molecules

    assert (table.transition_state, table.reaction_mode_weight) == ("C", 0.0)


def test_saddle_between_conformers_is_fitted_to_as_it_is_and_compared_with_its_minimum():
    file = chosen(MINIMUM, SADDLE)

    assert [one.transition_state for one in file.molecules] == [None, "D"]
    assert file.molecules[1].reaction_mode_weight is None
    assert asked_for(file) == {"eigenmatrix", "forces", "energy"}


def test_relaxed_scan_is_fitted_to_its_energies_and_forces():
    file = chosen(SCAN)

    assert asked_for(file) == {"forces", "energy"}
    assert "group" not in file.molecules[0].model_fields_set
    assert file.fit.prior.theta0 == 1.0


def test_minimum_beside_a_scan_adds_its_eigenmatrix():
    assert asked_for(chosen(EXAMPLES / "butane/butane.json", SCAN)) == {"eigenmatrix", "forces", "energy"}


def test_geometries_that_are_not_relaxed_leave_reference_angles_room(tmp_path):
    file = chosen(frames(tmp_path / "md.xyz", [WATER, WATER * 1.03]))

    assert asked_for(file) == {"forces", "energy"}
    assert file.fit.prior.theta0 == 5.0


@pytest.mark.parametrize(("energy", "target"), [(True, "energy"), (False, "forces")])
def test_only_what_is_there_is_fitted_to(tmp_path, energy, target):
    path = frames(tmp_path / "md.xyz", [WATER, WATER * 1.03], energy=energy, forces=not energy)

    assert asked_for(chosen(path)) == {target}


def test_diatomic_has_no_modes_that_could_couple(tmp_path):
    file = chosen(hessian_of(tmp_path / "n2.json", DIATOMIC, ["N", "N"]))

    assert asked_for(file) == {"eigenmatrix", "forces"}
    assert instance(EigenmatrixTarget, file.targets.entry("eigenmatrix")).off_diagonal is None


def test_complex_is_held_together_by_van_der_waals_terms(tmp_path):
    dimers = [np.concatenate([WATER, WATER + np.array([3.0, 0.0, up])]) for up in (0.0, 1.0)]
    path = frames(tmp_path / "dimer.xyz", dimers, elements=2 * "OHH")

    file = chosen(path)

    assert file.molecules[0].pieces == 2
    assert (file.forcefield.nonbonded, file.forcefield.charges) == ("uff", "none")


@pytest.mark.parametrize(("reach", "nonbonded"), [(2.2, "uff"), (2.35, "none")])
def test_hydrogen_bond_within_a_molecule_is_held_by_what_acts_through_space(tmp_path, reach, nonbonded):
    # O-C-C-O, whose one hydrogen points to the other oxygen.
    other, beyond = np.array([[0.96 + reach, 0.0, 0.0], [1.86 + reach, -0.4, 0.0]])
    carbons = np.array([[-0.3, 1.4, 0.0], [1.1, 1.8, 0.0]])
    geometry = np.vstack([np.zeros(3), [0.96, 0.0, 0.0], other, carbons, [2.2, 1.0, 0.0], beyond])
    path = frames(tmp_path / "bridge.xyz", [geometry, geometry * 1.001], elements="OHOCCCH")

    assert chosen(path).forcefield.nonbonded == nonbonded


def test_energies_of_isomers_are_not_compared(tmp_path):
    peroxide = frames(tmp_path / "peroxide.xyz", [PEROXIDE, PEROXIDE * 1.02], elements="OOHH")
    oxide = frames(tmp_path / "oxide.xyz", [OXIDE], elements="OOHH")

    file = chosen(peroxide, oxide)

    assert [one.group for one in file.molecules] == ["peroxide", "oxide"]


def test_isomers_in_one_file_are_left_to_their_bonds(tmp_path):
    both = frames(tmp_path / "both.xyz", [PEROXIDE, OXIDE, PEROXIDE * 1.02], elements="OOHH")
    oxide = frames(tmp_path / "oxide.xyz", [OXIDE], elements="OOHH")

    file = chosen(both, oxide)

    assert [one.model_dump(exclude_unset=True).get("group") for one in file.molecules] == [None, None]


def test_starts_can_be_asked_for():
    assert chosen(MINIMUM, starts=7).fit.starts == 7


def test_geometry_alone_is_refused_with_the_command_that_computes_results(tmp_path):
    path = frames(tmp_path / "a.xyz", [WATER], energy=False, forces=False)

    with pytest.raises(InputError, match=r"a\.xyz: a geometry without .*`forgefield reference .*a\.xyz --optimise"):
        chosen(path)


def test_one_geometry_without_hessian_is_refused(tmp_path):
    path = frames(tmp_path / "a.xyz", [WATER])

    with pytest.raises(InputError, match=r"a\.xyz: no Hessian, and no two geometries .* give a frequency job"):
        chosen(path)


def test_structure_of_two_imaginary_frequencies_is_refused():
    (reference,) = read_reference((REACTION,))
    assert reference.hessian is not None

    with pytest.raises(InputError, match=r"imaginary frequencies .*: neither a minimum nor a transition state"):
        given((REACTION,), [replace(reference, hessian=-reference.hessian)])
