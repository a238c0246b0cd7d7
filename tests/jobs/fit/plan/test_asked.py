"""A fit is asked for by a FIT.toml or by QM results; of these, settings are written that say the same."""

import shutil
from pathlib import Path

import pytest

from forgefield.errors import InputError
from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.fit_toml import read_plan

EXAMPLES = Path(__file__).parents[4] / "examples"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in EXAMPLES.glob("*/*.json"):
        shutil.copy(file, tmp_path)
    shutil.copy(EXAMPLES / "ch3f/FIT.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "output", "expected"),
    [
        (["ch3f.json"], None, "ch3f"),
        (["staggered.json", "eclipsed.json"], None, "staggered"),
        (["ch3f.json"], "runs/a", "runs/a"),
        (["FIT.toml"], None, "FIT"),
    ],
)
def test_folder_is_named_like_the_first_file(folder, files, output, expected):
    _, found = asked([Path(file) for file in files], None if output is None else Path(output))

    assert found == Path(expected)


@pytest.mark.parametrize("output", ["ch3f", "deep/er/run"])
def test_settings_in_the_folder_of_the_fit_give_the_same_plan(folder, output):
    plan, _ = asked([Path("ch3f.json"), Path("saddle.json")], Path(output), starts=3)

    (folder / output).mkdir(parents=True)
    (folder / output / "FIT.toml").write_text(plan.text)
    again = read_plan(folder / output / "FIT.toml")

    assert (again.name, again.starts, again.prior, again.targets) == (plan.name, 3, plan.prior, plan.targets)
    assert (again.start, again.estimate, again.changing) == (plan.start, plan.estimate, plan.changing)
    for one, other in zip(again.molecules, plan.molecules, strict=True):
        assert [path.resolve() for path in one.all] == [path.resolve() for path in other.all]
        assert (one.policy, one.weights, one.group, one.pieces) == (
            other.policy,
            other.weights,
            other.group,
            other.pieces,
        )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no files are given: name a FIT.toml, or files of QM results"),
        (["FIT.toml", "ch3f.json"], "FIT.toml, ch3f.json: a FIT.toml names its data itself"),
        (["FIT.toml", "FIT.toml"], "a FIT.toml names its data itself"),
        (["a.fchk", "ch3f.json", "b.fchk"], "a.fchk, b.fchk: there is no such file"),
        (["."], r"\.: is a folder; name the FIT\.toml or the QM results in it"),
    ],
)
def test_wrong_files_are_one_message(folder, files, message):
    with pytest.raises(InputError, match=message):
        asked([Path(file) for file in files])


def test_file_without_suffix_leaves_no_name_for_the_folder(folder):
    shutil.copy("ch3f.json", "ch3f")

    with pytest.raises(InputError, match=r"ch3f: has no suffix, .* give it with -o"):
        asked([Path("ch3f")])
