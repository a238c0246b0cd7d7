"""Numbers with their units as text."""

import pytest

from forgefield.jobs.fit.plan.target_choices import TARGETS
from forgefield.toml.quantities import in_unit
from forgefield.toml.schema import UNIT


@pytest.mark.parametrize(
    ("text", "wanted", "number"),
    [
        ("20cm-1", "cm⁻¹", 20.0),
        ("20 1/cm", "cm⁻¹", 20.0),
        ("-1e2 cm^-1", "cm⁻¹", -100.0),
        ("1 kcal mol⁻¹ Å⁻¹", "kcal/mol/Å", 1.0),
        ("1 kcal/(mol Å)", "kcal/mol/Å", 1.0),
        ("41.84 kJ/mol/nm", "kcal/mol/Å", 1.0),
        ("1 Hartree/Bohr", "kcal/mol/Å", 1185.8210473913),
        ("1 mdyn/Å", "kcal/mol/Å²", 143.9326185468),
        ("1 eV", "kcal/mol", 23.0605478306),
        (".5 pm", "Å", 0.005),
        ("180 deg", "degrees", 180.0),
        ("3.141592653589793 rad", "degrees", 180.0),
        ("1 Hartree/Bohr**2/u", "Hartree/Bohr²/amu", 1.0),
    ],
)
def test_text_becomes_a_number_in_the_unit_that_is_wanted(text, wanted, number):
    assert in_unit(text, wanted) == pytest.approx(number, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20", 'is text without a unit; write a number, or text such as "2 cm⁻¹"'),
        ("twenty cm-1", "does not begin with a number"),
        ("20 furlongs", "has a unit that is not known, 'furlongs'"),
        ("20 cm-1 (", "has a unit that is not known"),
        ("20 cm", "is in cm, which cannot be turned into cm⁻¹"),
        ("20 kcal/mol", "is in kcal/mol, which cannot be turned into cm⁻¹"),
    ],
)
def test_what_is_no_number_in_such_a_unit_is_refused(text, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        in_unit(text, "cm⁻¹")


@pytest.mark.parametrize("key", TARGETS)
def test_the_unit_of_every_target_is_known(key):
    found = UNIT.search(TARGETS[key].says)

    assert found is not None
    assert in_unit(f"2 {found['unit']}", found["unit"]) == 2.0
