"""What MacroModel itself makes of published force fields: Hessians of cisplatin, minima of Rh-BINAP conformers."""

import re
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from published_systems import DATA

from forgefield import units
from forgefield.io.structures.mae import stated_energy
from forgefield.jobs.evaluate import evaluate, forces_of, modes
from forgefield.jobs.fit.fit_job import plain
from forgefield.properties.modes import signed_frequencies

CISPLATIN = {
    "fuerza, start": ("cisplatin_fuerza.fld", "eig_start.txt"),
    "fuerza, end": ("mm3.eig.fld", "score.eig.txt"),
    "gamma, start": ("cisplatin_gamma_fuerza.fld", "eig_gamma.txt"),
    "gamma, end": ("mm3.gamma.grad.fld", "score.gamma.grad.txt"),
}
"""Force fields of Farrugia et al. 2025, each with what MacroModel makes of it."""
CONFORMERS = (
    "rh-hydrogenation-enamides_binap_s1_5s_cs.mae.gz",
    "rh-hydrogenation-enamides_binap-b_s1_5s_cs.mae.gz",
)
_ELEMENT = re.compile(r"_(\d+)-(\d+)\s+\S+\s+(\S+)\s+(\S+)")
"""Row, column, reference and computed value of an element of the Hessian in the modes of the reference."""
_RMS_GRADIENT = "r_mmod_RMS_Derivative-MM3*"

Figures = dict[str, Any]


def cisplatin(_: Path) -> Figures:
    """Compare frequencies with those of MacroModel's own Hessians, and both force fields with the QM eigenvalues."""
    source, cpu, pairs = DATA / "cisplatin", process_time(), {}
    for name, (force_field, listing) in CISPLATIN.items():
        qm, theirs = spectra((source / listing).read_text(encoding="utf-8"))
        ours = modes(source / force_field, source / "cisplatin_opt_freq_m06.mae").frequencies
        off = ours - theirs
        pairs[name] = {
            "rms_cm1": rms(off),
            "max_cm1": float(np.abs(off).max()),
            "highest_cm1": float(theirs.max()),
            "qm_sorted_cm1": rms(ours - qm),
            "qm_sorted_macromodel_cm1": rms(theirs - qm),
        }
    return plain({"pairs": pairs, "cpu_s": process_time() - cpu})


def spectra(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted frequencies [cm⁻¹] of the reference and of the force field of a listing of Q2MM.

    It holds the lower triangles of both Hessians in the modes of the reference [kJ/mol/Å²/amu].
    """
    found = [(int(i) - 1, int(j) - 1, float(r), float(c)) for i, j, r, c in _ELEMENT.findall(text)]
    n = max(i for i, *_ in found) + 1
    matrices = np.zeros((2, n, n))
    for i, j, *both in found:
        matrices[:, i, j] = matrices[:, j, i] = both
    reference, model = np.linalg.eigvalsh(matrices) * units.KILOJOULE
    return signed_frequencies(reference), signed_frequencies(model)


def conformers(_: Path) -> Figures:
    """Compare gradients and relative energies at structures that MacroModel has minimised."""
    source, cpu, sets = DATA / "rh-binap-conformers", process_time(), {}
    for name in CONFORMERS:
        found = evaluate(source / "mm3.fld", [source / name])
        gradients = [rms(forces) / units.KILOJOULE for forces in forces_of(found)]
        stated = np.array([stated_energy(molecule) for molecule in found.molecules])
        ours = np.array([one["total"] for one in found.totals_kj_mol])
        relative = (ours - ours.mean()) - (stated - stated.mean())
        sets[name.partition("_s1")[0]] = {
            "structures": len(found.molecules),
            "atoms": found.molecules[0].n_atoms,
            "rms_gradient_lowest": min(gradients),
            "rms_gradient_highest": max(gradients),
            "macromodel_rms_gradient_highest": max(float(m.remarks[_RMS_GRADIENT]) for m in found.molecules),
            "spread_kj_mol": float(np.ptp(stated)),
            "relative_rms_kj_mol": rms(relative),
            "relative_max_kj_mol": float(np.abs(relative).max()),
            "total_max_kj_mol": float(np.abs(ours - stated).max()),
        }
    return plain({"sets": sets, "cpu_s": process_time() - cpu})


def rms(values: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.asarray(values) ** 2)))
