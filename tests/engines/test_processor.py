from pathlib import Path

import pytest

from forgefield.engines.native import processor
from forgefield.engines.native.processor import c_library, instructions, machine, processor_name, vector_bits

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("told", "name", "bits"),
    [
        ({"model name": "Some Xeon", "flags": "fpu sse2 avx avx2 avx512f"}, "Some Xeon", 512),
        ({"model name": "Some EPYC", "flags": "fpu sse2 avx avx2"}, "Some EPYC", 256),
        ({"model name": "Some Atom", "flags": "fpu sse2 sse4_2"}, "Some Atom", 128),
        ({"CPU implementer": "0x41", "CPU part": "0xd0c", "Features": "fp asimd"}, "aarch64 0x41 0xd0c", 128),
    ],
)
def test_a_processor_is_known_by_what_the_system_says(told, name, bits, monkeypatch):
    monkeypatch.setattr(processor, "_described", lambda: told)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")

    assert (processor_name(), vector_bits()) == (name, bits)


def test_the_c_library_and_its_version_are_known(monkeypatch):
    c_library.cache_clear()
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    first = c_library()
    c_library.cache_clear()
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    other = c_library()
    c_library.cache_clear()

    assert first == "glibc 2.36"
    assert other
    assert other != first


def test_this_machine_has_a_name():
    found = machine()

    assert found["processor"]
    assert instructions() is not None
    assert found["vector_bits"] in {128, 256, 512}


@pytest.mark.parametrize("name", ["ch3f", "dynamics", "geometry", "molecules", "painn", "rh_enamide"])
def test_benchmarks_name_the_processor_beside_their_figures(name):
    assert "machine()" in (BENCHMARKS / f"{name}.py").read_text()
