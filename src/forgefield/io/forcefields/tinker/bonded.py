"""Stretches, bends, torsions and impropers of Tinker as terms."""

from collections.abc import Iterator
from itertools import permutations
from warnings import warn

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.tinker.files import Row
from forgefield.io.forcefields.tinker.laid import Chain, Laid, chains
from forgefield.io.forcefields.tinker.parameters import DEGREES, Classes
from forgefield.terms import bend, stretch
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.trigonal import IN_PLANE_BEND, MM3_IN_PLANE_BEND

Part = tuple[Term, Chain, tuple[float, ...]]
"""A term, its atoms and its values."""
_MM3_STRETCH = tuple(round(power, 6) for power in stretch.MM3_POWERS)
"""As files state them."""
_SECONDARY = 0.4
"""How much of a correction for electronegativity acts over one more bond."""
_ARMS = 3
_MOST_HYDROGENS = 2
_PLANE = 180.0


def lengths(laid: Laid) -> dict[Chain, tuple[float, float]]:
    """Return the constant, as it stands, and the length of each bond [Å], corrected for electronegativity."""
    found: dict[Chain, tuple[float, float]] = {}
    for pair in chains(laid.bonds):
        word, tables = laid.rows_of("bond", pair, laid.of(pair))
        if tables:
            row = tables[0][0]
            found[pair] = row.number(3), row.number(4)
        else:
            laid.note(word, laid.of(pair), pair)
    for pair, change in _corrections(laid):
        if pair in found:
            k, r0 = found[pair]
            found[pair] = k, r0 + change
    return found


def _corrections(laid: Laid) -> Iterator[tuple[Chain, float]]:
    """Yield by how much bonds change their lengths: of each angle, and each torsion, one bond for the first row."""
    stated = [_electronegative(row) for row in laid.parameters.rows.get("electneg", ())]
    if not stated:
        return
    for i, j, k in laid.angles:
        yield from _first(laid, stated, {(i, j, k): (i, j), (k, j, i): (k, j)}, 1.0)
    for i, j, k, m in laid.torsions:
        ends = {(i, j, m): (i, j)} if laid.species[m] > 1 else {}
        ends |= {(m, k, i): (m, k)} if laid.species[i] > 1 else {}
        yield from _first(laid, stated, ends, _SECONDARY)


def _electronegative(row: Row) -> tuple[Classes, float]:
    """Return the classes of a row, which Tinker puts in order where it is not one of a .key, and its change [Å]."""
    one, centre, other = row.classes(3)
    classes = (one, centre, other) if row.in_key else (min(one, other), centre, max(one, other))
    return classes, row.number(4)


def _first(
    laid: Laid, stated: list[tuple[Classes, float]], ends: dict[Chain, Chain], share: float
) -> Iterator[tuple[Chain, float]]:
    for classes, change in stated:
        for chain, pair in ends.items():
            if laid.of(chain) == classes:
                yield (min(pair), max(pair)), share * change
                return


def stretches(laid: Laid, held: dict[Chain, tuple[float, float]]) -> Iterator[Part]:
    """Yield the stretches of bonds whose constants and lengths are known."""
    numbers = laid.parameters.numbers
    cubic, quartic = numbers["bond-cubic"], numbers["bond-quartic"]
    for pair, (k, r0) in held.items():
        energy = numbers["bondunit"] * k
        if (cubic, quartic) in ((0.0, 0.0), _MM3_STRETCH):
            yield MM3_STRETCH if cubic else HARMONIC_STRETCH, pair, (2.0 * energy, r0)
        else:
            term = custom_term(
                *("k*d^2*(1+c*d+q*d^2);d=10*distance(p1,p2)-r0", "stretch", 2, ("k", "r0")),
                (("c", cubic), ("q", quartic)),
            )
            yield term, pair, (energy / units.KILOJOULE, r0)


def angles(laid: Laid) -> dict[Chain, tuple[float, float, str]]:
    """Return the constant and the angle [degrees], as they stand, and the keyword of the row of each angle."""
    found = {}
    for chain in laid.angles:
        word, tables = laid.rows_of("angle", chain, laid.of(chain))
        others = [(one, laid.table(one).get(_sorted(laid.of(chain)), [])) for one in ("anglep", "anglef")]
        for keyword, rows in [(word, [row for held in tables for row in held]), *others]:
            stated = next(filter(None, (_angle(laid, chain, row) for row in rows)), None)
            if stated is not None:
                found[chain] = (*stated, keyword)
                break
        else:
            laid.note(word, laid.of(chain), chain)
    return found


def _sorted(classes: Classes) -> Classes:
    return min(classes, classes[::-1])


def _angle(laid: Laid, chain: Chain, row: Row) -> tuple[float, float] | None:
    """Return constant and angle of a row, which may go by the other hydrogens of the centre; None where it has none."""
    if row.words[0] == "anglef":
        return row.number(4), row.number(5)
    several = [row.number(5), row.optional(6), row.optional(7)]
    if not any(several[1:]):
        return row.number(4), several[0]
    n = sum(laid.species[a] == 1 for a in laid.around[chain[1]] if a not in chain)
    if n > _MOST_HYDROGENS:
        said = f"{row.named} has no angle of a centre with {n} more hydrogens; that of {_MOST_HYDROGENS} is taken"
        warn(InputWarning(f"{laid.structure.path}: {said}"), stacklevel=2)
    theta0 = several[min(n, _MOST_HYDROGENS)]
    return (row.number(4), theta0) if theta0 else None


def bends(laid: Laid, held: dict[Chain, tuple[float, float, str]], in_plane: set[Chain]) -> Iterator[Part]:
    """Yield the bends of angles; those `in_plane` are taken in the plane of the centre's three neighbours."""
    for chain, (k, theta0, word) in held.items():
        energy = laid.parameters.numbers["angleunit"] * DEGREES**2 * k
        if word == "anglef":
            yield _fourier(laid, chain, energy, theta0)
        elif chain in in_plane or (word == "anglep" and len(laid.around[chain[1]]) == _ARMS):
            (last,) = set(laid.around[chain[1]]) - set(chain)
            term = anharmonic(laid, IN_PLANE_BEND, MM3_IN_PLANE_BEND, "angle")
            yield term, (*chain, last), (2.0 * energy, theta0 * units.DEGREE)
        else:
            yield from _bend(laid, chain, energy, theta0)


def _fourier(laid: Laid, chain: Chain, energy: float, shift: float) -> Part:
    """Return 2 k (1 + cos(nθ - shift)) / n²."""
    fold = laid.table("anglef")[_sorted(laid.of(chain))][0].number(6)
    if fold == 0.0:
        raise laid.table("anglef")[_sorted(laid.of(chain))][0].wrong("its fold is 0")
    term = custom_term("k*(1+cos(n*angle(p1,p2,p3)-s))", "bend", 3, ("k", "s"), (("n", fold),))
    return term, chain, (2.0 * energy / fold**2 / units.KILOJOULE, shift * units.DEGREE)


def _powers(laid: Laid, kind: str) -> tuple[float, ...]:
    numbers = laid.parameters.numbers
    return tuple(numbers[f"{kind}-{power}"] for power in ("cubic", "quartic", "pentic", "sextic"))


def anharmonic(laid: Laid, harmonic: Term, mm3: Term, kind: str) -> Term:
    """Return the term that has the anharmonic constants of a kind. Raises InputError where there is none."""
    powers = _powers(laid, kind)
    if powers in (bend.MM3_POWERS, (0.0,) * 4):
        return mm3 if any(powers) else harmonic
    said = f"{kind}-cubic to {kind}-sextic {', '.join(f'{power:g}' for power in powers)}"
    raise InputError(f"{laid.parameters.source}: {harmonic.name} has no constants but those of MM3 and 0, not {said}")


def _bend(laid: Laid, chain: Chain, energy: float, theta0: float) -> Iterator[Part]:
    powers = _powers(laid, "angle")
    if powers in (bend.MM3_POWERS, (0.0,) * 4):
        yield MM3_BEND if any(powers) else HARMONIC_BEND, chain, (2.0 * energy, theta0 * units.DEGREE)
        return
    scaled = tuple((name, power * DEGREES**n) for n, (name, power) in enumerate(zip("cqps", powers, strict=True), 1))
    formula = "k*d^2*(1+d*(c+d*(q+d*(p+d*s))));d=angle(p1,p2,p3)-t"
    yield (
        custom_term(formula, "bend", 3, ("k", "t"), scaled),
        chain,
        (energy / units.KILOJOULE, theta0 * units.DEGREE),
    )


def urey_bradley(laid: Laid) -> Iterator[Part]:
    """Yield what acts between the ends of angles."""
    table, unit = laid.table("ureybrad"), laid.parameters.numbers["ureyunit"]
    for chain in laid.angles:
        if rows := table.get(_sorted(laid.of(chain))):
            yield UREY_BRADLEY, (chain[0], chain[2]), (2.0 * unit * rows[0].number(4), rows[0].number(5))


def waves(row: Row, start: int = 5, most: int = 6) -> list[tuple[float, float, float]]:
    """Return amplitude, periodicity and phase [rad] of the cosines of a row, of each periodicity the last."""
    found: dict[int, tuple[float, float, float]] = {}
    for place in range(start, min(len(row.words), start + 3 * most), 3):
        n = row.number(place + 2)
        if n not in range(1, 7):
            raise row.wrong(f"a torsion of {n:g} folds; Tinker has 1 to 6")
        found[int(n)] = row.number(place), n, row.number(place + 1) * units.DEGREE
    return [found[n] for n in sorted(found)]


def torsions(laid: Laid) -> dict[Chain, list[tuple[float, float, float]]]:
    """Return the cosines of each torsion."""
    found, known = {}, {}
    for chain in laid.torsions:
        word, tables = laid.rows_of("torsion", chain, laid.of(chain))
        if not tables:
            laid.note(word, laid.of(chain), chain)
            continue
        row = tables[0][0]
        if row not in known:
            known[row] = waves(row)
        found[chain] = known[row]
    return found


def periodic(laid: Laid, held: dict[Chain, list[tuple[float, float, float]]]) -> Iterator[Part]:
    """Yield the torsions."""
    unit = laid.parameters.numbers["torsionunit"]
    for chain, series in held.items():
        yield from ((PERIODIC_TORSION, chain, (unit * k, n, phase)) for k, n, phase in series if k != 0.0)


def impropers(laid: Laid) -> Iterator[Part]:
    """Yield the impropers of centres with three neighbours: of harmonic ones the centre is first, of periodic third."""
    numbers = laid.parameters.numbers
    for share, chain, row in _shares(laid, "improper", 0):
        angle = row.number(6)
        if angle not in (0.0, _PLANE, -_PLANE):
            raise row.wrong("impropers are read about 0° and 180° alone: Tinker gives other angles either sign")
        k = 2.0 * numbers["impropunit"] * row.number(5) * share
        yield HARMONIC_IMPROPER, chain, (k, angle * units.DEGREE)
    for share, chain, row in _shares(laid, "imptors", 2):
        for k, n, phase in waves(row, most=3):
            yield PERIODIC_IMPROPER, chain, (numbers["imptorunit"] * k * share, n, phase)


def _shares(laid: Laid, keyword: str, place: int) -> Iterator[tuple[float, Chain, Row]]:
    """Yield the impropers of each centre with what each has of the constants of its row.

    Rows of four classes act in every order that fits, and share their constants. Rows without classes of the
    neighbours, or with that of one, act three times, by a third.
    """
    rows = [rows[0] for rows in laid.parameters.table(keyword, ordered=False).values()]
    for centre, near in enumerate(laid.around):
        if len(near) != _ARMS:
            continue
        orders = [_placed(order, centre, place) for order in permutations(near)]
        exact = [(row, order) for row in rows for order in orders if row.classes(4) == laid.of(order)]
        if exact:
            kinds = len({laid.classes[a] for a in near})
            share = {3: 1.0, 2: 0.5, 1: 1.0 / 6.0}[kinds]
            yield from ((share, order, row) for row, order in exact)
            continue
        a, b, c = near
        turned = [_placed(order, centre, place) for order in ((a, b, c), (b, c, a), (c, a, b))]
        for named in ({_wild(laid, centre, end, place) for end in near}, {_wild(laid, centre, None, place)}):
            if found := [row for row in rows if row.classes(4) in named]:
                yield from ((1.0 / 3.0, order, row) for row in found for order in turned)
                break


def _placed(order: Chain, centre: int, place: int) -> Chain:
    return (*order[:place], centre, *order[place:])


def _wild(laid: Laid, centre: int, end: int | None, place: int) -> Classes:
    """Return the classes of a row that names a centre and at most one of its neighbours, next to it or last."""
    named = 0 if end is None else laid.classes[end]
    own = laid.classes[centre]
    return (own, named, 0, 0) if place == 0 else (0, 0, own, named)
