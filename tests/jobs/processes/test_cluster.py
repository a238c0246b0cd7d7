"""Tasks on the workers of a Dask scheduler: whichever of them dies, each task comes to one end."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask.config import set as configured
from distributed import Client, LocalCluster
from typer.testing import CliRunner

from forgefield.cli.program import app
from forgefield.errors import InputError
from forgefield.io.datasets.data_set import read_records
from forgefield.jobs.processes import cluster
from forgefield.jobs.processes.cluster import Cluster

# Each waits for processes that are started.
pytestmark = pytest.mark.slow

CALCULATORS = Path(__file__).parents[2] / "engines" / "teachers"
LABEL = """
[teacher]
calculator = "calculators:made"
[[structures]]
files = "water.xyz"
distortions = { number = 300 }
"""
XYZ = "3\n\nO 0.0 0.0 0.12\nH 0.0 0.76 -0.47\nH 0.0 -0.76 -0.47\n"


def work(given, task):
    """Does what the task says."""
    match task:
        case "raise":
            raise ValueError("no luck")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "once":
            if not Path(given).exists():
                Path(given).touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return task


def ignore(n):
    pass


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    sys.path.insert(0, str(CALCULATORS))
    with (
        configured({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as workers,
        Client(workers) as client,
    ):
        yield client
    sys.path.remove(str(CALCULATORS))


def test_each_task_comes_to_its_end(client):
    done = Cluster(client).run(work, None, [*range(20), "raise"], workers=2, tell=ignore)

    assert done.results == {k: k for k in range(20)}
    assert done.failures == {20: "no luck"}


def test_what_ends_its_worker_is_named_and_the_others_go_on(client):
    done = Cluster(client).run(work, None, [*range(10), "die", *range(10)], workers=2, tell=ignore)

    assert list(done.failures) == [10]
    assert "ended without a result" in done.failures[10]
    assert len(done.results) == 20


def test_a_worker_that_dies_loses_and_doubles_nothing(client, tmp_path):
    came = Counter()

    tasks = [*range(20), "once", *range(20, 40)]
    done = Cluster(client).run(
        work, str(tmp_path / "died"), tasks, workers=2, tell=ignore, taken=lambda number, _: came.update([number])
    )

    assert came == dict.fromkeys(range(41), 1)
    assert done.failures == {}


def test_the_scheduler_has_a_few_tasks_at_once(client, monkeypatch):
    held, most, submit = 0, 0, client.submit

    def counted(*args, **told):
        nonlocal held, most
        held += 1
        most = max(most, held)
        return submit(*args, **told)

    def taken(number, result):
        nonlocal held
        held -= 1

    monkeypatch.setattr(client, "submit", counted)
    Cluster(client).run(work, None, range(60), workers=2, tell=ignore, taken=taken)

    assert 1 < most <= 4


def test_ctrl_c_keeps_what_there_is(client):
    def tell(n):
        if n >= 5:
            raise KeyboardInterrupt

    done = Cluster(client).run(work, None, range(500), workers=2, tell=tell)

    assert done.interrupted
    assert 5 <= len(done.results) < 500


def test_the_end_of_the_scheduler_is_no_failure_of_tasks():
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as workers, Client(workers) as client:

        def tell(n):
            if n >= 3 and client.status == "running":
                workers.close()

        with pytest.raises(InputError, match="scheduler is gone"):
            Cluster(client).run(work, None, range(100), workers=1, tell=tell)


def test_labels_come_from_workers_one_of_which_is_killed(client, tmp_path):
    (tmp_path / "water.xyz").write_text(XYZ)
    (tmp_path / "LABEL.toml").write_text(LABEL)
    (victim, *_) = client.run(os.getpid).values()
    address = client.scheduler.address

    words = ["label", str(tmp_path / "LABEL.toml"), "--scheduler", address, "--json"]
    signal.signal(signal.SIGALRM, lambda *_: os.kill(victim, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    found = CliRunner().invoke(app, words)

    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["new"] == 301
    keys = [record.key for record in read_records(tmp_path / "LABEL.h5")]
    assert len(keys) == len({*keys}) == 301


def test_an_address_without_a_scheduler_is_told(monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)

    for said in ("tcp://127.0.0.1:1", "nowhere"):
        with pytest.raises(InputError, match="no Dask scheduler answers"), cluster.cluster(said, 1):
            pass


def test_slurm_needs_to_be_told_what_a_job_is_given():
    with pytest.raises(InputError, match="slurm: state cores and memory of a job"), cluster.cluster("slurm", 1):
        pass


@pytest.mark.slow
def test_jobs_of_slurm_do_the_work(tmp_path, monkeypatch):
    # Stands for Slurm: keeps what it is given, which is removed as soon as it says so, and starts it at once.
    submit, cancel = tmp_path / "sbatch", tmp_path / "scancel"
    submit.write_text(
        f'#!/bin/sh\ncp "$1" {tmp_path}/job\nsh {tmp_path}/job >/dev/null 2>&1 &\necho "Submitted batch job 7"\n'
    )
    cancel.write_text("#!/bin/sh\n")
    for program in (submit, cancel):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    given = {"jobqueue.slurm.cores": 1, "jobqueue.slurm.memory": "1GB"}
    # Without workers it would wait for ever.
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(240)

    with configured(given), cluster.cluster("slurm", 1) as workers:
        done = workers.run(work, None, range(5), workers=1, tell=ignore)

    signal.alarm(0)
    assert not done.interrupted
    assert done.results == {k: k for k in range(5)}
