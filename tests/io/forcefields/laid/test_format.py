"""Systems written for AMBER, GROMACS and LAMMPS: what these programs compute from the files is what we compute."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.assign.explicit.system import Stated
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.prmtop import COULOMB, read_prmtop
from forgefield.io.forcefields.amber.prmtop_writer import PRMTOP
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.io.forcefields.gromacs.writer import TOP
from forgefield.io.forcefields.lammps.writer import LAMMPS
from forgefield.io.forcefields.openmm.system.nonbonded import COULOMB as OF_OPENMM
from forgefield.io.structures.coordinates.gro import read_gro
from forgefield.io.structures.coordinates.inpcrd import read_inpcrd
from forgefield.terms.nonbonded import LENNARD_JONES_PAIR
from forgefield.terms.stretch import MORSE
from system_energies import ours, require_same

OF_AMBER = ["aladip", "dimethylphosphate", "methyloxirane", "mixture"]
PROGRAMS = {
    "sander": (PRMTOP, "a.prmtop", {"torsion": 2e-5}),
    "gromacs": (TOP, "a.top", {}),
    "lammps": (LAMMPS, "a.lmp", {}),
}
"""The format of each, the name of a file of it, and the tolerances [kcal/mol] that are not the usual ones."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OF_AMBER, "oplsaa"])
def test_sander_computes_what_we_do(stated, sander, tmp_path, name):
    system, positions = stated(name)

    PRMTOP.write_system(tmp_path / "a.prmtop", system, positions)

    require_same(sander(tmp_path / "a.prmtop"), system, positions, torsion=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OF_AMBER, "oplsaa", "charmm27"])
def test_gromacs_computes_what_we_do(stated, gromacs, tmp_path, name):
    system, positions = stated(name)

    TOP.write_system(tmp_path / "a.top", system, positions)

    require_same(gromacs(tmp_path / "a.top"), system, positions)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["water", *OF_AMBER, "oplsaa", "charmm27"])
def test_lammps_computes_what_we_do(stated, lammps, tmp_path, name):
    system, positions = stated(name)
    held = LAMMPS.approximate(system)

    LAMMPS.write_system(tmp_path / "a.lmp", held, positions)

    require_same(lammps(tmp_path / "a.lmp"), held, positions)


@pytest.mark.slow
@pytest.mark.openmm
# OpenMM leaves the file open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["dimethylphosphate", "charmm27"])
def test_openmm_reads_topologies_of_gromacs_as_we_do(stated, in_openmm, tmp_path, name):
    app = pytest.importorskip("openmm.app", reason="OpenMM is not installed (extra openmm)")
    system, positions = stated(name)

    TOP.write_system(tmp_path / "a.top", system, None)

    found = app.GromacsTopFile(str(tmp_path / "a.top")).createSystem(nonbondedMethod=app.NoCutoff)
    assert in_openmm(found, positions) == pytest.approx(ours(system, positions)["total"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.openmm
@pytest.mark.parametrize("name", ["dimethylphosphate", "oplsaa"])
def test_openmm_reads_topologies_of_amber_as_we_do_but_for_its_coulomb_constant(stated, in_openmm, tmp_path, name):
    app = pytest.importorskip("openmm.app", reason="OpenMM is not installed (extra openmm)")
    system, positions = stated(name)

    PRMTOP.write_system(tmp_path / "a.prmtop", system, None)

    found = app.AmberPrmtopFile(str(tmp_path / "a.prmtop")).createSystem(nonbondedMethod=app.NoCutoff)
    energies = ours(system, positions)
    more = energies["electrostatic"] * (OF_OPENMM / COULOMB - 1.0)
    assert in_openmm(found, positions) == pytest.approx(energies["total"] + more, abs=1e-5)


@pytest.mark.parametrize("name", ["methyloxirane", "mixture", "oplsaa"])
def test_amber_to_gromacs_and_back_leaves_all_energies(stated, tmp_path, name):
    system, positions = stated(name)

    TOP.write_system(tmp_path / "a.top", system, positions)
    between = read_top(tmp_path / "a.top").system
    PRMTOP.write_system(tmp_path / "b.prmtop", between, read_gro(tmp_path / "a.gro").positions)
    found = read_prmtop(tmp_path / "b.prmtop").system

    require_same(ours(found, positions), system, positions)
    assert (found.names, found.residues) == (system.names, system.residues)
    np.testing.assert_array_equal(found.bonds, np.unique(np.sort(system.bonds, axis=1), axis=0))


def test_maps_and_ureys_come_back_from_gromacs(stated, tmp_path):
    system, positions = stated("charmm27")

    TOP.write_system(tmp_path / "a.top", system, positions)

    require_same(ours(read_top(tmp_path / "a.top").system, positions), system, positions)


@pytest.mark.slow
def test_sander_computes_correction_maps_of_ours(stated, sander, tmp_path):
    system, positions = stated("charmm27")
    held = PRMTOP.approximate(system)

    PRMTOP.write_system(tmp_path / "a.prmtop", held, positions)

    # Its dump has no place for maps but the total.
    assert sander(tmp_path / "a.prmtop")["total"] == pytest.approx(ours(held, positions)["total"], abs=3e-5)


@pytest.fixture
def own_pairs(stated):
    """A molecule in which two pairs have a van der Waals energy of their own: far apart, and three bonds apart."""
    system, positions = stated("methyloxirane")
    space = system.through_space
    near = space.special[space.scales[:, 0] > 0.0][0]
    known = {tuple(sorted(pair)) for pair in space.special.tolist()}
    far = next(pair for pair in zip(*np.triu_indices(system.n_atoms, 1), strict=True) if tuple(pair) not in known)
    scales = np.where((space.special == near).all(axis=1)[:, None], [0.0, 1.0 / 1.2], space.scales)
    pairs = np.array([near, far])
    space = replace(
        space, special=np.concatenate([space.special, [far]]), scales=np.concatenate([scales, [[0.0, 1.0]]])
    )
    own = Stated(LENNARD_JONES_PAIR, pairs, np.array([[3.1, 0.2], [3.9, 0.4]]))
    return replace(system, through_space=space, interactions=(*system.interactions, own)), positions


@pytest.mark.slow
@pytest.mark.parametrize(("program", "written"), PROGRAMS.items())
def test_programs_compute_pairs_with_values_of_their_own(own_pairs, program, written, tmp_path, request):
    form, name, allowed = written
    form.write_system(tmp_path / name, *own_pairs)

    require_same(request.getfixturevalue(program)(tmp_path / name), *own_pairs, **allowed)


@pytest.fixture
def unscaled(stated):
    """A molecule in which atoms three bonds apart act as others do, as in generated force fields."""
    system, positions = stated("dimethylphosphate")
    space = system.through_space
    gone = space.scales[:, 0] == 0.0
    return replace(
        system, through_space=replace(space, special=space.special[gone], scales=space.scales[gone])
    ), positions


@pytest.mark.slow
@pytest.mark.parametrize("program", ["sander", "lammps"])
def test_programs_compute_pairs_three_bonds_apart_that_are_not_scaled(unscaled, program, tmp_path, request):
    form, name, allowed = PROGRAMS[program]
    form.write_system(tmp_path / name, *unscaled)

    require_same(request.getfixturevalue(program)(tmp_path / name), *unscaled, **allowed)


@pytest.mark.slow
def test_gromacs_computes_charges_that_are_scaled_one_by_one(own_pairs, gromacs, tmp_path):
    system, positions = own_pairs
    space = system.through_space
    scales = np.where(np.arange(len(space.scales))[:, None] % 2, space.scales, space.scales * [1.0, 0.5])
    system = replace(system, through_space=replace(space, scales=scales))

    TOP.write_system(tmp_path / "a.top", system, positions)

    require_same(gromacs(tmp_path / "a.top"), system, positions)


@pytest.mark.parametrize("form", [PRMTOP, LAMMPS])
def test_all_that_a_format_cannot_hold_is_named(stated, form, tmp_path):
    system, positions = stated("methyloxirane")
    bonds = system.interactions[0]
    own = Stated(MORSE, bonds.atoms, np.tile([90.0, 1.4, 2.0], (len(bonds.atoms), 1)))
    system = replace(system, interactions=(own, *system.interactions[1:]))

    with pytest.raises(InputError, match=rf"cannot hold morse \({len(bonds.atoms)}\)"):
        form.write_system(tmp_path / "a", system, positions)

    assert form.missing(form.approximate(system)) == []


def test_lammps_names_pairs_whose_charges_are_scaled_otherwise(own_pairs, tmp_path):
    system, positions = own_pairs
    space = system.through_space
    scales = np.where(np.arange(len(space.scales))[:, None] == len(space.scales) - 1, [0.0, 0.3], space.scales)

    with pytest.raises(InputError, match=r"cannot hold the scales of pairs \d+-\d+$"):
        LAMMPS.write_system(tmp_path / "a.lmp", replace(system, through_space=replace(space, scales=scales)), positions)


def test_a_molecule_far_from_the_origin_is_moved_to_it(stated, tmp_path):
    system, positions = stated("methyloxirane")

    PRMTOP.write_system(tmp_path / "a.prmtop", system, positions - [4000.0, 0.0, 0.0])

    found = read_inpcrd(tmp_path / "a.inpcrd").positions
    np.testing.assert_allclose(found, positions - positions.mean(axis=0), atol=2e-7)
