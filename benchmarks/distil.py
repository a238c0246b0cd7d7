"""What labels cost: aspirin by GFN2-xTB and, where its programs are, by ANI-1x.

Run as `python benchmarks/distil.py [--structures N]`; one JSON object on stdout. Structures are displaced by 0.05 Å and
labelled by `forgefield label`, with one process and with two, with energies and forces and with two products of the
Hessian beside them. Seconds for 2,000 structures are those of the start and of the checks of the teacher, and what a
structure takes from then on, times 2,000; `busy` are seconds of the processor for each structure. The products of GFN2
are 4 more gradients, those of ANI-1x are exact.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forgefield.cli.students.teachers import teacher_of
from forgefield.engines.teachers.teacher import AbstractTeacher
from forgefield.io.datasets.data_set import overview
from forgefield.io.molecules import read_structures
from forgefield.jobs.label.label_file import TeacherSection
from forgefield.jobs.label.label_job import LabelPlan, run_label
from forgefield.jobs.label.structures import Distortions, sources_of

ASPIRIN = Path("smiles:CC(=O)Oc1ccccc1C(=O)O")
TEACHERS = {
    "gfn2": {"method": "gfn2"},
    "ani1x_one_member": {"method": "ani1x", "member": 0},
    "ani1x_eight_members": {"method": "ani1x"},
}
WANTED = 2000


def main() -> None:
    """Label, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--structures", type=int, default=200)
    options.add_argument("--only", nargs="*", default=[*TEACHERS], help="Names of teachers.")
    chosen = options.parse_args()
    told: dict[str, Any] = {"structures": chosen.structures, "cores": os.cpu_count()}
    for name in chosen.only:
        if TEACHERS[name]["method"] == "ani1x" and find_spec("torchani") is None:
            continue
        teacher = teacher_of(TeacherSection.model_validate(TEACHERS[name]), Path())
        for n_directions in (0, 2):
            one, two = (labelled(teacher, chosen.structures, n_directions, workers) for workers in (1, 2))
            efficiency = one["seconds_each"] / (2.0 * two["seconds_each"])
            told[f"{name}_{n_directions}_products"] = {"one": one, "two": two, "parallel_efficiency": efficiency}
    told["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(told, indent=1))


def labelled(teacher: AbstractTeacher, n: int, n_directions: int, workers: int) -> dict[str, float]:
    """Label n structures in this many processes, and return seconds."""
    (molecule,) = read_structures(ASPIRIN)
    seen: list[tuple[float, int]] = []

    def tell(stage: str, done: int, _: int) -> None:
        if stage == "labels":
            seen.append((time.perf_counter(), done))

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set.h5"
        sources = tuple(sources_of([(molecule, "")], [Distortions(n, 0.05)], seed=0))
        plan = LabelPlan(teacher, sources, data, directions=n_directions, workers=workers)
        busy, began = processor(), time.perf_counter()
        run_label(plan, tell=tell)
        seconds = time.perf_counter() - began
        if len(overview(data)) != n:
            raise RuntimeError(f"{len(overview(data))} of {n} structures have labels")
    # The first tasks of each process hold its start.
    (start, first), (end, last) = seen[2 * workers], seen[-workers]
    each = (end - start) / (last - first)
    whole = seconds - each * n + each * WANTED
    return {"seconds": seconds, "seconds_each": each, "seconds_2000": whole, "busy_each": (processor() - busy) / n}


def processor() -> float:
    """Return the seconds of the processor that this process and those that it waited for have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
