"""Energies of Tinker's files by its rules for class I force fields, written down from its manual for tests alone.

Run as `python tinker_energies.py STRUCTURE.xyz -k KEY y n n` it stands for Tinker's program testgrad, whose listing it
prints: the total energy, and the gradient atom by atom.
"""

import sys
from collections import defaultdict
from itertools import combinations, permutations
from pathlib import Path

import numpy as np

KINDS = {"ureybrad": "bend", "bond": "stretch", "angle": "bend", "torsion": "torsion"}


def energies_of_tinker(key) -> dict[str, float]:
    """Return the energies by kind [kcal/mol] of a .key that names its parameters, of the structure beside it."""
    x, molecule = read_structure(key.with_suffix(".xyz"))
    return energies(x, molecule, *read_parameters(parameters_of(key)))


def parameters_of(key):
    """Return the path of the parameters that a .key names."""
    return key.parent / key.read_text().split("parameters ")[1].split()[0]


def read_structure(path):
    """Return positions [Å], and the types and the neighbours of the atoms."""
    lines = [line.split() for line in path.read_text().splitlines()[1:]]
    x = np.array([[float(word) for word in line[2:5]] for line in lines])
    return x, ([int(line[5]) for line in lines], [[int(word) - 1 for word in line[6:]] for line in lines])


def energies(x, molecule, rows, settings) -> dict[str, float]:
    """Return the energies by kind [kcal/mol] at positions."""
    types, around = molecule
    classes = [rows["atom"][(of_type,)] for of_type in types]
    found: dict[str, float] = defaultdict(float)
    for chain in chains(around):
        kind = {2: "bond", 3: "angle", 4: "torsion"}[len(chain)]
        found[KINDS[kind]] += along(rows[kind][either(classes, chain)], x[list(chain)])
        if kind == "angle" and (ends := rows["ureybrad"].get(either(classes, chain))):
            found["bend"] += ends[0] * (np.linalg.norm(x[chain[0]] - x[chain[-1]]) - ends[1]) ** 2
    for centre, near in enumerate(around):
        if len(near) == 3:
            for a, b, c in permutations(near):
                turns = rows["imptors"].get(tuple(classes[k] for k in (a, b, centre, c)), ())
                found["torsion"] += waves(turns, dihedral(x[[a, b, centre, c]]))
                held = rows["improper"].get(tuple(classes[k] for k in (centre, a, b, c)))
                if held:
                    apart = np.degrees(dihedral(x[[centre, a, b, c]])) - held[1]
                    found["torsion"] += held[0] * np.radians(apart - 360.0 * np.round(apart / 360.0)) ** 2
    through_space(found, rows, settings, (x, types, classes, around))
    return found | {"total": sum(found.values())}


def read_parameters(path):
    """Return rows by keyword and classes, and the settings."""
    rows: dict[str, dict] = defaultdict(dict)
    settings = {}
    n_classes = {"bond": 2, "angle": 3, "ureybrad": 3, "torsion": 4, "imptors": 4, "improper": 4}
    for words in (line.split() for line in path.read_text().splitlines() if line[:1].isalpha()):
        if words[0] == "atom":
            rows["atom"][(int(words[1]),)] = int(words[2])
        elif words[0] in ("vdw", "vdw14", "charge"):
            rows[words[0]][int(words[1])] = [float(word) for word in words[2:]]
        elif words[0] in n_classes:
            n = n_classes[words[0]] + 1
            own = tuple(map(int, words[1:n]))
            keys = {own} if words[0].startswith("imp") else {own, own[::-1]}
            rows[words[0]] |= {one: [float(word) for word in words[n:]] for one in keys}
        else:
            settings[words[0]] = words[1]
    return rows, settings


def chains(around):
    """Yield bonds, angles and torsions once each."""
    for j, near in enumerate(around):
        yield from ((i, j) for i in near if i < j)
        yield from ((i, j, k) for i, k in combinations(near, 2))
        yield from ((i, j, k, m) for k in near if j < k for i in near for m in around[k] if len({i, j, k, m}) == 4)


def either(classes, chain):
    """Return the classes of a chain."""
    return tuple(classes[atom] for atom in chain)


def along(row, x) -> float:
    """Return the energy of a chain at its positions."""
    if len(x) == 4:
        return waves(row, dihedral(x))
    if len(x) == 2:
        return row[0] * (np.linalg.norm(x[0] - x[1]) - row[1]) ** 2
    one, other = x[0] - x[1], x[2] - x[1]
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return row[0] * (np.arccos(cosine) - np.radians(row[1])) ** 2


def waves(row, phi) -> float:
    """Return the energy of a torsion, three numbers for each wave."""
    return sum(k * (1.0 + np.cos(n * phi - np.radians(phase))) for k, phase, n in zip(*[iter(row)] * 3, strict=True))


def dihedral(x) -> float:
    """Return the dihedral angle of four positions [rad]."""
    first, axis, last = np.diff(x, axis=0)
    one, other = np.cross(first, axis), np.cross(axis, last)
    return float(np.arctan2(np.cross(one, other) @ axis / np.linalg.norm(axis), one @ other))


def through_space(found, rows, settings, molecule) -> None:
    """Add van der Waals and electrostatic energies."""
    x, types, classes, around = molecule
    near = [{j} | {k for i in around[j] for k in (i, *around[i])} for j in range(len(x))]
    three = [{m for k in near[j] for m in around[k]} - near[j] for j in range(len(x))]
    combine = {"ARITHMETIC": lambda a, b: a + b, "GEOMETRIC": lambda a, b: 2.0 * np.sqrt(a * b)}
    for i, j in combinations(range(len(x)), 2):
        if j in near[i]:
            continue
        of = [(rows["vdw14"].get(classes[k]) if j in three[i] else None) or rows["vdw"][classes[k]] for k in (i, j)]
        radius, depth = combine[settings["radiusrule"]](of[0][0], of[1][0]), np.sqrt(of[0][1] * of[1][1])
        r = np.linalg.norm(x[i] - x[j])
        v, q = (float(settings[f"{name}-14-scale"]) if j in three[i] else 1.0 for name in ("vdw", "chg"))
        found["vdw"] += v * depth * ((radius / r) ** 12 - 2.0 * (radius / r) ** 6)
        product = rows["charge"][types[i]][0] * rows["charge"][types[j]][0]
        found["electrostatic"] += q * float(settings["electric"]) * product / r


def testgrad(structure, key) -> str:
    """Return the listing of testgrad, with the decimals that the key asks for."""
    x, molecule = read_structure(structure)
    rows = read_parameters(parameters_of(key))
    said = [line.split() for line in key.read_text().splitlines()]
    decimals = next((int(words[1]) for words in said if words[:1] == ["digits"]), 4)

    def energy(at):
        return energies(at.reshape(x.shape), molecule, *rows)["total"]

    # Differences over five points: exact to about 1e-9 kcal/mol/Å.
    steps = 1e-3 * np.eye(x.size)
    gradient = [
        (8.0 * (energy(x.ravel() + h) - energy(x.ravel() - h)) - energy(x.ravel() + 2 * h) + energy(x.ravel() - 2 * h))
        / 12e-3
        for h in steps
    ]
    lines = [
        f"\n Total Potential Energy :        {energy(x):20.{decimals}f} Kcal/mole",
        "\n Cartesian Gradient Breakdown over Individual Atoms :",
        "\n  Type    Atom          dE/dX           dE/dY           dE/dZ           Norm\n",
    ]
    for k, row in enumerate(np.reshape(gradient, x.shape), 1):
        lines.append(f" Anlyt{k:8d} " + "".join(f"{g:16.{decimals}f}" for g in (*row, np.linalg.norm(row))))
    return "\n".join(
        [*lines, f"\n Total Gradient Norm and RMS Gradient per Atom :\n\n Anlyt {np.linalg.norm(gradient):f}"]
    )


if __name__ == "__main__":
    place, flag, named, *answers = sys.argv[1:]
    assert (flag, answers) == ("-k", ["y", "n", "n"])
    print(testgrad(Path(place), Path(named)))
