"""Makes the pages that follow from the code, while MkDocs builds the site."""

import command_line
import distil_toml
import fit_toml
import house
import label_toml
import python_names
import results_json
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_MADE = {
    "reference/fit-toml.md": fit_toml.page,
    "reference/fit.schema.json": fit_toml.schema_text,
    "reference/label-toml.md": label_toml.page,
    "reference/distil-toml.md": distil_toml.page,
    "reference/results-json.md": results_json.page,
    "reference/command-line.md": command_line.page,
    "reference/python.md": python_names.page,
    "pages.css": house.style,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made to those that are written."""
    for path, made in _MADE.items():
        files.append(File.generated(config, path, content=made()))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put drawings where a page asks for them."""
    return house.MARK.sub(lambda asked: house.figure(asked["part"]), markdown)
