"""Real files with lines deleted, cut off or changed end in a result or in an error that a user is meant to read."""

import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from forgefield.errors import ForgeFieldError, InputWarning
from forgefield.io.molecules import read_structures
from forgefield.io.qm.gaussian.fchk import read_fchk
from forgefield.io.qm.gaussian.log import read_gaussian_log
from forgefield.io.qm.jaguar import read_jaguar_input, read_jaguar_output
from forgefield.io.qm.numpy_hessian import read_energy_text, read_frequencies_text, read_numpy_hessian
from forgefield.io.qm.qcschema import read_qcschema, write_qcschema
from forgefield.io.qm.torsion_drive import read_torsion_drive
from forgefield.io.references import read_reference
from forgefield.io.structures.xyz import read_xyz

SCAN = Path(__file__).parents[2] / "examples" / "butane" / "scan.json"
JAGUAR = "rh-enamide/jaguar/1ZDMPfromJCTCSI_loner1"
EXTENDED = """2
Properties=species:S:1:pos:R:3:forces:R:3 energy=-2.0 charge=1 pbc="F F F"
H 0.0 0.0 0.0 0.5 0.0 0.0
F 0.0 0.0 0.9 -0.5 0.0 0.0
"""
FILES = {
    "ethane/TS.fchk": read_fchk,
    "ethane/TS.log": read_gaussian_log,
    "ethane/GS.log": read_gaussian_log,
    f"{JAGUAR}.01.in": read_jaguar_input,
    f"{JAGUAR}.out": read_jaguar_output,
    "sn2/sn2-ts-optimized.xyz": read_xyz,
    "sn2/sn2-ts-hessian.npy": read_numpy_hessian,
    "sn2/sn2-ts-frequencies.txt": read_frequencies_text,
    "sn2/sn2-ts-energy.txt": read_energy_text,
    "written.json": read_qcschema,
    "scan.json": read_torsion_drive,
    "written.extxyz": read_xyz,
}
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["delete line", "delete lines", "truncate", "replace", "replace", "insert"]),
        st.floats(0.0, 1.0, exclude_max=True),
        st.sampled_from([b"*", b"9", b"-", b"\n", b" ", b"E", b"nan", b"\xff", b"\\", b"&", b",", b"e99", b"999999"]),
    ),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, mutations) -> bytes:
    for kind, where, piece in mutations:
        at = int(where * len(content))
        line_end = content.find(b"\n", at) + 1 or len(content)
        match kind:
            case "delete line":
                content = content[: content.rfind(b"\n", 0, at) + 1] + content[line_end:]
            case "delete lines":
                content = content[:at] + content[line_end + 500 :]
            case "truncate":
                content = content[:at]
            case "replace":
                content = content[:at] + piece + content[at + len(piece) :]
            case "insert":
                content = content[:at] + piece + content[at:]
    return content


@pytest.fixture(params=FILES)
def damaged(request, data, tmp_path):
    """A reader and a path beside which the original lies."""
    name = request.param
    original = tmp_path / "original"
    if name == "written.json":
        (reference,) = read_reference([data / "ethane/TS.log"])
        (molecule,) = read_structures(data / "ethane/TS.log")
        write_qcschema(original, molecule, reference)
    elif name == "scan.json":
        shutil.copy(SCAN, original)
    elif name == "written.extxyz":
        original.write_text(EXTENDED)
    else:
        shutil.copy(data / name, original)
    return FILES[name], original, tmp_path / name.rsplit("/", 1)[-1]


def outcome(use, path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            use(path)
    except ForgeFieldError as error:
        return str(error)
    return f"{path} is read"


def ends_well(damaged, mutations) -> None:
    read, original, path = damaged
    path.write_bytes(mutated(original.read_bytes(), mutations))

    assert str(path) in outcome(read, path)
    assert str(path) in outcome(lambda path: read_reference([path]), path)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@example([("truncate", 0.0, b"")])
@given(MUTATIONS)
def test_damaged_file_ends_in_a_result_or_a_clear_error(damaged, mutations):
    ends_well(damaged, mutations)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MUTATIONS)
def test_damaged_file_ends_well_many_times(damaged, mutations):
    ends_well(damaged, mutations)
