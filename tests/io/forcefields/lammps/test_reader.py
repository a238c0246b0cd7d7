"""LAMMPS input and data: what LAMMPS computes from the same files, and what is not read."""

from pathlib import Path

import numpy as np
import pytest

from certain import instance
from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.lammps.reader import read_lammps
from forgefield.io.rules import load
from forgefield.jobs.convert import convert_force_field
from forgefield.jobs.evaluate import evaluate
from forgefield.terms.nonbonded import LENNARD_JONES, LENNARD_JONES_GEOMETRIC
from samples import lammps_program

INPUT = """units real
atom_style full
boundary s s s
bond_style harmonic
angle_style charmm
dihedral_style hybrid harmonic opls multi/harmonic charmm
improper_style hybrid cvff harmonic
special_bonds lj 0 0 0.5 coul 0 0 0.8
pair_style lj/cut/coul/cut 40.0
pair_modify mix {mix}
read_data chain.data # the molecule
dihedral_coeff 4 charmm 0.3 2 180 0.0
pair_coeff 1 2 &
  {pair}
thermo 1
"""
DATA = """a chain

6 atoms
5 bonds
2 angles
4 dihedrals
2 impropers
2 atom types
1 bond types
1 angle types
4 dihedral types
2 improper types

-50 50 xlo xhi
-50 50 ylo yhi
-50 50 zlo zhi

Masses

1 12.011 # ca
2 15.999

Pair Coeffs

1 0.1 3.4
2 0.2 3.0

Bond Coeffs

1 300.0 1.4

Angle Coeffs

1 50.0 110.0 20.0 2.4

Dihedral Coeffs

1 harmonic 1.5 -1 3
2 opls 1.0 -0.5 0.3 0.2
3 multi/harmonic 0.5 0.4 -0.3 0.2 0.1
4 harmonic 9.0 1 2

Improper Coeffs

1 cvff 1.2 -1 2
2 harmonic 5.0 0.0

Atoms # full

2 1 1 0.2 1.4 0.1 0.0
1 1 2 -0.3 0.0 0.0 0.1 # O1
3 1 1 0.1 2.0 1.4 0.2
4 1 1 -0.1 3.5 1.3 0.9
5 1 2 0.3 4.0 2.5 1.3
6 1 1 -0.2 1.2 2.6 -0.1

Bonds

1 1 1 2
2 1 2 3
3 1 3 4
4 1 4 5
5 1 3 6

Angles

1 1 1 2 3
2 1 2 3 4

Dihedrals

1 1 1 2 3 4
2 2 2 3 4 5
3 3 1 2 3 6
4 4 6 3 4 5

Impropers

1 1 2 3 4 6
2 2 4 3 2 6
"""
KINDS = {
    "ebond": ("stretch",),
    "edihed": ("torsion",),
    "eangle": ("bend", "urey_bradley"),
    "eimp": ("improper",),
    "evdwl": ("vdw",),
    "ecoul": ("electrostatic",),
    "pe": ("total",),
}


def written(folder: Path, text: str = "", data: str = DATA, *, mix="arithmetic", pair="0.15 3.3") -> Path:
    (folder / "chain.data").write_text(data)
    (folder / "chain.lmp").write_text(text or INPUT.format(mix=mix, pair=pair))
    return folder / "chain.lmp"


@pytest.mark.parametrize("mix", ["arithmetic", "geometric"])
def test_energies_are_those_of_lammps(tmp_path, monkeypatch, mix):
    path = written(tmp_path, mix=mix)
    monkeypatch.chdir(tmp_path)
    running = lammps_program()
    running.command(f"include {path.name}")
    running.command(f"thermo_style custom step {' '.join(KINDS)}")
    running.command("run 0")
    stated = {name: running.get_thermo(name) for name in KINDS}
    running.close()

    (found,) = evaluate(path, [tmp_path / "chain.data"]).totals_kj_mol

    for name, kinds in KINDS.items():
        own = sum(found.get(kind, 0.0) for kind in kinds) * units.KILOJOULE
        assert own == pytest.approx(stated[name], abs=1e-8), name


def test_types_that_combine_have_no_pairs_of_their_own(tmp_path):
    apart = read_lammps(written(tmp_path)).system
    combined = read_lammps(written(tmp_path, mix="geometric", pair=f"{0.02**0.5} 3.2")).system

    # A pair_coeff of 3.2 Å is the arithmetic mean, whatever the input says of pairs that it does not state.
    assert (combined.through_space.term, len(combined.interactions[-1].atoms)) == (LENNARD_JONES, 0)
    assert len(apart.interactions[-1].atoms) == 4
    assert apart.names[:2] == ("O1", "C2")
    assert apart.types[:2] == ("2", "ca")
    geometric = read_lammps(written(tmp_path, mix="geometric", pair=f"{0.02**0.5} {10.2**0.5}")).system
    assert geometric.through_space.term is LENNARD_JONES_GEOMETRIC


def test_a_structure_that_is_larger_than_the_cutoff_is_said(tmp_path):
    text = INPUT.format(mix="arithmetic", pair="0.15 3.3").replace("cut 40.0", "cut 4.0")

    with pytest.warns(InputWarning, match="pairs end at 4 Å in LAMMPS; here they act at any distance"):
        read_lammps(written(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units real", "units metal", "units metal are not read, only real"),
        ("boundary s s s\n", "", "the box is periodic; molecules are computed in vacuum"),
        ("thermo 1", "kspace_style pppm 1e-4", r"chain.lmp, line 15: .* sums over a periodic box \(PPPM, Ewald\)"),
        ("thermo 1", "fix 1 all shake 1e-4 20 0 b 1", "the command is not read"),
        ("thermo 1", "variable x equal 1", "variables are not read"),
        ("lj/cut/coul/cut", "lj/charmm/coul/charmm", "only pair_style lj/cut/coul/cut and lj/cut are read"),
        ("mix arithmetic", "mix sixthpower", "only mix geometric or arithmetic"),
        ("bond_style harmonic", "bond_style morse", "bond_style morse is not read, only harmonic"),
        ("4 charmm 0.3 2 180 0.0", "4 charmm 0.3 2 180 0.5", "weights of 1-4 pairs"),
        ("read_data chain.data # the molecule\n", "", "has no read_data"),
        ("thermo 1", "include chain.lmp", "chain.lmp: includes itself"),
        ("thermo 1", "include none.lmp", "line 15: 'include none.lmp': there is no file .*none.lmp"),
        ("read_data chain.data", "read_data none.data", "'read_data none.data': there is no file .*none.data"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, old, new, message):
    text = INPUT.format(mix="arithmetic", pair="0.15 3.3").replace(old, new)

    with pytest.raises(InputError, match=message):
        read_lammps(written(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 12.011 # ca", "1 13.019 # ca", r"atoms 2 \(13.019 amu\), .* are of no element"),
        ("1 12.011 # ca\n", "", "section Masses has no type 1"),
        ("1 0.1 3.4\n", "", "atom types 1 have no pair coefficients"),
        ("1 1 1 2\n", "1 2 1 2\n", "there are no coefficients of bond type 2"),
        ("2 1 2 3\n", "2 1 2 2\n", "it does not name 2 different atoms from 1 to 6"),
        ("6 1 1 -0.2", "7 1 1 -0.2", "section Atoms does not name atoms 1 to N"),
        ("Atoms # full", "Atoms # sphere", "atom_style 'sphere' is not read"),
        ("Impropers", "CMAP", "section 'CMAP' is not read"),
        ("1 300.0 1.4", "1 300.0", "it has no word 3"),
    ],
)
def test_data_that_are_damaged_or_not_ours_are_named(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        read_lammps(written(tmp_path, data=DATA.replace(old, new)))


@pytest.mark.slow
def test_what_was_written_for_lammps_is_read_again(data, tmp_path):
    source = data / "programs" / "amber" / "paracetamol.prmtop"
    convert_force_field(source, tmp_path / "p.lmp", over=[source.with_suffix(".inpcrd")])

    before = evaluate(source, [source.with_suffix(".inpcrd")])
    after = evaluate(tmp_path / "p.lmp", [tmp_path / "p.data"])

    np.testing.assert_allclose(after.energies, before.energies, atol=1e-8)
    types, again = (instance(SystemRules, load(path)).system.types for path in (source, tmp_path / "p.lmp"))
    assert again == types
