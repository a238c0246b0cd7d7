"""Files of QM programs other than Gaussian and Jaguar: real ones, small runs, and those in a documented layout."""

import gzip
import runpy
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_case import DATA, Case, copied

from forgefield.io.molecules import read_structures
from forgefield.io.references import read_reference
from forgefield.io.structures.sdf import write_sdf

TESTS = Path(__file__).parents[1] / "tests"
RUNS = TESTS / "io" / "qm" / "golden"
_XTB = "programs/qm/xtb"
_PSI4 = "programs/qm/psi4"
_NWCHEM = "programs/qm/nwchem"
_GAUSSIAN_INPUT = "%chk=a.chk\n#p b3lyp/6-31g* opt\n\nformaldehyde\n\n0 1\nC 0.0 0.0 -0.53\nO 0.0 0.0 0.68\n"
_GAUSSIAN_INPUT += "H 0.0 0.94 -1.12\nH 0.0 -0.94 -1.12\n\n"
_HYDROGEN = r""" Entering Gaussian System, Link 0=g16
 1\1\HOST\SP\RHF\STO-3G\H2\ME\01-Jan-2020\0\\#P RHF/STO-3G\\t\\0,1
 \H,0.,0.,0.\H,0.,0.,0.74\\Version=ES64L\HF=-1.117\\@
 Normal termination of Gaussian 16.
"""
_GRADIENT = """$grad          cartesian gradients
  cycle =      1    SCF energy =     -108.5000000000   |dE/dxyz| =  0.014142
    0.00000000000000      0.00000000000000      0.00000000000000      n
    0.00000000000000      0.00000000000000      2.10000000000000      n
   .00000000000000D+00   .00000000000000D+00  -.10000000000000D-01
   .00000000000000D+00   .00000000000000D+00   .10000000000000D-01
$end
"""


def programs(*files: str, beside: Sequence[str] = ()) -> Callable[[Path], Case]:
    """Files of the data, alone or with others beside them."""

    def build(folder: Path) -> Case:
        geometry = copied(folder, [DATA / name for name in beside])
        return Case(copied(folder, [DATA / name for name in files]), lambda path: read_reference([*geometry, path]))

    return build


def runs(*files: str, beside: Sequence[str] = ()) -> Callable[[Path], Case]:
    """The same of small runs, which are kept compressed."""

    def unpacked(folder: Path, name: str) -> Path:
        path = folder / Path(name).name
        path.write_bytes(gzip.decompress((RUNS / f"{name}.gz").read_bytes()))
        return path

    def build(folder: Path) -> Case:
        geometry = [unpacked(folder, name) for name in beside]
        return Case([unpacked(folder, name) for name in files], lambda path: read_reference([*geometry, path]))

    return build


def _tested(module: str) -> dict[str, Any]:
    """Return what a test module defines."""
    sys.path.insert(0, str(TESTS))
    found = runpy.run_path(str(TESTS / "io" / "qm" / module))
    sys.path.remove(str(TESTS))
    return found


def documented(
    module: str, names: Mapping[str, str], *, beside: str = "", kind: str = "text"
) -> Callable[[Path], Case]:
    """Texts of a test module, under the names that their programs give them."""

    def build(folder: Path) -> Case:
        texts = _tested(module)
        for name, text in names.items():
            (folder / name).write_text(texts[text].replace("{0}", "0.707107"))
        geometry = [folder / beside] if beside else []
        files = [folder / name for name in names if name != beside]
        return Case(files, lambda path: read_reference([*geometry, path]), kind)

    return build


def _ams(folder: Path) -> Case:
    made = _tested("test_layouts.py")
    (folder / "adf.rkf").write_bytes(made["kf_file"](made["RESULTS"], integer="i", order="<"))
    return Case([folder / "adf.rkf"], lambda path: read_reference([path]), "binary")


def _drawn(folder: Path) -> Case:
    """A drawn molecule in the formats of chemists."""
    molecules = read_structures(Path("smiles:CC(=O)Nc1ccc(O)cc1 paracetamol"))
    (folder / "drawn.smi").write_text("CC(=O)Nc1ccc(O)cc1 paracetamol\n")
    write_sdf(folder / "drawn.sdf", molecules)
    rows = [
        f"HETATM{k:5d}  {element:<3} MOL     1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element:>2}0+"
        for k, (element, (x, y, z)) in enumerate(
            zip(molecules[0].symbols, molecules[0].positions, strict=True), start=1
        )
    ]
    (folder / "drawn.pdb").write_text("\n".join([*rows, "END", ""]))
    return Case([folder / f"drawn.{suffix}" for suffix in ("sdf", "pdb", "smi")], read_structures)


def _link1(folder: Path) -> Case:
    """Output of several jobs at geometries of their own."""
    text = (DATA / "ethane" / "GS.log").read_text()
    (folder / "jobs.log").write_text(_HYDROGEN + text)
    return Case([folder / "jobs.log"], lambda path: read_reference([path]))


def _gaussian_input(folder: Path) -> Case:
    (folder / "h2co.gjf").write_text(_GAUSSIAN_INPUT)
    return Case([folder / "h2co.gjf"], read_structures)


def _turbomole_gradient(folder: Path) -> Case:
    (folder / "gradient").write_text(_GRADIENT)
    return Case([folder / "gradient"], lambda path: read_reference([path]))


def _geometric_hessian(folder: Path) -> Case:
    (geometry,) = copied(folder, [DATA / "sn2" / "sn2-ts-optimized.xyz"])
    np.savetxt(folder / "hessian.txt", np.load(DATA / "sn2" / "sn2-ts-hessian.npy"))
    return Case([folder / "hessian.txt"], lambda path: read_reference([geometry, path]))


def _turbomole(folder: Path) -> Case:
    """A folder, of which one file at a time is damaged and read through the others."""
    shutil.copytree(DATA / "public-qm" / "turbomole59-dvb_ir", folder, dirs_exist_ok=True)
    return Case([folder / "control", folder / "aoforce.out"], lambda path: read_reference([path]))


BUILDERS: dict[str, Callable[[Path], Case]] = {
    "Gaussian input": _gaussian_input,
    "ORCA out": programs("public-qm/orca-ts.out"),
    "ORCA hess": programs("public-qm/orca-ts.hess"),
    "ORCA engrad, property.txt": documented(
        "test_orca_files.py", {"n2.engrad": "ENGRAD", "n2.property.txt": "PROPERTIES"}
    ),
    "xTB out": programs(f"{_XTB}/xtb.out"),
    "xTB g98.out": programs(f"{_XTB}/g98.out"),
    "xTB partial": programs(
        *(f"{_XTB}/{name}" for name in ("hessian", "vibspectrum", "charges", "xtbout.json")),
        beside=[f"{_XTB}/xtbopt.xyz"],
    ),
    "xTB hessian and output": programs(f"{_XTB}/hessian", beside=[f"{_XTB}/xtb.out"]),
    "xTB engrad, gradient": runs("xtb/h2co-gradient.engrad", "xtb/h2co-gradient.gradient"),
    "xTB frames": runs("xtb/h2o2-scan.xtbscan.log"),
    "Psi4 out": programs(f"{_PSI4}/h2co.out"),
    "Psi4 out of HF": runs("psi4/nh4-opt-freq.out", "psi4/oh-gradient.out"),
    "Psi4 scan": runs("psi4/h2o2-scan.out"),
    "Psi4 hess": programs(f"{_PSI4}/h2co.hess", beside=[f"{_PSI4}/h2co.out"]),
    "Molden": programs(f"{_PSI4}/h2co.molden_normal_modes"),
    "NWChem out": programs(f"{_NWCHEM}/h2co.out"),
    "NWChem out of HF and MP2": runs("nwchem/water-opt-freq.out", "nwchem/n2-mp2-gradient.out"),
    "NWChem hess": programs(f"{_NWCHEM}/h2co.hess", beside=[f"{_NWCHEM}/h2co.out"]),
    "Q-Chem out": programs("public-qm/qchem51-dvb_ir.out"),
    "Turbomole": _turbomole,
    "Turbomole coord, gradient": programs("public-qm/turbomole59-dvb_ir/coord"),
    "Turbomole gradient": _turbomole_gradient,
    "GAMESS out": programs("public-qm/gamess-us2018-dvb_ir.out"),
    "GAMESS dat": programs("public-qm/gamess-us2018-dvb_ir.dat", beside=["public-qm/gamess-us2018-dvb_ir.out"]),
    "Molpro out": programs("public-qm/molpro2018-dvb_ir.out"),
    "MOPAC out": runs("mopac/water-opt-force.out", "mopac/ch3-uhf-force.out"),
    "DALTON out": programs("public-qm/dalton2015-dvb_ir.out"),
    "Molcas out": programs("public-qm/openmolcas18-dvb_ir.out"),
    "CFOUR out": programs("public-qm/cfour21-dvb_ir.c4"),
    "CFOUR FCMFINAL": documented("test_layouts.py", {"GRD": "GRD", "FCMFINAL": "FORCES"}, beside="GRD"),
    "CFOUR GRD": documented("test_layouts.py", {"GRD": "GRD"}),
    "CP2K, FHI-aims, AMS, Molpro XML": documented(
        "test_layouts.py", {"cp2k.out": "CP2K", "aims.out": "AIMS", "ams.out": "AMS", "molpro.xml": "XML"}
    ),
    "ADF point, CFOUR 1": documented("test_layouts.py", {"adf.out": "ADF_POINT", "cfour1.out": "CFOUR_OLD"}),
    "ORCA 4 and 5 property.txt": documented(
        "test_orca_files.py", {"n2_property.txt": "OLD", "n2.property.txt": "OLDER"}
    ),
    "ORCA property.json": documented("test_layouts.py", {"n2.property.json": "ORCA"}, kind="json"),
    "AMS rkf": _ams,
    "SDF, PDB, SMILES": _drawn,
    "Gaussian log of several jobs": _link1,
    "MOPAC aux": programs("public-qm/mopac-h2o-force.aux", "programs/qm/mopac/opt.aux"),
    "ADF out": programs("public-qm/adf2013-dvb_ir.adfout"),
    "TeraChem out": documented("test_geometric.py", {"tera.out": "TERACHEM"}),
    "ForceBalance": documented("test_geometric.py", {"scan.xyz": "XYZ", "qdata.txt": "QDATA", "vdata.txt": "VDATA"}),
    "geomeTRIC hessian": _geometric_hessian,
}
