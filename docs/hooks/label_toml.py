"""The page on LABEL.toml, from the schema that files are checked against."""

from fit_toml import page_of

from forgefield.jobs.label.label_file import LabelFile

_BEGIN = """# LABEL.toml

What `forgefield label` runs: see [data sets](../data-sets.md). A key that is not listed here is an error. Paths and
patterns are relative to the folder of the file. Where a meaning says its unit, text with another unit of the same kind
will do too.
"""


def page() -> str:
    """Return the page in Markdown: a section for each table of the file."""
    return page_of(_BEGIN, LabelFile)
