"""The page on the command line, from what `--help` says."""

from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from forgefield.cli import app


def page() -> str:
    """Return the page in Markdown."""
    command = get_command(app)
    with (context := Context(command, info_name="forgefield")):
        body = get_docs_for_click(obj=command, ctx=context, name="forgefield", title="Command line")
    return f"{body}\nExit codes: 0 done, 1 not converged, 2 bad input.\n"
