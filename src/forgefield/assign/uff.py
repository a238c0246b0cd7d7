"""Generic van der Waals parameters: the Universal Force Field's, by element."""

from forgefield.errors import InputError
from forgefield.molecules.elements import SYMBOLS, atomic_number

# A. K. Rappé et al., J. Am. Chem. Soc. 1992, 114, 10024, Table I: distance x_I [Å] and depth D_I [kcal/mol].
_TABLE = """
H 2.886 .044  He 2.362 .056  Li 2.451 .025  Be 2.745 .085  B 4.083 .180  C 3.851 .105  N 3.660 .069  O 3.500 .060
F 3.364 .050  Ne 3.243 .042  Na 2.983 .030  Mg 3.021 .111  Al 4.499 .505  Si 4.295 .402  P 4.147 .305  S 4.035 .274
Cl 3.947 .227  Ar 3.868 .185  K 3.812 .035  Ca 3.399 .238  Sc 3.295 .019  Ti 3.175 .017  V 3.144 .016  Cr 3.023 .015
Mn 2.961 .013  Fe 2.912 .013  Co 2.872 .014  Ni 2.834 .015  Cu 3.495 .005  Zn 2.763 .124  Ga 4.383 .415  Ge 4.280 .379
As 4.230 .309  Se 4.205 .291  Br 4.189 .251  Kr 4.141 .220  Rb 4.114 .040  Sr 3.641 .235  Y 3.345 .072  Zr 3.124 .069
Nb 3.165 .059  Mo 3.052 .056  Tc 2.998 .048  Ru 2.963 .056  Rh 2.929 .053  Pd 2.899 .048  Ag 3.148 .036  Cd 2.848 .228
In 4.463 .599  Sn 4.392 .567  Sb 4.420 .449  Te 4.470 .398  I 4.500 .339  Xe 4.404 .332  Cs 4.517 .045  Ba 3.703 .364
Hf 3.141 .072  Ta 3.170 .081  W 3.069 .067  Re 2.954 .066  Os 3.120 .037  Ir 2.840 .073  Pt 2.754 .080  Au 3.293 .039
Hg 2.705 .385  Tl 4.347 .680  Pb 4.297 .663  Bi 4.370 .518
"""


def _parsed() -> dict[int, tuple[float, float]]:
    words = _TABLE.split()
    return {
        atomic_number(s): (float(x) / 2.0, float(d))
        for s, x, d in zip(words[::3], words[1::3], words[2::3], strict=True)
    }


_PARAMETERS = _parsed()


def uff_van_der_waals(number: int) -> tuple[float, float]:
    """Return half the distance of the minimum [Å] and the well depth [kcal/mol] of an element.

    Raises InputError for an element that the table lacks.
    """
    if number not in _PARAMETERS:
        raise InputError(
            f'there are no generic van der Waals parameters for {SYMBOLS[number]}: use nonbonded = "none", '
            "or start from a force-field file that has them"
        )
    return _PARAMETERS[number]
