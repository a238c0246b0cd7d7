"""Couplings of bonds, angles and torsions, and bends out of planes, of Tinker as terms."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from forgefield import units
from forgefield.io.forcefields.tinker.bonded import Part, anharmonic
from forgefield.io.forcefields.tinker.files import Row
from forgefield.io.forcefields.tinker.laid import Chain, Laid
from forgefield.io.forcefields.tinker.parameters import DEGREES, Classes, canonical
from forgefield.terms.cross import BEND_BEND_OF_FIVE, BEND_BEND_OF_FOUR, STRETCH_BENDS
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.trigonal import ALLINGER_BEND, MM3_ALLINGER_BEND, MM3_WILSON_BEND, WILSON_BEND

_ARMS = 3
Lengths = Mapping[Chain, tuple[float, float]]
Angles = Mapping[Chain, tuple[float, float, str]]


def stretch_bends(laid: Laid, lengths: Lengths, angles: Angles) -> Iterator[Part]:
    """Yield the couplings of angles with their bonds."""
    unit = laid.parameters.numbers["strbndunit"] * DEGREES
    table = laid.table("strbnd")
    for chain, (_, theta0, _) in angles.items():
        classes = laid.of(chain)
        if not (rows := table.get(canonical(classes))):
            continue
        first, second = rows[0].number(4), rows[0].number(5)
        if rows[0].classes(3) != classes:
            first, second = second, first
        r1, r2 = (lengths[_bond(*pair)][1] for pair in (chain[:2], chain[1:]))
        yield STRETCH_BENDS, chain, (unit * first, unit * second, r1, r2, theta0 * units.DEGREE)


def _bond(i: int, j: int) -> Chain:
    return min(i, j), max(i, j)


def bend_bends(laid: Laid, angles: Angles) -> Iterator[Part]:
    """Yield the couplings of angles at one centre."""
    rows = laid.parameters.last("angang")
    unit = laid.parameters.numbers["angangunit"] * DEGREES**2
    for centre, near in enumerate(laid.around):
        row = rows.get(laid.classes[centre])
        if row is None:
            continue
        for one, other in combinations([(i, centre, k) for i, k in combinations(near, 2)], 2):
            k = unit * _factor(laid, one, row) * _factor(laid, other, row)
            if k != 0.0:
                yield _bend_bend(one, other, k, tuple(angles[chain][1] * units.DEGREE for chain in (one, other)))


def _factor(laid: Laid, chain: Chain, row: Row) -> float:
    """Return what a row has for an angle by the hydrogens at its ends."""
    return row.optional(2 + sum(laid.species[end] == 1 for end in (chain[0], chain[2])))


def _bend_bend(one: Chain, other: Chain, k: float, at: tuple[float, ...]) -> Part:
    shared = {one[0], one[2]} & {other[0], other[2]}
    if not shared:
        return BEND_BEND_OF_FIVE, (one[1], one[0], one[2], other[0], other[2]), (k, *at)
    (arm,) = shared
    ends = ((set(chain) - {arm, one[1]}).pop() for chain in (one, other))
    return BEND_BEND_OF_FOUR, (one[1], arm, *ends), (k, *at)


def out_of_plane(laid: Laid) -> Iterator[tuple[Chain, float]]:
    """Yield the angle, its centre's other neighbour behind it, and the constant of each bend out of a plane."""
    rows: dict[Classes, Row] = {}
    for row in laid.parameters.rows.get("opbend", ()):
        end, centre, *others = row.classes(4)
        key = (end, centre, *sorted(others))
        rows[key] = row if row.in_key else rows.get(key, row)
    held = {key[1] for key in rows}
    for chain in laid.angles:
        near = laid.around[chain[1]]
        if len(near) != _ARMS or laid.classes[chain[1]] not in held:
            continue
        (end,) = set(near) - set(chain)
        d, b, (a, c) = laid.classes[end], laid.classes[chain[1]], sorted(laid.of((chain[0], chain[2])))
        row = next((rows[key] for key in ((d, b, a, c), (d, b, 0, 0), (0, b, 0, 0)) if key in rows), None)
        if row is None:
            laid.note("opbend", (d, b, a, c), (end, chain[1], chain[0], chain[2]))
        else:
            yield (*chain, end), row.number(5)


def bends_out_of_plane(laid: Laid, held: Mapping[Chain, float]) -> Iterator[Part]:
    """Yield these bends."""
    unit = laid.parameters.numbers["opbendunit"] * DEGREES**2
    allinger = laid.parameters.words["opbendtype"] == "ALLINGER"
    terms = (ALLINGER_BEND, MM3_ALLINGER_BEND) if allinger else (WILSON_BEND, MM3_WILSON_BEND)
    for chain, k in held.items():
        if k != 0.0:
            yield anharmonic(laid, *terms, "opbend"), chain, (2.0 * unit * k,)


def stretch_torsions(
    laid: Laid, lengths: Lengths, torsions: Mapping[Chain, list[tuple[float, float, float]]]
) -> Iterator[Part]:
    """Yield the couplings of torsions with their three bonds."""
    unit, table = laid.parameters.numbers["strtorunit"], laid.table("strtors")
    for chain, series in torsions.items():
        classes = laid.of(chain)
        key = canonical(classes)
        rows = table.get(key) or table.get((0, *key[1:3], 0))
        if not rows:
            continue
        row, phases = rows[0], {int(n): phase for _, n, phase in series}
        own = row.classes(4)
        # Rows with classes of the middle alone hold for either direction of equal ones as they stand.
        ordered = chain if own[1:3] == classes[1:3] and own[0] in (0, classes[0]) else chain[::-1]
        for k, n, at in _couplings(row):
            r0 = lengths[_bond(ordered[at], ordered[at + 1])][1]
            term = custom_term(
                f"k*(10*distance(p{at + 1},p{at + 2})-r0)*(1+cos(n*dihedral(p1,p2,p3,p4)-phase))",
                *("torsion_stretch", 4, ("k", "r0"), (("n", float(n)), ("phase", phases.get(n, 0.0)))),
            )
            yield term, ordered, (unit * k / units.KILOJOULE, r0)


def _couplings(row: Row) -> Iterator[tuple[float, int, int]]:
    """Yield constant, periodicity and bond of a row: of each of three bonds those of 1, 2 and 3 folds."""
    for at in range(3):
        for n in (1, 2, 3):
            k = row.optional(4 + 3 * at + n)
            if k != 0.0:
                yield k, n, at
