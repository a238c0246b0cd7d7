"""Records of fits as the main job makes them, with everything that a report must cope with."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.report.record import FitRecord, Optimum, Parity

CH3F_QM = (1021.4, 1197.8, 1197.8, 1487.0, 1508.9, 1508.9, 3047.2, 3144.6, 3144.6)
SADDLE_QM = (5140.5, 208.3, 208.3, 312.6, 1004.1, 1004.1, 1204.0, 1423.3, 1423.3, 3210.5, 3412.7, 3412.7)
NO_METRICS = dict.fromkeys(
    (
        "frequency_rmsd_cm1",
        "frequency_rmsd_sorted_cm1",
        "eigenmatrix_r2",
        "eigenmatrix_rmsd_cm1",
        "force_max_kcal_mol_a",
        "mode_overlap_share",
        "reaction_mode_cm1",
        "bond_rmsd_a",
        "angle_rmsd_deg",
        "torsion_rmsd_deg",
        "energy_rmsd_kcal_mol",
    )
)
START = NO_METRICS | {
    "frequency_rmsd_cm1": 214.37,
    "frequency_rmsd_sorted_cm1": 187.02,
    "eigenmatrix_r2": 0.95213,
    "eigenmatrix_rmsd_cm1": 131.44,
    "force_max_kcal_mol_a": 18.731,
    "mode_overlap_share": 0.7143,
    "reaction_mode_cm1": 903.2,
}
FINAL = START | {
    "frequency_rmsd_cm1": 32.61,
    "frequency_rmsd_sorted_cm1": 30.18,
    "eigenmatrix_r2": 0.99812,
    "eigenmatrix_rmsd_cm1": 25.9,
    "force_max_kcal_mol_a": 0.0823,
    "mode_overlap_share": 0.9524,
    "reaction_mode_cm1": 4987.6,
}
WARNINGS = [
    "At a bound of what makes sense: bend F1-C1-H<1> theta0.",
    "The data leave 1 combination(s) of parameters undetermined; their values come from the start and the prior "
    "alone: torsion H1-C1-C1-H1 v1, torsion H1-C1-C1-H1 v3.",
    "Held at their values under policy C (policy E): bend F1~C2~F1 k = 41.3.",
]


def parameter(name: str, term: str, unit: str, start: float, value: float, **changed) -> dict:
    """A row of the parameters in results.json."""
    told = {"sigma": 0.02 * abs(value), "prior": 0.5 * abs(start) or None, "at_bound": False, "trained": True}
    told["determined"] = True
    return {"name": name, "term": term, "unit": unit, "start": start, "value": value, **told, **changed}


PARAMETERS = [
    parameter("stretch C1-F1 k", "mm3_stretch", "kcal/mol/Å²", 719.4, 826.13),
    parameter("stretch C1-F1 r0", "mm3_stretch", "Å", 1.3913, 1.39874, sigma=0.00032, prior=0.03),
    parameter("stretch C1-H<1> k", "mm3_stretch", "kcal/mol/Å²", 719.4, 762.2),
    parameter("stretch C1-H<1> r0", "mm3_stretch", "Å", 1.0931, 1.09412, sigma=0.00021, prior=0.03),
    parameter("bend F1-C1-H<1> k", "mm3_bend", "kcal/mol/rad²", 71.94, 143.9),
    parameter("bend F1-C1-H<1> theta0", "mm3_bend", "rad", 1.8985, np.pi, sigma=None, prior=0.0873, at_bound=True),
    parameter("torsion H1-C1-C1-H1 v1", "torsion3", "kcal/mol", 0.0, -0.2137, sigma=None, prior=1.0),
    parameter("torsion H1-C1-C1-H1 v3", "torsion3", "kcal/mol", 0.0, 0.000031, sigma=None, prior=1.0),
    parameter("vdw H<1> e", "mm3_vdw", "kcal/mol", 0.02, 0.02, sigma=None, prior=None, trained=False),
]


def molecule(name: str, qm: tuple[float, ...], generator: np.random.Generator, **changed) -> dict:
    """A molecule of results.json whose model scatters about the reference."""
    frequencies = [
        {
            "qm": q,
            "mm": q + generator.normal(0.0, 30.0),
            "overlap": float(generator.uniform(0.3, 1.0)),
            "start": q + generator.normal(0.0, 90.0),
        }
        for q in qm
    ]
    strain = {"energy": 0.41, "relaxed": True, "row": "bend F1-C1-H<1>", "most": 0.3}
    told = {"start": START, "strain": strain, "reaction_mode": None, "frequencies": frequencies}
    size = {"atoms": (len(qm) + 6) // 3, "weight": 1.0}
    return {"name": name, **size, **FINAL, "reaction_mode_cm1": None, **told, **changed}


def row_shape(row: str, unit: str, interactions: int, values: tuple[float, float, float, float]) -> dict:
    """A row of results.json with its reference value, and the mean, the smallest and the largest in the molecules."""
    named = dict(zip(("reference", "mean", "minimum", "maximum"), values, strict=True))
    return {
        "row": row,
        "kind": row.split(maxsplit=1)[0],
        "unit": unit,
        "interactions": interactions,
        "trained": True,
        **named,
    }


def target(name: str, unit: str, tolerance: float, values: int, independent: int, rms: tuple[float, float]) -> dict:
    """A target of results.json."""
    told = {"values": values, "independent": independent, "rms_start": rms[0], "rms_final": rms[1]}
    return {"name": name, "unit": unit, "tolerance": tolerance, "weight": 1.0, **told}


def fit_record(generator: np.random.Generator) -> FitRecord:
    """A multi-start fit to a minimum, a transition state and a molecule without a Hessian."""
    molecules = [
        molecule("ch3f", CH3F_QM, generator),
        molecule("sn2 <saddle> & co", SADDLE_QM, generator, reaction_mode=0, reaction_mode_cm1=4987.6),
        molecule("scan-07", (), generator, start=NO_METRICS, **NO_METRICS),
    ]
    results = {
        "fit": {
            "success": True,
            "converged": True,
            "reason": "",
            "message": "converged: a further step would lower the cost by less than 1e-09 of it",
            "iterations": 31,
            "evaluations": 496,
            "gradients": 480,
            "starts": 16,
            "wall_s": 12.41,
            "compile_s": 8.02,
            "run_s": 4.39,
            "engine": "forgefield",
            "promise": 3e-11,
            "cost": 0.4127,
        },
        "metrics": {"start": START, "final": FINAL},
        "left_out": None,
        "targets": [
            target("eigenmatrix", "cm⁻¹", 50.0, 30, 30, (436.9, 37.01)),
            target("eigenmatrix off-diagonal", "cm⁻¹", 100.0, 225, 0, (483.7, 40.25)),
            target("forces", "kcal/mol/Å", 5.0, 30, 30, (18.74, 0.1225)),
        ],
        "parameters": PARAMETERS,
        "molecules": molecules,
        "scans": [scan("butane scan", [[1, 2, 3, 4]], [[30.0 * k] for k in range(-5, 7)], generator)],
        "row_geometry": [row_shape("bend F1-C1-H<1>", "°", 3, (103.2, 108.8, 108.7, 108.9))],
        "warnings": WARNINGS,
        "not_for": ["No charges: it is not for solvents."],
        "citations": ["ForgeField 0.1.0, the ForgeField developers."],
        "provenance": {
            "version": "0.1.0",
            "input_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "packages": {"python": "3.11.2", "jax": "0.10.0", "numpy": "2.4.1"},
            "device": "TFRT_CPU_0",
            "precision": "float64",
        },
    }
    return FitRecord(
        title="ch3f-sn2",
        results=results,
        costs=0.41 + 60.0 * np.exp(-0.6 * np.arange(31)),
        contributions={
            "eigenmatrix": (38.2, 0.274),
            "eigenmatrix off-diagonal": (11.7, 0.081),
            "forces": (7.02, 0.0003),
            "prior": (0.0, 0.057),
        },
        parities=parities(generator, 21, 30),
        optima=(Optimum(0.4127, 11, 11), Optimum(0.6113, 3, 2), Optimum(9.38, 1, 0)),
        types={"C1": "C(F,H,H,H)", "H<1>": "H(C)", "F1": "F(C)", "C2": "C(~F,~F,H,H,H)"},
        statements=(
            "3 structure(s), 16 atoms; form mm3.",
            "8 free variables stand for 8 trained parameters, started from the estimate “qfuerza”.",
            "Targets: eigenmatrix (tolerance 50 cm⁻¹, weight 1), forces (tolerance 5 kcal/mol/Å, weight 1). "
            "A deviation of its tolerance counts as one.",
            'sn2 <saddle> & co: transition_state "C": the negative eigenvalue (-461.7 cm⁻¹) was replaced by a large '
            "positive one (5140.5 cm⁻¹).",
        ),
        files=("forcefield.fld", "results.json", "fit.log"),
    )


def scan(name: str, dihedrals: list[list[int]], angles: list[list[float]], generator: np.random.Generator) -> dict:
    """A relaxed scan of results.json: a threefold barrier in each dihedral, a model that scatters about it."""
    energy = 1.5 * (1.0 + np.cos(3.0 * np.radians(np.array(angles)))).sum(axis=1)
    energy -= energy.min()
    points = [
        {
            "molecule": f"{name} {one}",
            "angles": one,
            "qm": float(e),
            "start": float(e + generator.normal(0.0, 0.8)),
            "mm": float(e + generator.normal(0.0, 0.1)),
        }
        for one, e in zip(angles, energy, strict=True)
    ]
    return {"name": name, "dihedrals": dihedrals, "relaxed": False, "points": points}


def parities(generator: np.random.Generator, n_modes: int, n_forces: int) -> tuple[Parity, ...]:
    """Frequencies and forces; a start far outside."""
    qm = np.sort(generator.uniform(150.0, 3300.0, n_modes))
    forces = generator.normal(0.0, 0.01, n_forces)
    start = qm + generator.normal(0.0, 180.0, n_modes)
    start[0] = -9e4
    return (
        parity("frequencies", "cm⁻¹", 20.0, (qm, start, qm + generator.normal(0.0, 25.0, n_modes))),
        parity("forces", "kcal/mol/Å", 5.0, (forces, 8.0 * generator.normal(size=n_forces), 3.0 * forces)),
    )


def parity(
    target: str, unit: str, tolerance: float, values: tuple[np.ndarray, np.ndarray, np.ndarray], **changed
) -> Parity:
    """Reference, start and final of a target that was fitted to."""
    fitted = np.ones(len(values[0]), dtype=bool)
    return replace(Parity(target, unit, *values, fitted, tolerance), **changed)


def with_results(record: FitRecord, **changed) -> FitRecord:
    """The same record with other content of results.json."""
    return replace(record, results=record.results | changed)


@pytest.fixture
def record(generator) -> FitRecord:
    """A multi-start fit to three molecules, one a transition state, one without a Hessian."""
    return fit_record(generator)


@pytest.fixture
def large_record(record, generator) -> FitRecord:
    """Nine molecules of 150 modes each and 400 parameters."""
    qm = tuple(np.sort(generator.uniform(20.0, 3300.0, 150)))
    molecules = [molecule(f"rh-{k}", qm, generator, reaction_mode=0) for k in range(9)]
    parameters = [parameter(f"stretch C{k}-H1 k", "stretch", "kcal/mol/Å²", 700.0, 650.0 + k) for k in range(400)]
    larger = with_results(record, molecules=molecules, parameters=parameters)
    return replace(larger, parities=parities(generator, 1350, 1431))


@pytest.fixture
def bare_record(record) -> FitRecord:
    """A fit that failed at its first evaluation and left nothing to draw."""
    fit = record.results["fit"] | {
        "success": False,
        "converged": False,
        "message": "not converged: the cost is not a finite number",
    }
    metrics = {"start": NO_METRICS, "final": NO_METRICS}
    failed = with_results(
        record, fit=fit | {"starts": 1}, metrics=metrics, molecules=[], parameters=[], warnings=[], scans=[]
    )
    nothing = {"costs": np.array([np.nan]), "contributions": {"forces": (np.nan, np.nan)}, "parities": ()}
    return replace(failed, **nothing, optima=(), types={}, statements=(), files=())
