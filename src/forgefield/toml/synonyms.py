"""Words that people write for those of FIT.toml."""

from collections.abc import Sequence
from difflib import get_close_matches

WRITTEN = {
    "forcefield": "ff force_field forcefields",
    "molecules": "molecule mol mols dataset data systems system",
    "targets": "target observables properties fit_to",
    "prior": "priors regularization regularisation restraint",
    "max_steps": "iterations steps max_iter maxiter max_iterations n_iterations n_steps nsteps maxsteps epochs maxfev",
    "solver": "optimizer optimiser minimizer minimiser method algorithm",
    "starts": "n_starts nstarts restarts multistart multi_start",
    "seed": "random_seed rng rng_seed",
    "tolerance": "sigma tol width uncertainty error std threshold convergence ftol rtol gtol",
    "on_error": "errors skip_errors",
    "strength": "lambda l2 alpha weight",
    "frequencies": "frequency freq freqs vibrations wavenumbers modes",
    "eigenmatrix": "eigenvalues eigenvectors normal_modes",
    "hessian": "hess hessians force_constants second_derivatives",
    "forces": "force gradient gradients grad",
    "energy": "energies relative_energies barrier barriers",
    "charges": "charge esp partial_charges",
    "bond_length": "bond bonds bond_lengths length lengths distances",
    "bond_angle": "angle angles bond_angles",
    "torsion": "torsions dihedral dihedrals dihedral_angle dihedral_angles proper propers",
    "positions": "position geometry geometries structure structures coordinates rmsd",
    "out_of_plane": "improper impropers oop inversion inversions wag improper_torsion",
    "stretch": "bond bonds stretches stretching",
    "bend": "angle angles bends bending",
    "urey_bradley": "ub",
    "structures": "structure geometry geometries xyz coordinates",
    "reference": "references qm qm_file file files fchk log path paths",
    "hessian_unit": "unit units hessian_units",
    "transition_state": "ts saddle is_ts policy",
    "pieces": "fragments n_molecules components",
    "lowest": "min minimum lower low from",
    "highest": "max maximum upper high to",
    "hessian_scale": "scale scaling scale_factor scaling_factor",
    "nonbonded": "vdw lj van_der_waals lennard_jones",
    "write": "output outputs formats write_formats",
    "freeze": "fixed fix constant frozen",
    "train": "trained trainable fit parameters optimize optimise",
    "form": "functional_form potential type style",
    "k": "force_constant force_constants fc",
    "r0": "r length bond_length equilibrium_length",
    "theta0": "theta angle bond_angle equilibrium_angle",
    "v": "torsion torsions v1 v2 v3 barrier barriers dihedral dihedrals",
    "lm": "levenberg_marquardt marquardt levmar",
    "trf": "trust_region least_squares scipy",
    "lbfgsb": "l_bfgs_b lbfgs l_bfgs bfgs",
    "lbfgsb-fd": "l_bfgs_b_fd lbfgsb_fd",
    "trust-constr": "trust_constr trustconstr",
    "nelder-mead": "simplex nelder_mead neldermead",
    "adam-cosine": "adam_cosine cosine",
    "sgd": "gradient_descent steepest_descent",
    "grad-simp": "grad_simp gradient_simplex q2mm",
    "basin-hopping": "basin_hopping basinhopping",
    "cma-es": "cma cmaes cma_es",
    "harmonic": "amber gaff",
    "opls": "opls_aa oplsaa",
    "relaxed": "optimized optimised minimum minimised minimized",
    "uff": "lj lennard_jones vdw",
    "bonds": "increments bci bond_increments bond_moments",
}
"""Of each word that is meant, those that are written; where one stands for several, the table decides."""


def meant(word: str, known: Sequence[str], *, nearness: float) -> str | None:
    """Return which of the known words is meant: the same under another name, else one spelled nearly so."""
    plain = word.casefold().replace("-", "_").replace(" ", "_")
    if plain in known:
        return plain
    named = [one for one in known if plain in WRITTEN.get(one, "").split()]
    return next(iter([*named, *get_close_matches(plain, known, n=1, cutoff=nearness)]), None)
