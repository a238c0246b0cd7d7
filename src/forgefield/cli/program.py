"""The program and its commands."""

from importlib.metadata import version
from typing import Annotated

import typer

from forgefield.cli.command import run_app
from forgefield.cli.convert import convert
from forgefield.cli.dataset import app as dataset
from forgefield.cli.estimate import diff, estimate
from forgefield.cli.evaluate import check, evaluate, modes
from forgefield.cli.fits.bench import bench
from forgefield.cli.fits.fit import fit
from forgefield.cli.info import info
from forgefield.cli.label import label
from forgefield.cli.reference import reference
from forgefield.cli.simulate import md, relax
from forgefield.cli.students.distil import distil
from forgefield.cli.students.export import export
from forgefield.cli.students.validate import validate

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # As markup of rich, words in brackets such as [fs] would be styles, and lost.
    rich_markup_mode="markdown",
    help="Learns molecular force fields from quantum chemistry and runs them.",
)
for _function in (
    fit,
    info,
    reference,
    evaluate,
    modes,
    check,
    estimate,
    diff,
    convert,
    md,
    relax,
    label,
    distil,
    validate,
    export,
    bench,
):
    app.command()(_function)
app.add_typer(dataset, name="dataset")


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"forgefield {version('forgefield')}")
        raise typer.Exit
    return asked


@app.callback()
def _every_command(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that belong to no command."""


def main() -> None:
    """Run the command line."""
    run_app(app)
