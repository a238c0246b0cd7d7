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
        (MINIMAL + "zzz = 1", "unknown key 'targets.zzz'; known keys here: eigenmatrix, frequencies"),
        (MINIMAL.replace("reference", "refrence"), "did you mean 'reference'?"),
        (MINIMAL.replace("reference", "refrence"), "'molecules.0.reference' is missing"),
        (MINIMAL.replace("20.0", "-1.0"), "targets.frequencies.tolerance: Input should be greater than 0 (got -1.0)"),
        (MINIMAL + '[fit]\nsolver = "newton"', "fit.solver: Input should be 'lm' or 'trf' (got 'newton')"),
        ("[targets]\nforces = { tolerance = 1.0 }", "'molecules' is missing"),
        (MINIMAL.split("[targets]", maxsplit=1)[0] + "[targets]", "name at least one of: eigenmatrix, frequencies"),
        ("[[molecules", "not valid TOML"),
        (MINIMAL + '[forcefield]\nterms = ["torsion", "torsion6"]', "torsion6 (V1 to V6) exclude each other"),
    ],
)
def test_what_is_wrong_is_said(refusal, text, said):
    assert said in refusal(text)


def test_all_that_is_wrong_is_said_at_once_each_with_the_file(refusal):
    lines = refusal(MINIMAL + "[fit]\nstarts = 0\nsede = 1\n[forcefield]\nform = 'opls'").splitlines()

    assert len(lines) == 3
    assert all("FIT.toml: " in line for line in lines)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml: there is no such file"):
        read_fit_file(tmp_path / "nowhere.toml")


def test_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "FIT.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="not valid TOML"):
        read_fit_file(path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("weight = -1.0", "molecules.0.weight: Input should be greater than or equal to 0"),
        ("reaction_mode_weight = inf", "molecules.0.reaction_mode_weight: Input should be a finite number"),
        ("mode_weights = [{ lowest = 600, highest = 0, weight = 3 }]", "lowest = 600 is not below highest = 0"),
        ("mode_weights = [{ highest = 600 }]", "'molecules.0.mode_weights.0.weight' is missing"),
        ("mode_weights = [{ weigth = 2.0 }]", "did you mean 'weight'?"),
        ("wieght = 2.0", "did you mean 'weight'?"),
    ],
)
def test_weights_that_cannot_be_are_refused(refusal, entry, said):
    assert said in refusal(MINIMAL.replace("[targets]", f"{entry}\n[targets]"))


def test_on_error_is_stop_or_skip(refusal):
    assert "fit.on_error: Input should be 'stop' or 'skip'" in refusal(MINIMAL + '[fit]\non_error = "ignore"')


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

    with pytest.raises(InputError, match=rf"FIT\.toml: fit\.{line.split()[0]}: "):
        read_fit_file(path)


@pytest.mark.parametrize(
    "content", ["a = " + "9" * 5000, "a = " + "[" * 5000, "a = \xff"], ids=["digits", "deep", "byte"]
)
def test_what_the_parser_cannot_take_is_not_valid_toml(tmp_path, content):
    (tmp_path / "FIT.toml").write_bytes(content.encode("latin-1"))

    with pytest.raises(InputError, match=r"FIT\.toml: not valid TOML"):
        read_fit_file(tmp_path / "FIT.toml")
