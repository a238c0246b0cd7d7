"""The page on DISTIL.toml, from the schema that files are checked against."""

from fit_toml import page_of

from forgefield.jobs.distil.distil_file import DistilFile

_BEGIN = """# DISTIL.toml

What `forgefield distil` runs: see [distilling](../distil.md). A key that is not listed here is an error. Paths are
relative to the folder of the file. Where a meaning says its unit, text with another unit of the same kind will do too.
"""


def page() -> str:
    """Return the page in Markdown: a section for each table of the file."""
    return page_of(_BEGIN, DistilFile)
