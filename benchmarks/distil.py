"""What labels cost: aspirin by GFN2-xTB and, where its programs are, by ANI-1x.

Run as `python benchmarks/distil.py [--structures N]`; one JSON object on stdout. Structures are displaced by 0.05 Å and
labelled by `forgefield label`, with one process and with two, with energies and forces and with two products of the
Hessian beside them. Seconds for 2,000 structures are those of the start and of the checks of the teacher, and what a
structure takes from then on, times 2,000; `busy` are seconds of the processor for each structure. The products of GFN2
are 4 more gradients, those of ANI-1x are exact.

With `--memory` ethanol is labelled by the PaiNN of `examples/distil-ethanol` instead, in two processes, 500, 2,000 and
8,000 structures each in a run of its own: the largest memory (VmHWM) of the process that was started and of its
workers, in MB.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forgefield.cli.students.teachers import teacher_of
from forgefield.engines.teachers.model_teacher import teacher_of_file
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
ETHANOL = Path(__file__).parents[1] / "examples/distil-ethanol"
SIZES = (500, 2000, 8000)


def main() -> None:
    """Label, and print what it took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--structures", type=int, default=200)
    options.add_argument("--only", nargs="*", default=[*TEACHERS], help="Names of teachers.")
    options.add_argument(
        "--memory", nargs="?", type=int, const=0, help="Memory, of all numbers of structures or of one."
    )
    chosen = options.parse_args()
    if chosen.memory is not None:
        told = memory_of(chosen.memory) if chosen.memory else {str(n): in_its_own_process(n) for n in SIZES}
        print(json.dumps(told, indent=1))
        return
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


def in_its_own_process(n: int) -> dict[str, Any]:
    """Return what labelling n structures needs of memory in a process that has done nothing before."""
    words = [sys.executable, __file__, "--memory", str(n)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def memory_of(n: int) -> dict[str, Any]:
    """Label n structures of ethanol, and return the largest memory of this process and of its workers [MB]."""
    (molecule,) = read_structures(ETHANOL / "ethanol.xyz")
    workers: dict[int, float] = {}

    def tell(*_: object) -> None:
        for pid in children():
            workers[pid] = high_water(pid)

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set.h5"
        sources = tuple(sources_of([(molecule, "")], [Distortions(n, 0.02)], seed=0))
        run_label(LabelPlan(teacher_of_file(ETHANOL / "ethanol.safetensors"), sources, data, workers=2), tell=tell)
        if len(overview(data)) != n:
            raise RuntimeError(f"{len(overview(data))} of {n} structures have labels")
        file = data.stat().st_size / 1e6
    return {"process": high_water(os.getpid()), "workers": sorted(workers.values()), "file": file}


def children() -> list[int]:
    """Return the processes that this one has started."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def high_water(pid: int) -> float:
    """Return the most memory that a process has had [MB]."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def processor() -> float:
    """Return the seconds of the processor that this process and those that it waited for have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
