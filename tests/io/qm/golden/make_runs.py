"""Makes the folders beside it: small jobs by xTB, Psi4, NWChem, MOPAC and PySCF, whose files the readers are tested on.

Run as `python make_runs.py [PROGRAM …]` with the programs of Debian 12 (`apt install xtb psi4 nwchem mopac`; for PySCF
with an interpreter that has it); a few minutes on one core. A file is kept under the name of its job and its own
suffix, compressed. `h2co` is the same geometry for all programs, and `h2co-hf` and `h2co-b3lyp` are the same method and
basis set, with Cartesian d functions.
"""

import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MOLECULES = {
    "water": (0, 1, "O 0 0 .117; H 0 .757 -.469; H 0 -.757 -.469"),
    "h2co": (0, 1, "C 0 0 -.5297; O 0 0 .6767; H 0 .936 -1.125; H 0 -.936 -1.125"),
    "mecn": (0, 1, "C 0 0 -1.18; C 0 0 .28; N 0 0 1.44; H 1.02 0 -1.55; H -.51 .883 -1.55; H -.51 -.883 -1.55"),
    "co2": (0, 1, "C 0 0 0; O 0 0 1.17; O 0 0 -1.17"),
    "n2": (0, 1, "N 0 0 .55; N 0 0 -.55"),
    "ch3": (0, 2, "C 0 0 0; H 1.08 0 0; H -.54 .9353 0; H -.54 -.9353 0"),
    "o2": (0, 3, "O 0 0 .6; O 0 0 -.6"),
    "nh4": (1, 1, "N 0 0 0; H .59 .59 .59; H -.59 -.59 .59; H -.59 .59 -.59; H .59 -.59 -.59"),
    "oh": (-1, 1, "O 0 0 0; H 0 0 .97"),
    "nh3": (0, 1, "N 0 0 0; H 1 0 0; H -.5 .866 0; H -.5 -.866 0"),
    "he2": (0, 1, "He 0 0 0; He 0 0 2.8"),
    "h2o2": (0, 1, "O 0 .73 -.05; O 0 -.73 -.05; H .8 .9 .4; H -.8 -.9 .4"),
}
"""Charge, multiplicity, and atoms with positions [Å]; ammonia is planar."""


def rows(name: str) -> list[str]:
    """Return the atoms of a molecule."""
    return [row.strip() for row in MOLECULES[name][2].split(";")]


# xTB: molecule, and options of the command line.
XTB = {
    "water-ohess": ("water", "--ohess"),
    "mecn-ohess": ("mecn", "--ohess"),
    "co2-ohess": ("co2", "--ohess"),
    "ch3-ohess": ("ch3", "--ohess"),
    "nh4-ohess": ("nh4", "--ohess"),
    "oh-ohess": ("oh", "--ohess"),
    "nh3-planar-hess": ("nh3", "--hess"),
    "h2co-gradient": ("h2co", "--grad"),
    "h2co-alpb-hess": ("h2co", "--hess --alpb water"),
    "h2co-gfn1-opt": ("h2co", "--gfn 1 --opt"),
    "h2co-single": ("h2co", ""),
    "mecn-unconverged": ("mecn", "--opt extreme --cycles 1"),
    "h2o2-scan": ("h2o2", "--opt --input scan.inp"),
}
XTB_FILES = (
    *("in.xyz", "xtb.out", "xtbopt.xyz", "xtbscan.log", "hessian", "g98.out", "vibspectrum", "xtbout.json", "charges"),
    "gradient",
)
XTB_SCAN = "$constrain\n force constant=5\n dihedral: 3,1,2,4,auto\n$scan\n 1: 60,180,5\n$end\n"


def xtb(job: str, folder: Path) -> dict[str, Path]:
    """Run one job of xTB."""
    name, options = XTB[job]
    charge, multiplicity, _ = MOLECULES[name]
    (folder / "in.xyz").write_text("\n".join([str(len(rows(name))), name, *rows(name), ""]))
    (folder / "scan.inp").write_text(XTB_SCAN)
    command = f"xtb in.xyz --chrg {charge} --uhf {multiplicity - 1} --json {options}"
    run(command, folder, "xtb.out")
    return {file: folder / file for file in XTB_FILES} | {"engrad": folder / "in.engrad"}


# Psi4: molecule, settings, and what is computed.
PSI4 = {
    "water-opt-freq": ("water", "basis sto-3g", "optimize('scf')\nfrequency('scf')"),
    "mecn-opt": ("mecn", "basis sto-3g", "optimize('scf')"),
    "co2-opt-freq": ("co2", "basis sto-3g", "optimize('scf')\nfrequency('scf')"),
    "n2-opt-freq-mp2": ("n2", "basis sto-3g", "optimize('mp2')\nfrequency('mp2')"),
    "ch3-opt-freq-uhf": ("ch3", "basis sto-3g\n reference uhf", "optimize('scf')\nfrequency('scf', dertype=1)"),
    "o2-opt-uks": ("o2", "basis sto-3g\n reference uks", "optimize('pbe')"),
    "nh4-opt-freq": ("nh4", "basis sto-3g", "optimize('scf')\nfrequency('scf')"),
    "oh-gradient": ("oh", "basis 6-31g", "gradient('scf')"),
    "nh3-planar-freq": ("nh3", "basis sto-3g", "optimize('scf')\nfrequency('scf')"),
    "h2co-hf": ("h2co", "basis 6-31g*\n scf_type pk", "gradient('scf')\nfrequency('scf')"),
    "h2co-b3lyp": (
        "h2co",
        "basis 6-31g*\n scf_type pk\n dft_spherical_points 590\n dft_radial_points 99",
        "gradient('b3lyp')\nfrequency('b3lyp')",
    ),
    "h2co-ccsd-t": ("h2co", "basis sto-3g", "energy('ccsd(t)')"),
    "h2co-unconverged": ("h2co", "basis sto-3g\n geom_maxiter 2", "optimize('scf')"),
    "he2-ghost": (
        "he2",
        "basis sto-3g",
        "energy('scf')\nmolecule ghost {\nGh(He) 0 0 0\nHe 0 0 3\n}\nenergy('scf')",
    ),
    "h2o2-scan": (
        "h2o2",
        "basis sto-3g\n scf_type pk",
        "for angle in (90, 120, 180):\n"
        "    core.set_local_option('OPTKING', 'FIXED_DIHEDRAL', '3 1 2 4 ' + str(angle))\n"
        "    optimize('scf')",
    ),
}


def psi4(job: str, folder: Path) -> dict[str, Path]:
    """Run one job of Psi4."""
    name, settings, calls = PSI4[job]
    charge, multiplicity, _ = MOLECULES[name]
    frame = {"h2co": ["no_reorient", "no_com", "symmetry c1"], "h2o2": ["symmetry c1"]}
    molecule = "\n".join([f"{charge} {multiplicity}", *rows(name), *frame.get(name, [])])
    options = "e_convergence 10\n d_convergence 9\n hessian_write true\n normal_modes_write true"
    text = f"memory 600 mb\nmolecule {name} {{\n{molecule}\n}}\nset {{\n {settings}\n {options}\n}}\n{calls}\n"
    (folder / "job.in").write_text(text)
    run("psi4 -n 1 job.in job.out", folder, "log")
    return {"out": folder / "job.out", "hess": next(folder.glob("*.hess"), folder / "none")}


# NWChem: molecule, basis, and tasks with their settings.
NWCHEM = {
    "water-opt-freq": ("water", "sto-3g", "task scf optimize\ntask scf freq"),
    "mecn-opt-freq": ("mecn", "sto-3g", "task scf optimize\ntask scf freq"),
    "co2-opt-freq": ("co2", "sto-3g", "task scf optimize\ntask scf freq"),
    "n2-mp2-gradient": ("n2", "sto-3g", "task mp2 gradient"),
    "ch3-uhf-opt-freq": ("ch3", "sto-3g", "scf\n doublet\n uhf\nend\ntask scf optimize\ntask scf freq"),
    "o2-opt-freq": ("o2", "sto-3g", "dft\n xc pbe0\n mult 3\nend\ntask dft optimize\ntask dft freq"),
    "nh4-opt": ("nh4", "sto-3g", "task scf optimize"),
    "oh-opt-freq": ("oh", "6-31g", "task scf optimize\ntask scf freq"),
    "nh3-planar-saddle": ("nh3", "sto-3g", "task scf optimize\ntask scf freq"),
    "h2co-hf": ("h2co", "6-31g*", "scf\n thresh 1e-8\nend\ntask scf gradient\ntask scf freq"),
    "h2co-b3lyp": (
        "h2co",
        "6-31g*",
        "dft\n xc b3lyp\n grid xfine\n tolerances tight\n convergence energy 1e-9 density 1e-8\nend\n"
        "task dft gradient\ntask dft freq",
    ),
    "h2co-ccsd-t": ("h2co", "sto-3g", "task ccsd(t) energy"),
    "h2co-unconverged": ("h2co", "sto-3g", "driver\n maxiter 1\nend\ntask scf optimize"),
    "water-two-geometries": (
        "water",
        "sto-3g",
        "geometry bent units angstrom noautosym noautoz nocenter\n O 0 0 .1\n H 0 .8 -.4\n H 0 -.8 -.4\nend\n"
        "set geometry bent\ntask scf gradient\nunset geometry\ntask scf gradient",
    ),
}


def nwchem(job: str, folder: Path) -> dict[str, Path]:
    """Run one job of NWChem."""
    name, basis, tasks = NWCHEM[job]
    symmetry = "noautosym" if job != "mecn-opt-freq" else ""
    geometry = f"geometry units angstrom {symmetry} noautoz nocenter\n" + "\n".join(rows(name)) + "\nend\n"
    head = f"start job\nmemory total 600 mb\ncharge {MOLECULES[name][0]}\n"
    (folder / "job.nw").write_text(f"{head}{geometry}basis cartesian\n * library {basis}\nend\n{tasks}\n")
    run("nwchem job.nw", folder, "job.out")
    return {"out": folder / "job.out", "hess": folder / "job.hess"}


# MOPAC: molecule, and keywords of its jobs.
MOPAC = {
    "water-opt-force": ("water", ("PM7 PRECISE", "PM7 OLDGEO FORCE PRECISE")),
    "mecn-force": ("mecn", ("PM7 PRECISE GNORM=0.01", "PM7 OLDGEO FORCE PRECISE")),
    "co2-force": ("co2", ("PM6 PRECISE", "PM6 OLDGEO FORCE PRECISE")),
    "ch3-uhf-force": ("ch3", ("PM7 UHF DOUBLET PRECISE", "PM7 UHF DOUBLET OLDGEO FORCE PRECISE")),
    "o2-triplet-opt": ("o2", ("PM7 UHF TRIPLET PRECISE",)),
    "nh4-force": ("nh4", ("PM7 CHARGE=1 PRECISE", "PM7 CHARGE=1 OLDGEO FORCE PRECISE")),
    "oh-opt": ("oh", ("AM1 CHARGE=-1 PRECISE",)),
    "nh3-planar-force": ("nh3", ("PM7 FORCE PRECISE LET",)),
    "h2co-gradients": ("h2co", ("PM7 1SCF GRADIENTS PRECISE",)),
    "h2co-unconverged": ("h2co", ("PM7 CYCLES=1 PRECISE",)),
}


def mopac(job: str, folder: Path) -> dict[str, Path]:
    """Run one job of MOPAC."""
    name, jobs = MOPAC[job]
    lines = [" 1 ".join(row.split()).replace(" 1 ", " ", 1) + " 1" for row in rows(name)]
    first = [f"{jobs[0]} AUX(PRECISION=9)", job, "", *lines, ""]
    later = [line for keywords in jobs[1:] for line in (f"{keywords} AUX(PRECISION=9)", job, "", "")]
    (folder / "job.mop").write_text("\n".join([*first, *later]))
    run("mopac job.mop", folder, "log")
    return {suffix: folder / f"job.{suffix}" for suffix in ("aux", "out")}


PYSCF = {"h2co-hf": "hf", "h2co-b3lyp": "b3lyp"}


def pyscf(job: str, folder: Path) -> dict[str, Path]:
    """Compute the Hessian of formaldehyde by PySCF, whose files are those of ForgeField's own engine."""
    (folder / "in.xyz").write_text("\n".join(["4", "", *rows("h2co"), ""]))
    run(
        f"{sys.executable} -m forgefield reference in.xyz --method {PYSCF[job]} --basis 6-31g* -o out.json",
        folder,
        "log",
    )
    return {"json": folder / "out.json"}


def run(command: str, folder: Path, output: str) -> None:
    """Run a program, which may fail, with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_STACKSIZE": "500m"}
    with (folder / output).open("w") as file:
        subprocess.run(command.split(), cwd=folder, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)


PROGRAMS = {
    "xtb": (XTB, xtb),
    "psi4": (PSI4, psi4),
    "nwchem": (NWCHEM, nwchem),
    "mopac": (MOPAC, mopac),
    "pyscf": (PYSCF, pyscf),
}


def main(names: list[str]) -> None:
    for program in names or PROGRAMS:
        jobs, perform = PROGRAMS[program]
        for job in jobs:
            with tempfile.TemporaryDirectory() as scratch:
                for suffix, path in perform(job, Path(scratch)).items():
                    if path.is_file() and path.stat().st_size:
                        keep(path, HERE / program / f"{job}.{suffix}.gz")


def keep(path: Path, at: Path) -> None:
    """Keep a compressed file, which is the same whenever it is made."""
    at.parent.mkdir(exist_ok=True)
    at.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
