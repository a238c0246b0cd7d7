"""The FIT.toml that is written says everything, and is read as what was meant."""

import tomllib

from certain import known
from forgefield.jobs.fit.plan.fit_text import fit_text
from forgefield.jobs.fit.plan.target_choices import schema

FULL = {
    "forcefield": {
        "form": "harmonic",
        "freeze": ["bend * theta0"],
        "ties": [{"follower": "a", "leader": 'b "c"', "factor": 2.0}],
        "write": ["frcmod"],
    },
    "molecules": [
        {"reference": ["ä.log", "ä.fchk"], "mode_weights": [{"highest": 600.0, "weight": 3.0}], "group": "all"},
        {"reference": "saddle.fchk", "transition_state": "C", "reaction_mode_weight": 0.0},
    ],
    "targets": {"eigenmatrix": {"tolerance": 20.0, "off_diagonal": 30.0}, "charges": {"tolerance": 0.1, "kind": "esp"}},
    "fit": {"starts": 3, "prior": {"theta0": 1.5}},
}
LEAST = {"molecules": [{"reference": "a.json"}], "targets": {"forces": {"tolerance": 1.0}}}


def read(text):
    return schema().model_validate(tomllib.loads(text))


def test_settings_are_read_as_they_were():
    for content in (FULL, LEAST):
        file = schema().model_validate(content)

        again = read(fit_text(file, ["About it."]))

        assert again.model_dump() == file.model_dump()
        stated = ["group" in one.model_fields_set for one in file.molecules]
        assert ["group" in one.model_fields_set for one in again.molecules] == stated


def test_what_is_not_stated_stays_unstated():
    molecules = read(fit_text(schema().model_validate(LEAST), [])).molecules

    assert not {"group", "structures", "transition_state"} & molecules[0].model_fields_set


def test_every_key_is_there_with_its_meaning():
    file = schema().model_validate(LEAST)

    text = fit_text(file, [])

    words = " ".join(text.replace("#", " ").split())
    for section in (file.forcefield, file.molecules[0], file.targets, file.fit, file.fit.prior):
        for key, field in type(section).model_fields.items():
            assert f"{key} = " in text or f"[fit.{key}]" in text
            assert " ".join(str(field.description).split()) in words or key == "prior"


def test_keys_behind_a_mark_are_valid_settings_too():
    file = schema().model_validate(LEAST)
    keys = ("eigenvalue", "group", "transition_state", *type(file.targets).model_fields)
    marked = tuple(f"# {key} =" for key in keys)
    lines = [line.removeprefix("# ") if line.startswith(marked) else line for line in fit_text(file, []).splitlines()]

    file = read("\n".join(lines))

    assert known(file.targets.entry("positions")).tolerance == 0.05
    assert file.molecules[0].transition_state == "C"


def test_lines_are_short():
    assert max(map(len, fit_text(schema().model_validate(LEAST), ["word " * 99]).splitlines())) <= 120
