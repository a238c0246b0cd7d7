"""`forgefield dataset`: data sets from the command line."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import complain, print_json, print_whole, say

app = typer.Typer(no_args_is_help=True, help="Data sets of labelled structures: look, check, split, merge, import.")
_Set = Annotated[Path, typer.Argument(help="Data set (.h5).")]
_Output = Annotated[Path, typer.Option("--output", "-o", help="Data set to write (.h5).")]


@app.command()
@command
def info(data: _Set, as_json: Json = False, verbose: Verbose = False) -> int:
    """Show what a data set holds.

    Example: forgefield dataset info ethanol.h5
    """
    from forgefield.io.datasets.data_set import overview
    from forgefield.io.datasets.splits import splits
    from forgefield.jobs.dataset.dataset_job import described
    from forgefield.report.tables import grid

    del verbose
    if as_json:
        found = overview(data)
        told = {"structures": len(found), "molecules": len(found.molecules), "failed": found.n_failures}
        print_json(told | {"teachers": list(found.teachers), "splits": splits(data)})
    else:
        shown = described(data)
        print_whole([grid(shown)])
        say(shown.note)
    return DONE


@app.command()
@command
def check(data: _Set, as_json: Json = False, verbose: Verbose = False) -> int:
    """Look for what is wrong: records twice, outliers, energies that do not rise as forces say, missing hydrogens.

    Example: forgefield dataset check ethanol.h5
    """
    from forgefield.jobs.dataset.checks import check_data_set

    del verbose
    found = check_data_set(data)
    for one in found:
        (complain if one.wrong else say)(one.text)
    if not found:
        say(f"{data}: nothing is wrong")
    if as_json:
        print_json({"findings": [{"what": f.what, "records": list(f.records), "wrong": f.wrong} for f in found]})
    return FAILED if any(one.wrong for one in found) else DONE


@app.command()
@command
def split(
    data: _Set,
    by: Annotated[str, typer.Option(help="structure, molecule, scaffold or time.")] = "structure",
    validation: Annotated[float, typer.Option(help="Share of the records.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the records.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    name: Annotated[str, typer.Option(help="Under which the split is kept.")] = "default",
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Draw which records are for training, validation and test, and keep that in the data set.

    Example: forgefield dataset split ethanol.h5 --by structure --validation 0.1 --test 0.1
    """
    from forgefield.jobs.dataset.dataset_job import split as drawn

    del verbose
    sizes = drawn(data, name, by, (validation, test), seed)
    say(f"{data}, split {name!r}: " + ", ".join(f"{n} {part}" for part, n in sizes.items()))
    if as_json:
        print_json({"split": name, **sizes})
    return DONE


@app.command()
@command
def merge(
    sets: Annotated[list[Path], typer.Argument(help="Data sets (.h5).")],
    output: _Output,
    overwrite: Overwrite = False,
    verbose: Verbose = False,
) -> int:
    """Write several data sets of one teacher as one; what is there twice is written once.

    Example: forgefield dataset merge a.h5 b.h5 -o both.h5
    """
    from forgefield.jobs.dataset.dataset_job import merge as merged

    del verbose
    _tell(output, *merged(sets, output, overwrite=overwrite))
    return DONE


@app.command(name="import")
@command
def import_(
    files: Annotated[list[Path], typer.Argument(help="xyz, QM results, ase.db, MD17 .npz, SPICE or ANI .hdf5.")],
    output: _Output,
    overwrite: Overwrite = False,
    verbose: Verbose = False,
) -> int:
    """Write labelled structures from the files of others as a data set.

    Example: forgefield dataset import rmd17_ethanol.npz -o ethanol.h5
    """
    from forgefield.jobs.dataset.dataset_job import import_files

    del verbose
    _tell(output, *import_files(files, output, overwrite=overwrite))
    return DONE


def _tell(output: Path, n: int, n_twice: int) -> None:
    """Print what was written."""
    say(f"Written: {n} structures in {output}" + (f"; {n_twice} were there twice" if n_twice else ""))
