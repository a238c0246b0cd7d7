"""The pages: what they say of the code is there, and what follows from the code is said."""

import json
import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import command_line
import distil_toml
import fit_toml
import house
import jax.numpy as jnp
import label_toml
import pytest
import python_names
import results_json

import forgefield
from forgefield.errors import InputError
from forgefield.io.formats import format_of
from forgefield.jobs.distil.distil_file import read_distil_file
from forgefield.jobs.fit.plan.target_choices import read_fit_file, schema
from forgefield.jobs.label.label_file import read_label_file
from forgefield.jobs.validate.thresholds_file import ThresholdsSection
from forgefield.report import results, validation_results
from forgefield.terms import stretch
from forgefield.toml.schema import tables

ROOT = Path(__file__).parents[2]
WRITTEN = sorted((ROOT / "docs").rglob("*.md"))
ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?P<rest>.*) \|$", re.MULTILINE)


def schema_tables():
    schema = json.loads(fit_toml.schema_text())
    return [schema, *schema["$defs"].values()]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.stem)
def test_every_file_that_a_page_names_is_there(page):
    named = re.findall(r"`((?:src|tests|docs)/[\w./-]+)`", page.read_text())

    assert [name for name in named if not (ROOT / name.replace("NAME.py", "")).exists()] == []


def test_every_page_that_is_written_is_reached():
    site = (ROOT / "mkdocs.yml").read_text()

    assert [page for page in WRITTEN if f": {page.relative_to(ROOT / 'docs').as_posix()}\n" not in site] == []


def test_the_fit_on_the_first_page_is_valid(tmp_path):
    (block,) = blocks("index.md", "toml")
    (tmp_path / "FIT.toml").write_text(block)

    assert dict(read_fit_file(tmp_path / "FIT.toml").targets)["frequencies"]


def test_the_term_that_a_page_adds_is_one():
    (block,) = blocks("extend/term.md", "python")
    known = vars(stretch).copy()
    exec(block, known)

    energy = known["QUARTIC_STRETCH"].energy(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]), 10.0, 1.0)
    assert float(energy) == pytest.approx(80.0)


def blocks(page, language):
    return re.findall(rf"^```{language}$(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_on_fit_toml_gives_each_key_a_meaning():
    rows = {found["key"]: found["rest"].split(" | ") for found in ROW.finditer(fit_toml.page())}

    assert rows.keys() >= {"start", "reference", "tolerance", "off_diagonal", "lowest", "solver", "theta0"}
    assert [key for key, cells in rows.items() if len(cells) != 3 or not all(cells)] == []


@pytest.mark.parametrize("made", [label_toml, distil_toml], ids=lambda made: made.__name__)
def test_the_pages_on_other_settings_give_each_key_a_meaning(made):
    rows = {found["key"]: found["rest"].split(" | ") for found in ROW.finditer(made.page())}

    assert rows.keys() >= {"file", "learning_rate"} or rows.keys() >= {"files", "directions"}
    assert [key for key, cells in rows.items() if len(cells) != 3 or not all(cells)] == []


@pytest.mark.parametrize("name", ["LABEL.toml", "DISTIL.toml"])
def test_settings_on_pages_are_valid(tmp_path, name):
    page, read = {
        "LABEL.toml": ("data-sets.md", read_label_file),
        "DISTIL.toml": ("distil.md", read_distil_file),
    }[name]
    # Later ones are parts of such files.
    block = blocks(page, "toml")[0]
    (tmp_path / name).write_text(block)

    assert read(tmp_path / name)


def test_the_tolerance_of_a_target_is_in_its_unit():
    _, section = fit_toml.page().split("## `[targets.positions]`")

    assert "The deviation that counts as one, in Å." in section.split("\n## ")[0]


def test_the_schema_for_editors_is_plain_json_that_refuses_unknown_keys():
    tables = schema_tables()

    assert not re.search("NaN|Infinity", fit_toml.schema_text())
    assert all(table["additionalProperties"] is False for table in tables)
    assert all("description" in key or "$ref" in key for table in tables for key in table["properties"].values())


def test_the_schema_for_editors_knows_every_table_of_the_file():
    properties = {*schema_tables()[0]["properties"]}

    assert properties == {*schema().model_fields}


def test_the_first_line_for_editors_is_a_comment_of_a_valid_file(tmp_path):
    file = tmp_path / "FIT.toml"
    file.write_text(
        '#:schema ./fit.schema.json\n[[molecules]]\nreference = "a.json"\n[targets]\nforces = { tolerance = 1.0 }\n'
    )

    assert read_fit_file(file).molecules


@pytest.mark.parametrize("module", [results, validation_results], ids=lambda module: module.__name__)
def test_the_page_on_results_tells_every_key_of_every_table(module):
    page = results_json.page()
    tables = [kind for kind in vars(module).values() if isinstance(kind, type) and is_dataclass(kind)]

    for table in tables:
        keys = {key.name for key in fields(table)}
        (section,) = (part for part in page.split("\n## ") if f"{{ #{results_json.anchor(table)} }}" in part)
        assert {found["key"] for found in ROW.finditer(section)} == keys, table


def test_the_page_on_validation_tells_every_threshold():
    _, section = (ROOT / "docs" / "validation.md").read_text().split("## Thresholds")

    assert {found["key"] for found in ROW.finditer(section)} == {*ThresholdsSection.model_fields}


def test_the_page_on_the_command_line_has_a_section_for_each_command():
    headings = re.findall(r"^## `forgefield (\w+)`$", command_line.page(), re.MULTILINE)

    assert {"fit", "reference", "evaluate", "modes", "estimate", "diff", "convert", "md", "relax"} <= {*headings}


def test_the_page_on_python_has_all_that_is_offered():
    named = re.findall(r"^::: forgefield\.api\.(\w+)$", python_names.page(), re.MULTILINE)

    assert {*named} == {*forgefield.__all__}


def test_the_page_on_formats_names_every_suffix(tmp_path):
    with pytest.raises(InputError) as refusal:
        format_of(tmp_path / "structure.unknown")
    known = re.findall(r"(?:\.\w+)+", str(refusal.value).partition("known are")[2])

    page = (ROOT / "docs" / "formats.md").read_text()

    assert known
    assert [suffix for suffix in known if f"`{suffix}`" not in page] == []


@pytest.mark.parametrize("part", ["", "fitting", "io", "jobs"])
def test_the_drawing_has_every_folder_above_what_it_imports(part):
    graph = house.arrows(part)
    storey = house.heights(graph)

    assert all(storey[name] > storey[used] for name, all_used in graph.items() for used in all_used)
    assert all(f">{name}</text>" in house.figure(part) for name in graph)


def test_arrows_that_follow_from_others_are_left_out():
    graph = {"cli": {"jobs", "io"}, "jobs": {"io"}, "io": set()}

    assert house.direct(graph) == {"cli": {"jobs"}, "jobs": {"io"}, "io": set()}


def test_workflows_run_what_the_makefile_offers():
    offered = {*re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    asked = {*re.findall(r"run: make (\S+)", (ROOT / ".github" / "workflows" / "checks.yml").read_text())}

    assert asked >= {"lint", "test", "test-lowest", "docs", "dist"}
    assert asked <= offered


def keys_of_the_readme():
    row = re.compile(r"^\| `\[+(?P<table>[^\]]+)\]+` \| (?P<keys>.*) \|$", re.MULTILINE)
    rows = row.findall((ROOT / "README.md").read_text())
    return {table: {*re.findall(r"`(\w+)`", keys)} for table, keys in rows}


def test_the_table_of_the_readme_has_all_keys():
    every = {path: {*table.model_fields} for path, table in tables(schema()) if path}
    of_targets = [keys for path, keys in every.items() if path.startswith("targets.")]
    others = {path: keys for path, keys in every.items() if not path.startswith("targets.")}

    assert keys_of_the_readme() == {**others, "targets.…": set.union(*of_targets)}


def test_the_fit_in_the_readme_is_that_of_the_example():
    block = re.findall(r"^```toml$(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[0]

    assert tomllib.loads(block) == tomllib.loads((ROOT / "examples/ch3f/FIT.toml").read_text())
