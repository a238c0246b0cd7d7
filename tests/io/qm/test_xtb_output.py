"""What xTB adds to an energy, and what its older versions say of the state, in the layout of its output."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.io.references import read_reference

OUTPUT = """
     |                           x T B                           |
   * xtb version 6.2.3 (830e466) compiled by 'someone' on 2020-03-16
          program call               : xtb hf.xyz --chrg -1 --opt --input xcontrol
{setup}
constraining bond 1 2 to    1.2000000 A, actual value:    0.9200000 A
          :  Hamiltonian                  GFN2-xTB          :
         :: total energy              -5.100000000000 Eh    ::
         :: add. restraining           {added:.12f} Eh    ::
{summary}
   *** GEOMETRY OPTIMIZATION CONVERGED AFTER 9 ITERATIONS ***
================
 final structure:
================
2
 xtb: 6.2.3 (830e466)
H         0.00000000000000      0.00000000000000      0.00000000000000
F         0.00000000000000      0.00000000000000      1.20000000000000

          | TOTAL ENERGY               -5.100000000000 Eh   |
 * finished run on 2020/05/24 at 23:58:50.275
"""
OLD = """          charge                     :                    -1
          spin                       :                   0.5"""
NEW = """          :  net charge                         -1          :
          :  unpaired electrons                  1          :"""


@pytest.mark.parametrize("setup", [OLD, NEW])
@pytest.mark.parametrize("added", [0.0, 0.04])
def test_what_constraints_add_is_no_energy_of_the_molecule(tmp_path, setup, added):
    path = tmp_path / "hf.out"
    path.write_text(OUTPUT.format(setup=setup, added=added, summary=""))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -5.1 - added, rtol=1e-12)
    assert (reference.charge, reference.multiplicity) == (-1, 2)


def test_the_call_tells_the_unpaired_electrons_where_nothing_else_does(tmp_path):
    path = tmp_path / "hf.out"
    text = OUTPUT.format(setup="", added=0.0, summary="").replace("--chrg -1", "--chrg 0 --uhf 2")
    path.write_text(text)

    (reference,) = read_reference([path])

    assert reference.multiplicity == 3


def test_the_total_charge_counts_where_it_is_printed(tmp_path):
    path = tmp_path / "hf.out"
    total = "         :: total charge               1.000000000000 e     ::"
    path.write_text(OUTPUT.format(setup=OLD, added=0.0, summary=total))

    (reference,) = read_reference([path])

    assert reference.charge == 1
