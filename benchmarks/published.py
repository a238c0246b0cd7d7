"""Force fields that others have published, against fits: how much better a fit is, how surely, and what others report.

Run as `python benchmarks/published.py OUTPUT`; one JSON object on stdout, progress on stderr. FORGEFIELD_DATA names the
folder of reference data. What a system gave is kept in OUTPUT as soon as it is known, and a later run with the same
folder goes on from there; `--anew` measures the chosen ones again. `--only` chooses systems, `--page` writes a page of
Markdown of all that is kept in OUTPUT.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import jax
from published_fits import Figures, fitted
from published_oracles import cisplatin, conformers
from published_page import page
from published_systems import DATA, SYSTEMS

from forgefield.cli.process import collect_seldom
from forgefield.engines.native.processor import machine
from forgefield.jobs.threads import one_thread_a_matrix

ORACLES: dict[str, Callable[[Path], Figures]] = {"cisplatin": cisplatin, "rh-binap": conformers}
FITS = {system.name: system for system in SYSTEMS}
NAMES = (*FITS, *ORACLES)


def main() -> None:
    """Measure the systems that are not done, and print all figures or write their page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", action="append", choices=NAMES, metavar="SYSTEM")
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    chosen = given.only or ([] if given.page else NAMES)
    for name in chosen:
        measured(name, given.output, anew=given.anew)
    found = {name: figures for name in NAMES if (figures := kept(name, given.output)) is not None}
    if given.page:
        given.page.write_text(page(found), encoding="utf-8")
    else:
        print(json.dumps({name: found[name] for name in chosen if name in found}, indent=1, ensure_ascii=False))


def kept(name: str, output: Path) -> Figures | None:
    """Return the figures of a system that an earlier run of the same settings has left."""
    path = output / f"{name}.json"
    figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return figures if figures.get("settings") == settings(name) else None


def settings(name: str) -> str:
    """Return the settings of a fit; those of an oracle are empty."""
    return FITS[name].settings if name in FITS else ""


def measured(name: str, output: Path, *, anew: bool) -> None:
    """Measure a system, unless that is done, and keep its figures."""
    if not DATA.is_dir():
        raise SystemExit(f"no reference data in {DATA}: set FORGEFIELD_DATA")
    if kept(name, output) is not None and not anew:
        return
    began, load = perf_counter(), os.getloadavg()[0]
    folder = output / name
    folder.mkdir(exist_ok=True)
    figures = fitted(FITS[name], folder) if name in FITS else ORACLES[name](folder)
    figures |= {"settings": settings(name), "load_average": load, "all_wall_s": perf_counter() - began}
    figures |= machine()
    new = output / f"{name}.new"
    new.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(output / f"{name}.json")
    print(f"{name}: {perf_counter() - began:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    collect_seldom()
    one_thread_a_matrix()
    main()
