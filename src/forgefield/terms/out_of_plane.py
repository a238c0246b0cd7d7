"""Terms that keep an atom in the plane of its three neighbours."""

from forgefield.terms.coordinates import TWIST, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term


def cosine_out_of_plane(q: Values, v2: Scalar) -> Scalar:
    """Improper torsion, ½ v2 (1 - cos 2φ), φ being the dihedral angle neighbour, centre, neighbour, neighbour.

    For cos φ and its switch; v2 in kcal/mol; returns kcal/mol. Switched off where three of the atoms are in line.
    """
    return q[1] * v2 * (1.0 - q[0] ** 2)


def one_fold_out_of_plane(q: Values, v1: Scalar) -> Scalar:
    """Improper torsion of one fold, ½ v1 (1 + cos φ), zero at φ = 180°, where the four atoms are in a plane.

    For cos φ and its switch; v1 in kcal/mol; returns kcal/mol. Switched off where three of the atoms are in line.
    """
    return q[1] * 0.5 * v1 * (1.0 + q[0])


COSINE_OUT_OF_PLANE = Term(
    "cosine_out_of_plane",
    TWIST,
    cosine_out_of_plane,
    "out_of_plane",
    4,
    (Parameter("v2", "kcal/mol", minimum=0.0),),
    n_own=1,
    polynomial=Polynomial(1),
)
ONE_FOLD_OUT_OF_PLANE = Term(
    "one_fold_out_of_plane",
    TWIST,
    one_fold_out_of_plane,
    "out_of_plane",
    4,
    (Parameter("v1", "kcal/mol"),),
    n_own=1,
    polynomial=Polynomial(1),
)
