"""What every program does with a force field of ours; a new one is a row of PROGRAMS."""

import os
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tinker_energies
from forgefield.assign.explicit.system import Stated
from forgefield.assign.generated import generate
from forgefield.engines.programs.choices import PROGRAMS as CHOICES
from forgefield.engines.programs.over_molecules import OverMolecules
from forgefield.engines.programs.program import by_differences
from forgefield.engines.programs.tinker_program import energy_of
from forgefield.errors import ForgeFieldError, InputError
from forgefield.models.expansions import evaluated, expansions
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.elements import WEIGHTS, atomic_number
from forgefield.molecules.molecule import Molecule
from forgefield.properties.modes import frequencies
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cmap import correction_map
from forgefield.terms.cross import COUPLINGS, UREY_BRADLEY
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3

# Compares whole systems with other programs.
pytestmark = pytest.mark.slow

GEOMETRIES = {
    "peroxide": "O 0 .7 0 O 0 -.7 .1 H .8 .9 .4 H -.7 -.9 .5",
    "formamide": "C 0 0 0 O 1.2 .1 0 H -.6 -.95 .05 H -1.4 1.9 0 N -.65 1.2 .1 H -.1 2.1 .2",
}
OF_AMBER = (HARMONIC_STRETCH, HARMONIC_BEND, TORSION3, COSINE_OUT_OF_PLANE)
OF_MM3 = (MM3_STRETCH, MM3_BEND, TORSION3, COSINE_OUT_OF_PLANE, *COUPLINGS, UREY_BRADLEY)
# Energies [kcal/mol], relative gradients, frequencies [cm⁻¹].
PROGRAMS = {
    "openmm": (1e-9, 1e-10, 1e-3),
    "openmm-cpu": (1e-9, 1e-10, 1e-3),
    "lammps": (1e-6, 1e-8, 1e-3),
    "sander": (2e-5, 1e-6, 0.01),
    "tinker": (1e-7, 1e-8, 1e-3),
    "jax-md": (2e-5, 1e-5, 0.01),
}
"""What each may differ by from what we compute; those that need a GPU have no row."""


def test_every_program_that_a_fit_can_choose_is_here():
    assert {*CHOICES} - {"openmm-cuda", "openmm-opencl"} == {*PROGRAMS}


@pytest.fixture
def program(request, monkeypatch, tmp_path):
    chosen = CHOICES[request.param]
    if request.param == "tinker" and chosen.why_not():
        # Its formulas and its listing, where it is not there.
        (tmp_path / "testgrad").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tinker_energies.__file__}" "$@"\n')
        (tmp_path / "testgrad").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    # jax-md is written for other settings of JAX than those of our tests.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        if why := chosen.why_not():
            pytest.skip(f"no {'LAMMPS' if request.param == 'lammps' else request.param} ({why})")
        yield chosen


every_program = pytest.mark.parametrize(
    ("program", "allowed"), [pytest.param(name, row, id=name) for name, row in PROGRAMS.items()], indirect=["program"]
)
in_openmm = pytest.mark.parametrize("program", ["openmm"], indirect=True)


@pytest.fixture(scope="module")
def molecules():
    found = []
    for name, text in GEOMETRIES.items():
        words = text.split()
        species = np.array([atomic_number(symbol) for symbol in words[::4]])
        positions = np.array([word for k, word in enumerate(words) if k % 4], dtype=float).reshape(-1, 3)
        found.append(Molecule(name, species, positions, *perceive_bonds(species, positions)))
    return found


@pytest.fixture
def field(molecules):
    """Makes a force field of these terms whose values are drawn."""

    def made(terms, seed=0, **others):
        generator, laid = np.random.default_rng(seed), generate(molecules, terms, **others)
        values = np.array(laid.model.values)
        for row in laid.rows:
            for place in row.indices[: row.term.n_own]:
                value = values[place]
                values[place] = value * generator.uniform(0.9, 1.1) if value else generator.normal()
        return replace(laid, model=replace(laid.model, values=jnp.asarray(values)))

    return made


@pytest.fixture
def of_amber(field):
    return lambda seed=0: field(OF_AMBER, seed, van_der_waals=LENNARD_JONES, charging=CHARGE_INCREMENT)


def ours(laid, values, positions):
    return evaluated(expansions(laid.model.terms, values, laid.topology, positions), values, laid.topology)


@pytest.fixture
def positions(molecules):
    """At which sander's coordinates are exact."""
    return np.concatenate([m.positions for m in molecules]).round(3)


def require_same(found, wanted, allowed):
    energy, slope, _ = allowed
    np.testing.assert_allclose(found.energy, wanted.energy, rtol=0, atol=energy)
    np.testing.assert_allclose(found.gradient, wanted.gradient, rtol=0, atol=slope * np.abs(wanted.gradient).max())


@every_program
def test_programs_compute_what_we_do_also_with_other_values(program, allowed, of_amber, molecules, positions):
    laid = of_amber()
    theirs = OverMolecules(program, laid, molecules)

    for values in (np.asarray(laid.model.values), np.asarray(of_amber(seed=1).model.values)):
        found, wanted = theirs(values, positions, curved=True), ours(laid, values, positions)

        require_same(found, wanted, allowed)
        for m, molecule in enumerate(molecules):
            n, masses = 3 * molecule.n_atoms, WEIGHTS[molecule.species]
            both = [frequencies(one.hessian[m, :n, :n], molecule.positions, masses) for one in (found, wanted)]
            np.testing.assert_allclose(*both, rtol=0, atol=allowed[2])


@in_openmm
def test_openmm_computes_what_we_do_of_the_form_of_mm3(program, field, molecules, positions):
    laid = field(OF_MM3, van_der_waals=EXP6, charging=CHARGE_INCREMENT)
    values = np.asarray(laid.model.values)

    found = OverMolecules(program, laid, molecules)(values, positions, curved=False)

    require_same(found, ours(laid, values, positions), PROGRAMS["openmm"])


@in_openmm
def test_openmm_computes_correction_maps_as_we_do(program, molecules):
    made = correction_map(tuple(tuple(float((3 * i + 5 * j) % 7) for j in range(6)) for i in range(6)))
    x, chain = molecules[1].positions, np.array([[2, 0, 4, 3, 5]])
    laid = program.laid(molecules[1], [Stated(made, chain, np.array([[1.0]]))], ())

    for factor in (1.0, 0.7):
        laid.change([Stated(made, chain, np.array([[factor]]))])
        energy, gradient = laid.energy_and_gradient(x)

        wanted, slope = jax.value_and_grad(lambda x, factor=factor: made.energy(x[chain[0]], factor))(jnp.asarray(x))
        np.testing.assert_allclose(energy, wanted, rtol=1e-9)
        np.testing.assert_allclose(gradient, slope, atol=1e-7)


@every_program
def test_programs_take_constants_that_are_zero_at_first(program, allowed, of_amber, molecules, positions):
    laid = of_amber()
    values = np.asarray(laid.model.values)
    torsions = [place for row in laid.rows if row.term is TORSION3 for place in row.indices]
    without = replace(laid, model=replace(laid.model, values=laid.model.values.at[jnp.asarray(torsions)].set(0.0)))

    found = OverMolecules(program, without, molecules)(values, positions, curved=False)

    require_same(found, ours(laid, values, positions), allowed)


@pytest.mark.parametrize("program", ["lammps", "sander", "tinker", "jax-md"], indirect=True)
def test_terms_that_a_program_cannot_hold_are_named(program, field, molecules):
    said = (
        rf'engine = "{program.name}" cannot hold mm3_stretch \(3\), .* of peroxide; mm3_stretch \(5\), .* of formamide'
    )

    with pytest.raises(InputError, match=said):
        OverMolecules(program, field(OF_MM3), molecules)


@in_openmm
def test_a_platform_without_a_device_is_named(program, monkeypatch, of_amber, molecules):
    openmm = pytest.importorskip("openmm")

    def refused(*_):
        raise openmm.OpenMMException("No compatible CUDA device is available")

    monkeypatch.setattr(openmm, "Context", refused)

    with pytest.raises(InputError, match='engine = "openmm": OpenMM cannot use it here: No compatible CUDA device'):
        OverMolecules(program, of_amber(), molecules)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sander", "there is no sander on the PATH; install AmberTools"),
        ("tinker", "there is no testgrad on the PATH; install Tinker"),
    ],
)
def test_a_program_that_is_not_there_is_named(monkeypatch, of_amber, molecules, name, said):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    with pytest.raises(InputError, match=f'engine = "{name}": {said}'):
        OverMolecules(CHOICES[name], of_amber(), molecules)


@pytest.mark.parametrize("program", ["tinker"], indirect=True)
def test_tinkers_own_words_are_passed_on_where_it_computes_nothing(program, of_amber, molecules, monkeypatch, tmp_path):
    laid = OverMolecules(program, of_amber(), molecules)
    place = tmp_path / "broken"
    place.mkdir()
    (place / "testgrad").write_text("#!/bin/sh\necho ' Unable to Continue'\n")
    (place / "testgrad").chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)

    with pytest.raises(ForgeFieldError, match="Tinker computed nothing: Unable to Continue"):
        laid(np.asarray(of_amber().model.values), np.concatenate([m.positions for m in molecules]), curved=False)


def test_tinkers_energy_is_found_in_a_listing_of_its_own(data):
    listing = (data / "sn2" / "tinker-mm3" / "analyze-energy.txt").read_text()

    assert energy_of(listing) == 297.9599


def test_differences_of_a_quadratic_energy_are_its_matrix():
    matrix = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, -0.5], [0.0, -0.5, 4.0]])

    def slopes(x):
        return 0.5 * float(x.ravel() @ matrix @ x.ravel()), (matrix @ x.ravel()).reshape(x.shape)

    np.testing.assert_allclose(by_differences(slopes, np.array([[1.0, 2.0, 3.0]]), 1e-3), matrix, atol=1e-10)
