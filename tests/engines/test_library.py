import os
import stat
from functools import cache

import pytest

from forgefield.engines.native import library
from forgefield.engines.native.library import PAINN, KernelError, compiled, load, register

FLAWS = {"empty": b"", "truncated": None, "wrong": b"\x7fELF" + bytes(4000)}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A cache of its own for each test, and nothing remembered from before."""
    monkeypatch.setenv("FORGEFIELD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FORGEFIELD_CXXFLAGS", raising=False)
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    (tmp_path / "painn.cc").write_text('extern "C" void ForgeFieldPainn() {}\n')
    # JAX takes a library once in a process: the one that others have registered stays remembered.
    monkeypatch.setattr(library, "_loaded", cache(library._loaded.__wrapped__))
    return tmp_path / "cache"


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """A compiler that counts how often it links, in a file; what it makes holds the text of the source."""
    path = tmp_path / "compiler"
    path.write_text(
        "#!/bin/sh\n"
        'for word; do if [ "$word" = --version ]; then echo "compiler 1.0"; exit; fi; done\n'
        'case "$*" in *-shared*) echo linked >>"$0.log";; esac\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'echo library >"$2"\n'
    )
    path.chmod(0o700)
    monkeypatch.setenv("CXX", str(path))
    return path


def times(compiler):
    log = compiler.with_name("compiler.log")
    return log.read_text().count("linked") if log.exists() else 0


def test_a_library_is_compiled_once_and_stands_beside_its_checksum(compiler, root):
    made = compiled(PAINN)

    assert compiled(PAINN) == made
    assert times(compiler) == 1
    assert made.with_name(f"{made.name}.sha256").read_text().split()[1] == made.name
    assert stat.S_IMODE((root / "native").stat().st_mode) == 0o700


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_library_that_is_not_what_was_compiled_is_compiled_anew(flaw, compiler):
    made = compiled(PAINN)
    whole = made.read_bytes()
    made.write_bytes(whole[:3] if FLAWS[flaw] is None else FLAWS[flaw])

    assert compiled(PAINN).read_bytes() == whole
    assert times(compiler) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda patch, _: patch.setattr(library, "c_library", lambda: "glibc 1.0"),
        lambda patch, _: patch.setattr(library, "instructions", lambda: "sse2"),
        lambda patch, _: patch.setenv("FORGEFIELD_CXXFLAGS", "-mno-avx512f"),
        lambda _, compiler: compiler.write_text(compiler.read_text().replace("1.0", "2.0")),
        lambda *_: (library.FOLDER / "painn.cc").write_text("other"),
    ],
    ids=["C library", "instructions", "options", "compiler", "source"],
)
def test_another_machine_or_compiler_has_another_library(change, compiler, monkeypatch):
    made = compiled(PAINN)

    change(monkeypatch, compiler)

    assert compiled(PAINN) != made
    assert times(compiler) == 2


def test_without_compiler_a_library_of_another_one_will_do(compiler, monkeypatch):
    made = compiled(PAINN)
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")

    assert compiled(PAINN) == made

    made.write_bytes(b"")
    with pytest.raises(KernelError, match=r"no C\+\+ compiler"):
        compiled(PAINN)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 1", "does not compile the kernel: exit code 1"),
        ("echo what is this >&2; exit 1", "does not compile the kernel: what is this"),
        ("exit 0", "cannot be kept"),
    ],
)
def test_a_broken_compiler_is_told(script, message, compiler):
    compiler.write_text(f"#!/bin/sh\n{script}\n")

    with pytest.raises(KernelError, match=message):
        compiled(PAINN)


def test_a_compiler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O3")

    with pytest.raises(KernelError, match=r"CXX names \(no-such-compiler\) is not installed"):
        compiled(PAINN)


def test_a_compiler_may_have_options(compiler, monkeypatch):
    monkeypatch.setenv("CXX", f"{compiler} --option")

    assert compiled(PAINN).read_text() == "library\n"


def test_nothing_is_compiled_into_a_cache_that_others_may_write_to(compiler, root):
    compiled(PAINN)
    (root / "native").chmod(0o777)

    with pytest.raises(KernelError, match="others may write to"):
        compiled(PAINN)


def test_a_cache_that_cannot_be_written_to_serves_what_it_has(compiler, monkeypatch):
    made = compiled(PAINN)
    monkeypatch.setattr("os.access", lambda _, how: not how & os.W_OK)

    assert compiled(PAINN) == made

    made.unlink()
    with pytest.raises(KernelError, match="has no kernel for this machine and may not be written to"):
        compiled(PAINN)


def test_what_cannot_be_loaded_is_told_and_tried_once(compiler):
    for _ in range(2):
        with pytest.raises(KernelError, match="the kernel cannot be loaded"):
            register(PAINN)

    assert times(compiler) == 1


def test_a_library_without_the_kernel_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())

    with pytest.raises(KernelError, match="the kernel cannot be loaded"):
        load(tmp_path / "painn.so", PAINN)
