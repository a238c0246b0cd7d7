"""Systems written as rows by types or SMARTS: whoever lays these over the molecule finds every interaction again."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.explicit.system import Stated, System, ThroughSpace
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod_writer import FRCMOD
from forgefield.io.forcefields.charmm.writer import CHARMM
from forgefield.io.forcefields.laid.by_types import bonded, types_of
from forgefield.io.forcefields.openmm.system.charmm import read_charmm
from forgefield.io.forcefields.openmm.system.templates import read_templates
from forgefield.io.forcefields.openmm.templates_writer import TEMPLATES
from forgefield.io.forcefields.smirnoff.rules import read_smirnoff
from forgefield.io.forcefields.smirnoff.writer import SMIRNOFF
from forgefield.io.forcefields.tinker.reader import read_key
from forgefield.io.forcefields.tinker.writer import TINKER
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH, MORSE
from system_energies import ours, require_same
from tinker_energies import energies_of_tinker

# Compares whole systems with other programs.
pytestmark = pytest.mark.slow

FORMATS = {
    "frcmod": (FRCMOD, "a.frcmod"),
    "openmm": (TEMPLATES, "a.xml"),
    "charmm": (CHARMM, "a.psf"),
    "smirnoff": (SMIRNOFF, "a.offxml"),
    "tinker": (TINKER, "a.key"),
}
"""The format of each reader, and the name of a file of it."""
HELD = [
    *(("openmm", name) for name in ("aladip", "methyloxirane", "oplsaa", "charmm27")),
    *(("charmm", name) for name in ("aladip", "mixture", "oplsaa", "charmm27")),
    *(("smirnoff", name) for name in ("aladip", "methyloxirane", "mixture")),
    *(("tinker", name) for name in ("aladip", "methyloxirane", "oplsaa", "charmm27")),
]


def read_back(reader, path, molecule):
    """Return the system that is read from the files of a format, of a molecule without types."""
    match reader:
        case "openmm":
            pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
            return read_templates(path).over(molecule).system
        case "charmm":
            pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
            return read_charmm(path, [path.with_suffix(".prm"), path.with_suffix(".rtf")]).system
        case "tinker":
            return read_key(path).system
        case _:
            return read_smirnoff(path).over(molecule).system


def held_part(form, system):
    """Return a system as far as a format holds it, without impropers whose four atoms are no centre with neighbours."""
    system = form.approximate(system)
    if form is CHARMM:
        return system
    centred = {frozenset(star) for star in bonded(system).impropers}
    kept = [
        Stated(one.term, one.atoms[mine], one.values[mine])
        if one.term is HARMONIC_IMPROPER
        and (mine := np.array([frozenset(chain) in centred for chain in one.atoms.tolist()])).size
        else one
        for one in system.interactions
    ]
    return replace(system, interactions=tuple(kept))


def renumbered(system, moved):
    """Return a system whose atoms are those of these numbers, in their order."""
    of_old = np.argsort(moved)
    space = system.through_space
    listed = {name: tuple(getattr(system, name)[k] for k in moved) for name in ("types", "names", "residues")}
    return replace(
        system,
        **listed,
        species=system.species[moved],
        masses=system.masses[moved],
        bonds=of_old[system.bonds],
        interactions=tuple(replace(one, atoms=of_old[one.atoms]) for one in system.interactions),
        through_space=replace(
            space,
            parameters=space.parameters[moved],
            charges=space.charges[moved],
            special=np.sort(of_old[space.special], axis=1),
        ),
        bonded=(),
    )


@pytest.mark.openmm
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("reader", "name"), HELD)
def test_whoever_reads_the_files_computes_what_we_do(stated, tmp_path, reader, name):
    form, file = FORMATS[reader]
    system, positions = stated(name)
    system = held_part(form, system)

    form.write_system(tmp_path / file, system, positions)

    if reader == "tinker":
        require_same(energies_of_tinker(tmp_path / file), system, positions)
    molecule = replace(system.structure(positions, "a", "a"), types=None)
    require_same(ours(read_back(reader, tmp_path / file, molecule), positions), system, positions)


@pytest.mark.parametrize("name", ["aladip", "dimethylphosphate", "methyloxirane", "mixture"])
def test_sander_computes_what_we_do_from_parameters_that_tleap_lays(stated, tleap, tmp_path, name):
    system, positions = stated(name)

    FRCMOD.write_system(tmp_path / "a.frcmod", system, positions)

    require_same(tleap(tmp_path / "a.frcmod"), system, positions, torsion=2e-5)


@pytest.mark.openmm
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "n_residues", "n_templates"), [("aladip", 3, 4), ("mixture", 7, 6)])
def test_openmm_computes_what_we_do_from_templates_of_residues(
    stated, in_openmm, tmp_path, name, n_residues, n_templates
):
    app = pytest.importorskip("openmm.app", reason="OpenMM is not installed (extra openmm)")
    system, positions = stated(name)
    TEMPLATES.write_system(tmp_path / "a.xml", system, None)
    topology = app.Topology()
    chain = topology.addChain()
    residues = {name: topology.addResidue(name, chain) for name in dict.fromkeys(system.residues)}
    atoms = [
        topology.addAtom(name, app.Element.getByAtomicNumber(z), residues[of])
        for name, z, of in zip(system.names, system.species.tolist(), system.residues, strict=True)
    ]
    for i, j in system.bonds.tolist():
        topology.addBond(atoms[i], atoms[j])

    found = app.ForceField(str(tmp_path / "a.xml")).createSystem(topology)

    # Two benzenes have one template.
    assert (tmp_path / "a.xml").read_text().count("<Residue ") == n_templates
    assert len(list(topology.residues())) == n_residues
    assert in_openmm(found, positions) == pytest.approx(ours(system, positions)["total"], abs=1e-6)


@pytest.mark.openmm
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_maps_are_told_from_the_end_where_openmm_begins(stated, tmp_path):
    system, positions = stated("charmm27")
    system = held_part(TEMPLATES, system)
    (maps,) = [one for one in system.interactions if one.term.name == "cmap"]
    assert len(maps.atoms) == 1
    backwards = np.arange(system.n_atoms)[::-1]
    changed = renumbered(system, backwards)

    TEMPLATES.write_system(tmp_path / "a.xml", changed, None)

    molecule = replace(changed.structure(positions[backwards], "a", "a"), types=None)
    require_same(ours(read_back("openmm", tmp_path / "a.xml", molecule), positions[backwards]), system, positions)


def test_maps_that_openmm_would_add_twice_are_named(stated, tmp_path):
    system, _ = stated("charmm27")
    (maps,) = [one for one in system.interactions if one.term.name == "cmap"]
    first, _, _, fourth, _ = maps.atoms[0].tolist()
    moved = np.arange(system.n_atoms)
    moved[[first, fourth]] = [fourth, first]

    with pytest.raises(InputError, match="whose first comes before the fourth as the second before the fifth"):
        TEMPLATES.write_system(tmp_path / "a.xml", renumbered(held_part(TEMPLATES, system), moved), None)


def test_atoms_of_one_type_are_told_apart_where_a_row_differs(stated):
    system, _ = stated("methyloxirane")
    stretches = next(one for one in system.interactions if one.term is HARMONIC_STRETCH)
    before = types_of(system, bonded(system))
    place = next(k for k, pair in enumerate(stretches.atoms.tolist()) if 1 in system.species[pair])
    values = stretches.values.copy()
    values[place, 0] += 1.0
    changed = tuple(replace(one, values=values, rows=()) if one is stretches else one for one in system.interactions)

    after = types_of(replace(system, interactions=changed), bonded(replace(system, interactions=changed)))

    pair = stretches.atoms[place].tolist()
    alike = {tuple(sorted(before[a] for a in other)) for other in stretches.atoms.tolist() if other != pair}
    assert tuple(sorted(before[a] for a in pair)) in alike
    assert len(set(after)) > len(set(before))
    others = {tuple(sorted(after[a] for a in other)) for other in stretches.atoms.tolist() if other != pair}
    assert tuple(sorted(after[a] for a in pair)) not in others


def test_neighbours_in_an_improper_have_types_of_their_own(stated):
    system, _ = stated("paracetamol")

    types = types_of(system, held := bonded(system))

    centres = [star for star, one in held.impropers.items() if one]
    assert centres
    assert all(len({types[a] for a in star[1:]}) == 3 for star in centres)


@pytest.mark.parametrize(("form", "file"), FORMATS.values(), ids=FORMATS)
def test_all_that_is_not_held_is_named(stated, form, file, tmp_path):
    system, positions = stated("methyloxirane")
    bonds = system.interactions[0]
    own = Stated(MORSE, bonds.atoms, np.tile([90.0, 1.4, 2.0], (len(bonds.atoms), 1)))

    with pytest.raises(InputError, match=rf"cannot hold morse \({len(bonds.atoms)}\)"):
        form.write_system(tmp_path / file, replace(system, interactions=(own, *system.interactions[1:])), positions)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("form", "file"), FORMATS.values(), ids=FORMATS)
def test_interactions_that_bonds_do_not_imply_are_named(stated, form, file, tmp_path):
    system, positions = stated("methyloxirane")
    far = Stated(HARMONIC_BEND, np.array([[0, 9, 1]]), np.array([[50.0, 1.9]]))

    with pytest.raises(InputError, match=r"its bonds and centres do not imply: harmonic_bend 1-10-2"):
        form.write_system(tmp_path / file, replace(system, interactions=(*system.interactions, far)), positions)


@pytest.mark.parametrize(("form", "file"), FORMATS.values(), ids=FORMATS)
def test_pairs_far_apart_that_do_not_act_as_others_are_named(stated, form, file, tmp_path):
    system, positions = stated("methyloxirane")
    space = system.through_space
    near = {tuple(sorted(pair)) for pair in space.special.tolist()}
    far = next(pair for pair in zip(*np.triu_indices(system.n_atoms, 1), strict=True) if tuple(pair) not in near)
    changed = replace(
        space, special=np.concatenate([space.special, [far]]), scales=np.concatenate([space.scales, [[0.0, 1.0]]])
    )

    with pytest.raises(InputError, match=rf"cannot hold {far[0] + 1}-{far[1] + 1}$"):
        form.write_system(tmp_path / file, replace(system, through_space=changed), positions)


@pytest.mark.parametrize("form", [FRCMOD, CHARMM, TINKER])
def test_constant_energies_of_torsions_are_named(stated, form):
    system, _ = stated("methyloxirane")
    torsions = next(one for one in system.interactions if one.term is PERIODIC_TORSION)

    def with_cancelling(k):
        # Two cosines that cancel leave twice their constant.
        values = np.array([[k, 1.0, 0.0], [k, 1.0, np.pi]])
        both = Stated(PERIODIC_TORSION, np.tile(torsions.atoms[0], (2, 1)), values)
        return replace(system, interactions=(*system.interactions, both))

    assert form.missing(with_cancelling(1.5)) == ["constant energies of torsions (3 kcal/mol in all)"]
    assert form.missing(form.approximate(with_cancelling(1.5))) == []
    assert form.missing(with_cancelling(1e-5)) == []


def test_smarts_reach_as_far_as_they_must(stated, tmp_path):
    system, positions = stated("methyloxirane")

    SMIRNOFF.write_system(tmp_path / "a.offxml", SMIRNOFF.approximate(system), positions)

    text = (tmp_path / "a.offxml").read_text()
    # All carbons have one van der Waals energy, whatever is around them.
    assert text.count('<Atom smirks="[#6X4:1]"') == 1
    assert '"[#6X4:1]~[#8X2:2]"' in text


def test_atoms_that_no_smarts_tells_apart_are_named(stated, tmp_path):
    system, positions = stated("methyloxirane")
    space = system.through_space
    methyl = next(pair for pair in system.bonds.tolist() if 1 in system.species[pair])
    hydrogen = next(a for a in methyl if system.species[a] == 1)
    charges = space.charges.copy()
    charges[hydrogen] += 0.01
    changed = replace(system, through_space=replace(space, charges=charges))

    told = "charges of atoms that are bonded alike (as their mean, up to 0.0067 e)"
    assert SMIRNOFF.missing(changed) == [told]
    with pytest.raises(InputError, match=r"cannot hold charges of atoms that are bonded alike"):
        SMIRNOFF.write_system(tmp_path / "a.offxml", changed, positions)
    held = SMIRNOFF.approximate(changed)
    assert held.through_space.charges.sum() == pytest.approx(charges.sum())
    SMIRNOFF.write_system(tmp_path / "a.offxml", held, positions)


def test_impropers_in_smirnoff_are_as_stiff_as_those_of_amber():
    # A centre with three equal arms, its first neighbour a little out of their plane.
    arms = np.array([[1.0, 0.0, 0.0], [-0.5, np.sqrt(0.75), 0.0], [-0.5, -np.sqrt(0.75), 0.0]])
    positions = np.concatenate([[[0.0, 0.0, 0.01]], arms])
    one = Stated(PERIODIC_IMPROPER, np.array([[1, 2, 0, 3]]), np.array([[10.5, 2.0, np.pi]]))
    space = ThroughSpace(LENNARD_JONES, np.zeros((4, 2)), np.zeros(4), 332.0, np.zeros((0, 2), int), np.zeros((0, 2)))
    system = System(
        *("a", "AMBER", np.array([7, 1, 1, 1]), np.array([[0, 1], [0, 2], [0, 3]])),
        *(("n", "h", "h", "h"), ("N", "H1", "H2", "H3"), ("MOL1",) * 4, np.ones(4), (one,), space),
    )

    held = SMIRNOFF.approximate(system)

    assert SMIRNOFF.missing(system) == ["impropers in one order of their atoms (1; SMIRNOFF has the sum of three)"]
    assert SMIRNOFF.missing(held) == []
    before, after = (energy(stated, positions) for stated in (one, held.interactions[-1]))
    assert len(held.interactions[-1].atoms) == 3
    assert after == pytest.approx(before, rel=1e-3)


def energy(stated, positions):
    """Return the energy of interactions."""
    return sum(
        float(stated.term.energy(jnp.asarray(positions)[chain], *jnp.asarray(values)))
        for chain, values in zip(stated.atoms, stated.values, strict=True)
    )


@pytest.mark.parametrize(("form", "file"), FORMATS.values(), ids=FORMATS)
def test_files_say_from_what_they_were_made_and_how_they_are_loaded(stated, form, file, tmp_path):
    form.write_system(tmp_path / file, *stated("methyloxirane"))

    head = (tmp_path / file).read_text()[:500]
    assert "ritten by ForgeField from methyloxirane.prmtop" in head
    assert file in head
