"""FIT.toml: what it may say, and everything that is wrong with it at once."""

from pathlib import Path

import pytest

from forgefield.errors import InputError
from forgefield.jobs.fit.plan.target_choices import read_fit_file

MINIMAL = """
[[molecules]]
reference = "a.json"
[targets]
frequencies = { tolerance = 20.0 }
"""
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*/FIT.toml"))


@pytest.fixture
def read(tmp_path):
    def reader(text):
        path = tmp_path / "FIT.toml"
        path.write_text(text)
        return read_fit_file(path)

    return reader


@pytest.fixture
def refusal(read):
    def of(text):
        with pytest.raises(InputError) as error:
            read(text)
        return str(error.value)

    return of


def test_defaults_are_those_of_the_documentation(read):
    file = read(MINIMAL)

    assert (file.forcefield.start, file.forcefield.form, file.forcefield.estimate) == ("environments", "mm3", "qfuerza")
    assert (file.fit.solver, file.fit.starts) == ("lm", 1)
    assert file.fit.prior.model_dump() == {"strength": 0.01, "k": 0.5, "r0": 0.03, "theta0": 5.0, "v": 1.0}
    assert file.targets.frequencies.weight == 1.0
    assert file.molecules[0].transition_state is None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_is_valid(path):
    assert read_fit_file(path).molecules


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + "[fitt]", "unknown key 'fitt'; did you mean 'fit'?"),
        (MINIMAL + "[fit]\nstart = 3", "unknown key 'fit.start'; did you mean 'starts'?"),
        (MINIMAL + "[fit.prior]\nstrenght = 3", "unknown key 'fit.prior.strenght'; did you mean 'strength'?"),
        (MINIMAL + "eigenmatrix = { tolerance = 1.0, offdiagonal = 1.0 }", "did you mean 'off_diagonal'?"),
        (MINIMAL + "zzz = 1", "line 6: unknown key 'targets.zzz'; known keys here: eigenmatrix, frequencies"),
        (MINIMAL.replace("reference", "refrence"), "did you mean 'reference'?"),
        (MINIMAL.replace("reference =", "group ="), "line 2: 'molecules.reference' is missing: QM results: a file"),
        (
            MINIMAL.replace("20.0", "-1.0"),
            "FIT.toml, line 5: targets.frequencies.tolerance = -1.0 must be a number > 0 [cm⁻¹]",
        ),
        (MINIMAL + '[fit]\nsolver = "newton"', 'line 7: fit.solver = "newton" must be one of "lm", "trf"'),
        (MINIMAL + '[fit]\nsolver = "simplex"', 'such as "multi:adam -> lm"; did you mean "nelder-mead"?'),
        (MINIMAL + '[fit]\nsolver = "adam -> lbfgs"', 'did you mean "lbfgsb"?'),
        ("[targets]\nforces = { tolerance = 1.0 }", "'molecules' is missing: The data: a table for each set of files"),
        (MINIMAL.split("[targets]", maxsplit=1)[0], "'targets' is missing: What the force field should reproduce"),
        (MINIMAL.split("[targets]", maxsplit=1)[0] + "[targets]", "name at least one of: eigenmatrix, frequencies"),
        (MINIMAL + "forces = 3", "targets.forces = 3 must be a table, such as { tolerance = 3 }"),
        (MINIMAL + "[fit]\nprior = 3", "fit.prior = 3 must be a table; its keys are strength, k, r0, theta0, v"),
        (MINIMAL + "[fit]\nstarts = 2.5", "fit.starts = 2.5 must be a whole number ≥ 1 and ≤ 100000"),
        (MINIMAL + '[forcefield]\ntrain = "line:3"', 'must be a list of text, such as ["line:3"]'),
        (MINIMAL.replace("[[molecules]]", "[molecules]"), "must be a list of tables, each headed [[molecules]]"),
        (MINIMAL.replace("[[molecules]]", "molecules = []\n[fit]"), "must be a list of tables, each headed"),
        (
            MINIMAL + '[forcefield]\nterms = ["stretch", "angles"]',
            '7: entry 2 of forcefield.terms = "angles" must',
        ),
        (MINIMAL + "[forcefield]\nmax_steps = 3", "unknown key 'forcefield.max_steps'; it belongs into [fit]"),
        (MINIMAL + "[fit]\niterations = 3", "unknown key 'fit.iterations'; did you mean 'max_steps'?"),
        (MINIMAL + "torsions = { tolerance = 3 }", "unknown key 'targets.torsions'; did you mean 'torsion'?"),
        (MINIMAL + "forces = { sigma = 3 }", "unknown key 'targets.forces.sigma'; did you mean 'tolerance'?"),
        (MINIMAL + 'energy = { tolerance = 1, at = "optimised" }', 'did you mean "relaxed"?'),
        ("[[molecules", "not valid TOML"),
        (MINIMAL + '[forcefield]\nterms = ["torsion", "torsion6"]', "torsion6 (V1 to V6) exclude each other"),
    ],
)
def test_what_is_wrong_is_said(refusal, text, said):
    assert said in refusal(text)


def test_all_that_is_wrong_is_said_at_once_each_with_its_line(refusal):
    lines = refusal(MINIMAL + "[fit]\nstarts = 0\nsede = 1\n[forcefield]\nform = 'amoeba'").splitlines()

    assert [line.split("FIT.toml, ")[1].partition(":")[0] for line in lines] == ["line 7", "line 8", "line 10"]


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL.replace("reference", "refrence"),
        MINIMAL.replace("[[molecules]]", "[[molecule]]"),
        MINIMAL.replace('"a.json"', "3"),
        MINIMAL.replace('"a.json"', '["a.json", 3]'),
        MINIMAL.replace("20.0", '"20 parsec"'),
        MINIMAL + "forces = { sigma = 3 }",
        MINIMAL + "forces = 3",
    ],
)
def test_one_mistake_is_one_line(refusal, text):
    assert len(refusal(text).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "text", "number"),
    [
        ("frequencies", "20 cm-1", 20.0),
        ("forces", "1 kcal/mol/A", 1.0),
        ("forces", "0.05 eV/Å", 1.1530273915),
        ("energy", "0.002 Hartree", 1.2550189481),
        ("torsion", "5°", 5.0),
        ("charges", "0.02 e", 0.02),
    ],
)
def test_a_tolerance_may_be_text_with_a_unit(read, key, text, number):
    file = read(f'[[molecules]]\nreference = "a.json"\n[targets]\n{key} = {{ tolerance = "{text}" }}')

    assert file.targets.entry(key).tolerance == pytest.approx(number)


def test_widths_and_bands_may_be_text_with_units(read):
    band = 'mode_weights = [{ lowest = "0 cm-1", highest = "600 cm⁻¹", weight = 3 }]\n[targets]'
    file = read(MINIMAL.replace("[targets]", band) + '[fit.prior]\nr0 = "3 pm"\ntheta0 = "0.1 rad"\nv = "1 kJ/mol"')

    assert (file.molecules[0].mode_weights[0].lowest, file.molecules[0].mode_weights[0].highest) == (0.0, 600.0)
    assert (file.fit.prior.r0, file.fit.prior.theta0) == (pytest.approx(0.03), pytest.approx(5.7295779513))
    assert file.fit.prior.v == pytest.approx(1 / 4.184)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml: there is no such file"):
        read_fit_file(tmp_path / "nowhere.toml")


def test_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "FIT.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="not valid TOML: the text is not in UTF-8"):
        read_fit_file(path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("weight = -1.0", "line 4: molecules.weight = -1.0 must be a number ≥ 0"),
        ("reaction_mode_weight = inf", "molecules.reaction_mode_weight = inf must be finite"),
        ("mode_weights = [{ lowest = 600, highest = 0, weight = 3 }]", "lowest = 600 is not below highest = 0"),
        ("mode_weights = [{ highest = 600 }]", "'molecules.mode_weights.weight' is missing"),
        ("mode_weights = [{ weigth = 2.0 }]", "did you mean 'weight'?"),
        ("wieght = 2.0", "did you mean 'weight'?"),
    ],
)
def test_weights_that_cannot_be_are_refused(refusal, entry, said):
    assert said in refusal(MINIMAL.replace("[targets]", f"{entry}\n[targets]"))


def test_on_error_is_stop_or_skip(refusal):
    assert 'fit.on_error = "ignore" must be one of "stop", "skip"' in refusal(MINIMAL + '[fit]\non_error = "ignore"')


@pytest.mark.parametrize(
    "line",
    [
        "starts = true",
        'starts = "3"',
        "starts = 1000000000",
        "tolerance = true",
        "tolerance = inf",
        "tolerance = nan",
        'tolerance = "1e-9"',
        "spread = 1e300",
        "seed = 100000000000000000000",
    ],
)
def test_what_is_no_number_of_a_sane_size_is_refused(tmp_path, line):
    path = tmp_path / "FIT.toml"
    path.write_text(f'[[molecules]]\nreference = "a.json"\n[targets]\nforces = {{ tolerance = 1.0 }}\n[fit]\n{line}\n')

    with pytest.raises(InputError, match=rf"FIT\.toml, line 6: fit\.{line.split()[0]} = .* must be "):
        read_fit_file(path)


@pytest.mark.parametrize(
    "content", ["a = " + "9" * 5000, "a = " + "[" * 5000, "a = \xff"], ids=["digits", "deep", "byte"]
)
def test_what_the_parser_cannot_take_is_not_valid_toml(tmp_path, content):
    (tmp_path / "FIT.toml").write_bytes(content.encode("latin-1"))

    with pytest.raises(InputError, match=r"FIT\.toml: not valid TOML"):
        read_fit_file(tmp_path / "FIT.toml")
