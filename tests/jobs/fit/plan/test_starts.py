"""A fit starts from the force field that a fit wrote, whichever of its files is named."""

import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.native import write_native
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH

TEXT = """
[forcefield]
start = "{start}"
form = "harmonic"
estimate = "none"
{more}
[[molecules]]
reference = "ch3f.json"
[targets]
frequencies = {{ tolerance = 20.0 }}
"""


@pytest.fixture
def written(project):
    """Writes a FIT.toml with this start beside the force field of an earlier fit; returns its path and the values."""

    def write(start, more="", form="harmonic"):
        path = project(TEXT.format(start="environments", more='terms = ["stretch", "bend"]'))
        molecules = [example.molecule for example in prepare(path).examples]
        made = generate(molecules, (HARMONIC_STRETCH, HARMONIC_BEND))
        made = with_values(made, 1.1 * np.asarray(made.model.values))
        (path.parent / "run").mkdir()
        write_native(path.parent / "run/forcefield.json", made)
        write_frcmod(path.parent / "run/forcefield.frcmod", made, molecules)
        (path.parent / "bare.frcmod").write_text("by hand\nMASS\nBOND\nANGL\nDIHE\nIMPR\nNONB\n")
        path.write_text(TEXT.format(start=start, more=more).replace('"harmonic"', f'"{form}"'))
        return path, np.asarray(made.model.values)

    return write


@pytest.mark.parametrize("start", ["run", "run/forcefield.json", "run/forcefield.frcmod"])
def test_fit_starts_from_what_a_fit_wrote(written, start):
    path, values = written(start)

    prepared = prepare(path)

    np.testing.assert_allclose(np.sort(prepared.start), np.sort(values), rtol=1e-7)
    assert len(prepared.rows) == len(prepared.laid.rows) == 4
    assert set(prepared.laid.descriptions.values()) == {"C(F,H,H,H)", "F(C)", "H(C)"}
    assert [one.word for one in prepared.formats] == ["frcmod", "openmm-xml"]


@pytest.mark.parametrize(
    ("start", "more", "form", "message"),
    [
        ("run", "depth = 2", "harmonic", r"\[forcefield\] depth: .*forcefield\.json has its own"),
        ("run", "", "mm3", r'form = "mm3": .*forcefield\.json holds form = "harmonic"'),
        ("bare.frcmod", "", "harmonic", "goes by atom types, which the molecule does not have"),
        ("ch3f.xyz", "", "harmonic", r'start = "ch3f\.xyz": "environments", a \.fld file, a \.json'),
    ],
)
def test_start_that_cannot_be_says_why(written, start, more, form, message):
    path, _ = written(start, more, form)

    with pytest.raises(InputError, match=message):
        prepare(path)


def test_generated_mm3_file_is_a_start_for_structures_without_atom_types(written):
    path, _ = written("made.fld", 'train = ["line:1-99"]\nwrite = ["fld", "openmm-system"]', "mm3")
    write_estimated(path.parent / "made.fld", estimate([path.parent / "ch3f.json"]))

    prepared = prepare(path)

    assert prepared.mm3 is not None
    assert {row.term.kind for row in prepared.rows} >= {"stretch", "bend"}
