"""Files are written whole or not at all, never over inputs, and by one process at a time."""

import os
import resource
import signal
import subprocess
import sys
import textwrap

import pytest

from forgefield.errors import InputError, WriteError
from forgefield.io.outputs import new_outputs, owned, require_free, write_bytes, write_text

OWNER = """
import sys, time
from pathlib import Path
from forgefield.io.outputs import owned
with owned(Path(sys.argv[1])):
    print("owned", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def another_process():
    """Starts a process that owns an output until it is killed."""
    started = []

    def own(path):
        words = [sys.executable, "-c", textwrap.dedent(OWNER), str(path)]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)))
        assert started[-1].stdout.readline() == "owned\n"
        return started[-1]

    yield own
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def no_room():
    """Lets no file grow beyond a hundred bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_mode_is_what_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "made.txt", "text")
    finally:
        os.umask(before)

    assert (tmp_path / "made.txt").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, no_room):
    path = tmp_path / "made.txt"
    write_text(path, "old")

    with pytest.raises(WriteError, match=r"made\.txt: cannot be written \(File too large\)"):
        write_text(path, "new" * 1000)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_to_what_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "file.txt")

    write_text(tmp_path / "link.txt", "text")

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real" / "file.txt").read_text() == "text"


def test_a_device_is_written_to_and_stays_one(tmp_path):
    device = tmp_path / "pipe"
    os.mkfifo(device)
    reader = os.open(device, os.O_RDONLY | os.O_NONBLOCK)

    with new_outputs([device], []):
        write_bytes(device, b"text")

    assert os.read(reader, 10) == b"text"
    assert list(tmp_path.iterdir()) == [device]
    os.close(reader)


def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".txt")

    with new_outputs([path], []):
        write_text(path, "text")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["same", "link", "hard link"])
def test_an_input_is_never_an_output_whatever_its_name(tmp_path, name):
    (tmp_path / "same").write_text("input")
    (tmp_path / "link").symlink_to("same")
    (tmp_path / "hard link").hardlink_to(tmp_path / "same")

    with pytest.raises(InputError, match="would be written over, but is read too"):
        require_free([tmp_path / name], [tmp_path / ".." / tmp_path.name / "same"], overwrite=True)


def test_a_file_in_a_folder_that_is_read_is_no_output(tmp_path):
    (tmp_path / "forcefield.frcmod").write_text("input")

    with pytest.raises(InputError, match="is read too"):
        require_free([tmp_path / "forcefield.frcmod"], [tmp_path], overwrite=True)


def test_what_is_there_is_replaced_only_on_request(tmp_path):
    (tmp_path / "there").write_text("earlier")

    with pytest.raises(InputError, match=r"there: there already; name another output, or overwrite it \(--overwrite\)"):
        require_free([tmp_path / "there", tmp_path / "new"], [])
    require_free([tmp_path / "there"], [], overwrite=True)


def test_a_link_to_nothing_is_there_too(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")

    with pytest.raises(InputError, match="link: there already"):
        require_free([tmp_path / "link"], [])


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_two_processes_do_not_write_the_same_output(tmp_path, another_process, kind):
    path = tmp_path / "out"
    if kind == "folder":
        path.mkdir()
    other = another_process(path)

    with pytest.raises(InputError, match=rf"out: process {other.pid} on .* is writing there"), owned(path):
        pass


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path, another_process, kind):
    path = tmp_path / "out"
    if kind == "folder":
        path.mkdir()
    other = another_process(path)
    other.kill()
    other.wait()

    with owned(path):
        pass

    assert [file.name for file in tmp_path.rglob("*")] == ([] if kind == "file" else ["out"])


def test_links_to_an_output_are_that_output(tmp_path, another_process):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    another_process(tmp_path / "out")

    with pytest.raises(InputError, match="is writing there"), owned(tmp_path / "link"):
        pass


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from forgefield.io import outputs; "
        "os.fsync = lambda _: os.kill(os.getpid(), 9); outputs.write_text(Path(sys.argv[1]), 'text')"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "made.txt")], check=False)
    (tmp_path / ".someone's.new").write_text("not ours")
    assert len(list(tmp_path.iterdir())) == 2

    with owned(tmp_path / "other.txt"):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [".someone's.new"]


def test_what_another_process_is_writing_is_not_removed(tmp_path, monkeypatch):
    seen = []

    def others(descriptor):
        with owned(tmp_path / "other.txt"):
            seen.extend(path.name for path in tmp_path.iterdir() if path.suffix == ".new")

    monkeypatch.setattr(os, "fsync", others)
    write_text(tmp_path / "made.txt", "text")

    assert len(seen) == 1
    assert (tmp_path / "made.txt").read_text() == "text"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(WriteError, match=r"nowhere/out: cannot be written \(No such file or directory\)"),
        owned(tmp_path / "nowhere/out"),
    ):
        pass
