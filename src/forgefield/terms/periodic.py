"""Torsions and impropers in the dihedral angle itself, as AMBER, CHARMM, GROMACS and OpenMM have them.

They are not switched off near straight angles, where their forces grow without bound, as in those programs.
"""

import math
from dataclasses import replace

import jax.numpy as jnp

from forgefield.terms.composed import DIHEDRAL
from forgefield.terms.coordinates import Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term


def periodic_torsion(q: Values, k: Scalar, n: Scalar, phase: Scalar) -> Scalar:
    """Periodic torsion, k (1 + cos(nφ - phase)), for the coordinate φ [rad].

    k in kcal/mol, phase in rad, n a whole number; n and phase do not change in a fit. Returns kcal/mol.
    """
    return k * (1.0 + jnp.cos(n * q[0] - phase))


def ryckaert_bellemans(q: Values, c0: Scalar, c1: Scalar, c2: Scalar, c3: Scalar, c4: Scalar, c5: Scalar) -> Scalar:
    """Ryckaert-Bellemans torsion, Σ cₙ cosⁿ ψ with ψ = φ - 180°, for the coordinate φ [rad].

    cₙ in kcal/mol; returns kcal/mol.
    """
    c = -jnp.cos(q[0])
    return c0 + c * (c1 + c * (c2 + c * (c3 + c * (c4 + c * c5))))


def harmonic_improper(q: Values, k: Scalar, xi0: Scalar) -> Scalar:
    """Harmonic improper, ½ k Δξ² with Δξ = ξ - xi0 taken within ±180°, for the dihedral angle ξ [rad].

    xi0 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    apart = q[0] - xi0
    return 0.5 * k * (apart - 2.0 * math.pi * jnp.round(apart / (2.0 * math.pi))) ** 2


_ANGLE = {"unit": "rad", "minimum": -2.0 * math.pi, "maximum": 2.0 * math.pi}
PERIODIC_TORSION = Term(
    *("periodic_torsion", DIHEDRAL, periodic_torsion, "torsion", 4),
    (Parameter("k", "kcal/mol"), Parameter("n", "1", minimum=0.0), Parameter("phase", **_ANGLE)),
    *(3, Polynomial(1)),
)
PERIODIC_IMPROPER = replace(PERIODIC_TORSION, name="periodic_improper", kind="improper")
RYCKAERT_BELLEMANS = Term(
    *("ryckaert_bellemans", DIHEDRAL, ryckaert_bellemans, "torsion", 4),
    *(tuple(Parameter(f"c{n}", "kcal/mol") for n in range(6)), 6, Polynomial(6)),
)
HARMONIC_IMPROPER = Term(
    *("harmonic_improper", DIHEDRAL, harmonic_improper, "improper", 4),
    *((Parameter("k", "kcal/mol/rad²", minimum=0.0), Parameter("xi0", **_ANGLE)), 2, Polynomial(1)),
)
