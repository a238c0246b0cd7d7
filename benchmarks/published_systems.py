"""Systems whose force fields or references others have published: settings of each fit, what others report."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from published_complexes import complex_mae

from forgefield.io.qm.qcschema import read_qcschema

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))
STARTS = 40
LIGANDS = ("phox1", "phox2", "phox3")
"""Of six ligands the smallest: with the allyl 80 to 88 atoms."""
SORTED = (
    "q2mm's RMSD leaves out modes below 50 cm⁻¹, pairs the others by rank, and does not project translations "
    "and rotations out; the column of this name has ours by that definition"
)
MISSING = (
    "q2mm's R² of eigenvalues is negative where rows of the published file were not read and modes were paired "
    "by rank: it says nothing of that force field"
)


@dataclass(frozen=True)
class System:
    """A fit: its settings, how they come by their files, and how far it is resampled."""

    name: str
    title: str
    start: str
    """What the fit starts from, in words."""
    settings: str
    """FIT.toml; {data} is the folder of reference data."""
    others: tuple[str, ...]
    """What others published for the same thing, and what it means."""
    starts: int = 1
    """Of a fit of fewer molecules than can be resampled."""
    samples: int = 0
    """Of the molecules, with replacement; 0: not resampled."""
    prepare: Callable[[Path], None] | None = None
    """Puts into a folder what the settings name there."""
    notes: tuple[str, ...] = ()
    level: str = ""
    """Of the references, where their files do not state it."""
    mark: str = ""
    """What stands behind the name in every table."""

    @property
    def label(self) -> str:
        """What tables call it."""
        return f"{self.name} ({self.mark})" if self.mark else self.name


def mm3(start: str, train: str, molecules: str, targets: str, *, strength: float, end: str = "") -> str:
    """Return settings that train the substructures of an MM3* file whose titles match a pattern."""
    return (
        f'[forcefield]\nstart = "{start}"\nestimate = "none"\ntrain = ["substructure:{train}"]\n'
        f"[[molecules]]\n{molecules}\n[targets]\n{targets}\n[fit]\nprior = {{ strength = {strength} }}\n{end}"
    )


CURVATURES = "eigenmatrix = { tolerance = 50.0, off_diagonal = 20.0 }\n"
FORCES, LOOSE_FORCES = "forces = { tolerance = 5.0 }\n", "forces = { tolerance = 20.0 }\n"
"""Loose where rows that are kept, and stiff reaction modes, leave forces that no substructure can mend."""
STRUCTURES = "bond_length = { tolerance = 0.01 }\nbond_angle = { tolerance = 1.0 }\ntorsion = { tolerance = 4.0 }\n"
"""Of relaxed molecules: rows that are kept pull these away from the references unless others take their part."""
ENERGIES = "energy = { tolerance = 0.5 }\n"
EARLY = "tolerance = 1e-5\n"
"""Torsions that turn at next to no energy are settled by the last digits of the cost alone."""

PUBLISHED_SULFONE = DATA / "mm3-substructures" / "sulfone.fld"
_NITROGEN = (" 25 ", " 26 ")
"""MacroModel's types N2, of the structures, and N3, of the published rows."""
_END = "\n-3\n"


def published_sulfamide(folder: Path) -> None:
    """Write the structures with the nitrogen type of the published rows, and a file that ends with these rows."""
    source = DATA / "sulfamide"
    for path in source.glob("*.mae"):
        lines = path.read_text(encoding="utf-8").splitlines()
        changed = [line.replace(*_NITROGEN, 1) if line.split()[1:2] == ["25"] else line for line in lines]
        (folder / path.name).write_text("\n".join(changed) + "\n", encoding="utf-8")
    (folder / "atom.typ").write_bytes((source / "atom.typ").read_bytes())
    rows = PUBLISHED_SULFONE.read_text(encoding="utf-8")
    rows = rows[rows.index(" C  Sulfone") :]
    whole = (source / "mm3.fld").read_text(encoding="utf-8")
    before = whole[: whole.index(" C  Diaminosulfone")]
    (folder / "mm3.fld").write_text(before + rows, encoding="utf-8")


def palladium_references(folder: Path) -> None:
    """Put the complexes together, relax them with the published force field, and make their GFN2-xTB references."""
    source = DATA / "pd-allyl"
    for name in ("mm3.fld", "atom.typ"):
        (folder / name).write_bytes((source / name).read_bytes())
    pieces = folder / "pieces"
    pieces.mkdir(exist_ok=True)
    made = partial(complex_mae, allyl=source / "allyl6.mae", types=source / "atom.typ")
    ligands = {name: source / "phox" / f"{name}.mae" for name in LIGANDS}
    lacking = [name for name in LIGANDS if not (folder / f"{name}.json").is_file()]
    for name in lacking:
        (pieces / f"{name}.mae").write_text(made(ligands[name]), encoding="utf-8")
    if lacking:
        structures = [str(pieces / f"{name}.mae") for name in lacking]
        forgefield("relax", str(folder / "mm3.fld"), *structures, "-o", str(folder / "relaxed"), "--overwrite")
    for name in lacking:
        geometry, output = folder / "relaxed" / f"{name}.xyz", folder / f"{name}.json"
        forgefield("reference", str(geometry), "--method", "gfn2", "--optimise", "-o", str(output), "--overwrite")
    for name, ligand in ligands.items():
        positions = read_qcschema(folder / f"{name}.json").positions
        (folder / f"{name}.mae").write_text(made(ligand, positions=positions), encoding="utf-8")


def forgefield(*words: str) -> None:
    """Run the program; what it says goes to stderr."""
    subprocess.run([sys.executable, "-m", "forgefield", *words], check=True, stdout=sys.stderr)


_RH = "{data}/rh-enamide"
_RH_MOLECULES = (
    f'structures = "{_RH}/mae/*.mae"\nreference = ["{_RH}/jaguar/*.in", "{_RH}/jaguar/*.out"]\ntransition_state = "C"\n'
)
_SULFAMIDE = (
    'structures = "{folder}/*.mae"\nreference = ["{data}/sulfamide/*.in", "{data}/sulfamide/*.out.gz"]\n'
    'transition_state = "C"\n'
)
_SULFAMIDE_HERE = _SULFAMIDE.replace("{folder}", "{data}/sulfamide")
_SULFAMIDE_OTHERS = (
    "J. Phys. Chem. A 2016, 120, 3677 publishes the end values of the rows (`Sulfone (FFB)`), fitted to "
    "sulfones and sulfonamides beside these structures; figures for these six alone are not public",
)

SYSTEMS = (
    System(
        name="ch3f",
        title="CH₃F",
        start="estimate (QFUERZA), harmonic stretches and bends",
        settings='[forcefield]\nform = "harmonic"\nterms = ["stretch", "bend"]\n'
        '[[molecules]]\nreference = ["{data}/ch3f/ch3f-optimized.xyz", "{data}/ch3f/ch3f-hessian.npy"]\n'
        "[targets]\nfrequencies = { tolerance = 20.0 }\nforces = { tolerance = 0.1 }\n"
        "[fit]\nprior = { strength = 0.0 }\n",
        others=(
            "q2mm, 82 pairs of optimiser and engine: 0.0 to 1105 cm⁻¹, in 0.5 to 2,769 s. Six distinct "
            "frequencies do not determine eight parameters: its 0.02 cm⁻¹ leaves forces of 230 to 790 "
            "kcal/mol/Å at the QM geometry",
            SORTED,
        ),
        starts=STARTS,
        level="B3LYP/6-31+G(d)",
        notes=(
            "Modes are fitted to with their frequencies, as the default does; frequencies alone can be fitted better",
        ),
    ),
    System(
        name="ethane",
        title="Ethane, minimum and saddle of rotation",
        start="estimate (QFUERZA), MM3 with torsion and stretch-bend",
        settings='[forcefield]\nterms = ["stretch", "bend", "torsion", "stretch_bend"]\n'
        '[[molecules]]\nreference = ["{data}/ethane/GS.log", "{data}/ethane/GS.fchk"]\n'
        '[[molecules]]\nreference = ["{data}/ethane/TS.log", "{data}/ethane/TS.fchk"]\ntransition_state = "D"\n'
        "[targets]\nfrequencies = { tolerance = 20.0 }\nforces = { tolerance = 1.0 }\nenergy = { tolerance = "
        "0.1 }\n",
        others=("q2mm has the data as an example, without a table of results",),
        starts=STARTS,
        notes=("Policy D: the negative curvature of the rotation is fitted as it is, which torsions describe",),
    ),
    System(
        name="sn2",
        title="SN2, F⁻ + CH₃F, the saddle",
        start="estimate (QFUERZA), harmonic with stretch-stretch",
        settings='[forcefield]\nform = "harmonic"\nterms = ["stretch", "bend", "stretch_stretch"]\n'
        '[[molecules]]\nreference = ["{data}/sn2/sn2-ts-optimized.xyz", "{data}/sn2/sn2-ts-hessian.npy"]\n'
        'transition_state = "D"\n'
        "[targets]\nfrequencies = { tolerance = 20.0 }\nforces = { tolerance = 0.1 }\n",
        others=("q2mm has the data as an example, and no figure for a fit of the saddle alone",),
        starts=STARTS,
        level="B3LYP/6-31+G(d)",
    ),
    System(
        name="rh-enamide",
        title="Rh-enamide hydrogenation, nine transition states",
        start="published substructure (JCTC 2008)",
        settings=mm3(
            f"{_RH}/forcefield/rh_hyd_enamide_final.fld",
            "*",
            _RH_MOLECULES,
            CURVATURES + LOOSE_FORCES + STRUCTURES + ENERGIES,
            strength=1.0,
        ),
        others=(
            "Donoghue et al., JCTC 2008, 4, 1313, MacroModel: relaxed bonds within 0.03 Å, angles below 2°, "
            "energies 0.3 to 0.5 kcal/mol",
            "q2mm from the published field / from QFUERZA: bonds 0.039 / 0.054 Å, angles 3.2 / 3.3°, "
            "eigenvalues R² 0.968 / 0.969, frequencies 188 to 260 cm⁻¹ after the fit; 11,724 cm⁻¹ for the "
            "published field, of which it had not read most rows",
            SORTED,
        ),
        samples=20,
        notes=("Policy C: a large positive eigenvalue takes the place of the negative one, and is not fitted to",),
    ),
    System(
        name="sulfamide-published",
        title="Sulfamide, six stationary points, from the published rows",
        start="published rows `Sulfone (FFB)` (JPCA 2016)",
        settings=mm3("{folder}/mm3.fld", "Sulfone*", _SULFAMIDE, CURVATURES + FORCES + ENERGIES, strength=0.3),
        others=_SULFAMIDE_OTHERS,
        samples=100,
        prepare=published_sulfamide,
        notes=(
            "The published rows are for nitrogen of type N3, these structures have N2: their nitrogen is given "
            "type N3 here, with all that the tables of the file say of that type. So the comparison is of the "
            "rows, not of the published use of them",
            "The published lengths are those of another level of theory: S=O 1.477 Å, N-H 1.031 Å, where these "
            "structures have 1.433 and 1.013",
            "Policy C with the reaction modes of the three saddles left out of the fit",
        ),
    ),
    System(
        name="sulfamide",
        title="Sulfamide, six stationary points, from the start of its authors",
        start="`Diaminosulfone OPT` of the file: constants of 5 and 0.5, measured lengths and angles",
        settings=mm3(
            "{data}/sulfamide/mm3.fld",
            "Diaminosulfone*",
            _SULFAMIDE_HERE,
            CURVATURES + FORCES + ENERGIES,
            strength=0.3,
        ),
        others=_SULFAMIDE_OTHERS,
        samples=100,
        notes=("Policy C with the reaction modes of the three saddles left out of the fit",),
    ),
    System(
        name="sulfamide-saddles",
        title="Sulfamide, six stationary points, saddles as saddles",
        start="`Diaminosulfone OPT` of the file: constants of 5 and 0.5, measured lengths and angles",
        settings=mm3(
            "{data}/sulfamide/mm3.fld",
            "Diaminosulfone*",
            _SULFAMIDE_HERE.replace('"C"', '"D"'),
            CURVATURES + FORCES + STRUCTURES.replace("4.0", "10.0") + ENERGIES,
            strength=0.3,
            end=EARLY,
        ),
        others=_SULFAMIDE_OTHERS,
        samples=20,
        notes=(
            "As the line before, but under policy D and to relaxed structures too: negative curvatures are fitted as "
            "they are, and the three saddles relaxed as saddles, where under C they go to the minima next to them",
        ),
    ),
    System(
        name="heck-meets",
        title="Redox-relay Heck reaction, two Pd transition states",
        start="published substructures of Heck palladium, pyridine, oxazoline",
        settings=mm3(
            "{data}/heck-meets/mm3.fld",
            "*",
            'structures = "{data}/heck-meets/*.mae"\nreference = "{data}/heck-meets/*.log"\ntransition_state = "C"\n',
            CURVATURES + LOOSE_FORCES + STRUCTURES + ENERGIES,
            strength=1.0,
            end=EARLY,
        ),
        others=(
            "Rosales et al. 2020, 24 structures, MacroModel: slopes and R² near unity, geometries 0.25 Å (RMSD "
            "of atoms)",
            "q2mm, 24 structures, from the published field / from QFUERZA: bonds 0.043 / 25.8 Å, eigenvalues "
            "R² −14 / −4.7",
            MISSING,
        ),
        starts=30,
        notes=("Two of the 24 structures are public with their Hessians",),
    ),
    System(
        name="pd-allyl",
        title="Pd-allyl with PHOX ligands, three complexes",
        start="published substructures (Wahlers 2021), which were fitted to DFT",
        settings=mm3(
            "{folder}/mm3.fld",
            "PdAllyl*",
            'structures = "{folder}/*.mae"\nreference = "{folder}/*.json"\n',
            CURVATURES + FORCES + STRUCTURES,
            strength=1.0,
            end=EARLY,
        ),
        others=(
            "Wahlers et al. 2021, 21 structures, MacroModel and DFT: geometries R² 0.988, eigenvalues R² "
            "0.998, charges 0.822",
            "q2mm from the published field / from QFUERZA: bonds 0.37 / 0.29 Å, angles 14 / 12°, eigenvalues "
            "R² −2.8 / −2.6",
            MISSING,
        ),
        samples=10,
        prepare=palladium_references,
        mark="references by GFN2-xTB",
        notes=(
            "References are by GFN2-xTB (`forgefield reference --method gfn2 --optimise`), a semi-empirical "
            "method, in every figure here: what the published field is off by is also the difference between "
            "that and DFT",
            "Complexes are the public pieces of the ligands and of 1,3-diphenylallyl put together; three of "
            "six ligands",
        ),
    ),
)
