import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from forgefield import cache
from forgefield.cache import CacheError, Folder, folder, mended, place

PROGRAM = """
import jax
from forgefield.cli.process import configure
configure(verbose=False)
print(jax.jit(lambda x: 2.0 * x)(21.0))
"""
"""Compiles something as a command does."""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGEFIELD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def kept(root):
    """A folder with a library of three bytes in it."""
    found = folder("native")
    (root / "made").write_bytes(b"abc")
    found.keep(root / "made", "a.so")
    return found


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a path, and without the rights of root all others, belong to another user."""
    if os.getuid() == 0:
        os.chown(path, 12345, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(cache, "_user", lambda: os.getuid() + 1)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"FORGEFIELD_CACHE": "/a/b", "XDG_CACHE_HOME": "/c"}, "/a/b"),
        ({"FORGEFIELD_CACHE": "", "XDG_CACHE_HOME": "/c"}, "/c/forgefield"),
        ({"FORGEFIELD_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "{tmp}"}, "{tmp}/.cache/forgefield"),
        ({"FORGEFIELD_CACHE": "", "XDG_CACHE_HOME": "relative", "HOME": "{tmp}"}, "{tmp}/.cache/forgefield"),
        ({"FORGEFIELD_CACHE": "", "XDG_CACHE_HOME": "", "HOME": ""}, "{temporary}"),
        ({"FORGEFIELD_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "{tmp}/missing"}, "{temporary}"),
    ],
)
def test_the_place_follows_the_variables_that_are_set(variables, expected, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/t")
    known = {"tmp": tmp_path, "temporary": f"/t/forgefield-{os.getuid()}"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(**known))

    assert place() == Path(expected.format(**known))


def test_a_user_without_a_home_has_a_folder_beside_temporary_files(tmp_path, monkeypatch):
    def home():
        raise RuntimeError

    monkeypatch.delenv("FORGEFIELD_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert folder("xla").path == tmp_path / f"forgefield-{os.getuid()}" / "xla"


def test_folders_are_made_for_their_owner_alone(root):
    made = folder("xla")

    assert [mode(made.path), mode(root)] == [0o700, 0o700]
    assert made.writable


def test_folders_that_others_might_read_become_their_owners_alone(root):
    (root / "xla").mkdir(parents=True, mode=0o755)

    assert mode(folder("xla").path) == 0o700


@pytest.mark.parametrize(
    ("part", "bits"), [("native", 0o770), ("native", 0o1777), (".", 0o775), ("..", 0o777)], ids=str
)
def test_where_others_may_write_nothing_is_used(part, bits, root):
    path = folder("native").path
    (root / part).resolve().chmod(bits)

    with pytest.raises(CacheError, match=r"others may write to .* run chmod go-w|may write"):
        folder("native")
    assert path.is_dir()


def test_a_folder_of_ones_own_in_one_like_tmp_will_do(root):
    folder("native")
    root.parent.chmod(0o1777)

    assert folder("native").writable


@pytest.mark.parametrize("part", ["native", ".", ".."])
def test_what_belongs_to_another_user_is_not_used(part, root, monkeypatch):
    folder("native")
    give_away((root / part).resolve(), monkeypatch)

    with pytest.raises(CacheError, match=r"belongs to another user"):
        folder("native")


def test_a_link_of_another_user_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    give_away(tmp_path / "link", monkeypatch)
    monkeypatch.setenv("FORGEFIELD_CACHE", str(tmp_path / "link"))

    with pytest.raises(CacheError, match=r"belongs to another user"):
        folder("native")


def test_what_a_link_leads_through_is_looked_at_too(tmp_path, monkeypatch):
    (tmp_path / "open" / "mine").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open" / "mine")
    monkeypatch.setenv("FORGEFIELD_CACHE", str(tmp_path / "link"))

    with pytest.raises(CacheError, match=r"others may write to .*open"):
        folder("native")


def test_a_place_that_is_a_file_is_told(root):
    root.write_text("")

    with pytest.raises(CacheError, match=r"cannot be used .*FORGEFIELD_CACHE names another"):
        folder("native")


def test_what_is_kept_is_found_and_others_may_not_read_it(kept):
    assert kept.verified("a.so") == kept.path / "a.so"
    assert mode(kept.path / "a.so") == 0o600


@pytest.mark.parametrize("content", [b"", b"ab", b"abd"], ids=["empty", "truncated", "wrong"])
def test_a_file_of_another_checksum_is_not_found(content, kept):
    (kept.path / "a.so").write_bytes(content)

    assert kept.verified("a.so") is None


def test_a_file_without_checksum_is_not_found(kept):
    (kept.path / "a.so.sha256").unlink()

    assert kept.verified("a.so") is None


@pytest.mark.parametrize("name", ["a.so", "a.so.sha256"])
def test_a_file_of_another_user_is_not_found(name, kept, monkeypatch):
    give_away(kept.path / name, monkeypatch)

    assert kept.verified("a.so") is None


def test_a_file_that_others_may_write_to_or_a_link_is_not_found(kept):
    (kept.path / "a.so").chmod(0o666)
    assert kept.verified("a.so") is None

    (kept.path / "a.so").rename(kept.path / "b.so")
    (kept.path / "b.so").chmod(0o600)
    (kept.path / "a.so").symlink_to(kept.path / "b.so")
    assert kept.verified("a.so") is None


def test_damaged_programs_are_removed_and_whole_ones_read_once(root, monkeypatch):
    kept = folder("xla")
    whole = zlib.compress(b"program" * 100)
    for name, content in {"whole": whole, "cut": whole[:-5], "empty": b"", "wrong": b"wrong"}.items():
        (kept.path / f"{name}-cache").write_bytes(content)

    mended(kept)
    monkeypatch.setattr(cache, "_whole", lambda _: pytest.fail("read again"))

    assert [path.name for path in mended(kept).path.glob("*-cache")] == ["whole-cache"]


def test_a_program_that_is_cut_after_it_was_seen_whole_is_removed(root):
    kept = folder("xla")
    path = kept.path / "a-cache"
    path.write_bytes(zlib.compress(b"program" * 100))
    mended(kept)

    path.write_bytes(path.read_bytes()[:-5])

    assert not list(mended(kept).path.glob("*-cache"))


def test_a_program_of_another_user_is_removed(root, monkeypatch):
    kept = folder("xla")
    path = kept.path / "a-cache"
    path.write_bytes(zlib.compress(b"program"))
    give_away(path, monkeypatch)

    assert not list(mended(kept).path.glob("*-cache"))


def test_a_full_disk_costs_the_list_of_whole_programs_only(root, monkeypatch):
    kept = folder("xla")
    (kept.path / "a-cache").write_bytes(zlib.compress(b"program"))

    def write_text(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", write_text)

    assert [path.name for path in mended(kept).path.iterdir()] == ["a-cache"]


def test_a_damaged_program_that_cannot_be_removed_is_told(root, monkeypatch):
    kept = folder("xla")
    (kept.path / "a-cache").write_bytes(b"")

    def unlink(path):
        raise PermissionError(1, "read-only")

    monkeypatch.setattr("pathlib.Path.unlink", unlink)

    with pytest.raises(CacheError, match=r"a-cache is damaged or not yours and cannot be removed"):
        mended(Folder(kept.path, writable=False))


@pytest.mark.slow
def test_commands_compile_again_what_is_damaged_in_the_cache(root):
    def run():
        command = [sys.executable, "-W", "error", "-c", PROGRAM]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "42.0", "")

    run()
    entries = sorted((root / "xla").glob("*-cache"))
    sizes = [path.stat().st_size for path in entries]
    for k, path in enumerate(entries):
        path.write_bytes(path.read_bytes()[: [0, 10, -1][k % 3]])
    run()

    assert entries
    assert [path.stat().st_size for path in entries] == pytest.approx(sizes, abs=20)


@pytest.mark.slow
def test_commands_run_where_others_may_write_to_the_cache_and_say_so(root):
    folder("xla").path.chmod(0o777)

    done = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "42.0"
    assert done.stderr.count("\n") == 1
    assert "compiled anew each time: others may write to" in done.stderr
    assert not list((root / "xla").iterdir())
