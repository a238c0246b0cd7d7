"""Every format that is read or written, a row for each: suffixes, how it is known by content, readers and writers."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from forgefield.assign.assignment import Assignment
from forgefield.assign.nonbonded import near_scale
from forgefield.errors import InputError
from forgefield.io.forcefields import native
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.amber.frcmod_writer import FRCMOD
from forgefield.io.forcefields.amber.parameters import is_parameter_set
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.forcefields.amber.prmtop_writer import PRMTOP
from forgefield.io.forcefields.amber.typed import amber_rules
from forgefield.io.forcefields.charmm.writer import CHARMM
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.io.forcefields.gromacs.writer import TOP
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.io.forcefields.lammps.files import read_positions
from forgefield.io.forcefields.lammps.reader import read_lammps
from forgefield.io.forcefields.lammps.writer import LAMMPS
from forgefield.io.forcefields.mm3.fld import read_mm3, write_mm3
from forgefield.io.forcefields.mm3.generated_fld import write_generated_fld
from forgefield.io.forcefields.neural.painn_file import read_painn_rules
from forgefield.io.forcefields.openmm.openmm_xml import write_openmm_xml
from forgefield.io.forcefields.openmm.system.reader import read_system
from forgefield.io.forcefields.openmm.system.templates import read_templates
from forgefield.io.forcefields.openmm.system.writer import write_laid_system, write_system
from forgefield.io.forcefields.openmm.templates_writer import TEMPLATES
from forgefield.io.forcefields.smirnoff.rules import read_smirnoff
from forgefield.io.forcefields.smirnoff.writer import SMIRNOFF
from forgefield.io.forcefields.tinker.files import is_tinker_structure
from forgefield.io.forcefields.tinker.files import read_positions as read_tinker_positions
from forgefield.io.forcefields.tinker.reader import read_key
from forgefield.io.forcefields.tinker.writer import TINKER
from forgefield.io.format import Format, Structures
from forgefield.io.qm.gaussian.fchk import read_fchk
from forgefield.io.qm.gaussian.log import read_gaussian_log
from forgefield.io.qm.gaussian.rigid_scan import is_rigid_scan, read_rigid_scan
from forgefield.io.qm.gaussian.scan import is_gaussian_scan, read_gaussian_scan
from forgefield.io.qm.jaguar import read_jaguar_input, read_jaguar_output
from forgefield.io.qm.numpy_hessian import read_energy_text, read_frequencies_text, read_numpy_hessian
from forgefield.io.qm.programs.kinds import KINDS
from forgefield.io.qm.programs.scm.ams import read_rkf
from forgefield.io.qm.programs.unread import way_round
from forgefield.io.qm.qcschema import read_qcschema, write_qcschema
from forgefield.io.qm.torsion_drive import MARK, read_torsion_drive
from forgefield.io.sources import is_smiles, plain_name
from forgefield.io.structures.atom_types import AtomTypes
from forgefield.io.structures.coordinates.gro import read_gro
from forgefield.io.structures.coordinates.inpcrd import read_inpcrd
from forgefield.io.structures.gaussian_input import is_gaussian_input, read_gaussian_input
from forgefield.io.structures.mae import read_mae
from forgefield.io.structures.mol2 import read_mol2
from forgefield.io.structures.residues import is_mmcif, is_pdb, read_mmcif, read_pdb
from forgefield.io.structures.sdf import is_molfile, read_sdf, write_sdf
from forgefield.io.structures.smiles import read_smiles
from forgefield.io.structures.xyz import read_xyz, write_xyz
from forgefield.io.text import read_text
from forgefield.molecules.molecule import Molecule

_PAGES = 4_000_000
"""Characters of the ends of large texts by which programs are known."""
_GROMACS = re.compile(r"^\s*\[\s*(moleculetype|molecules)\s*\]", re.MULTILINE)
_XTB_FRAME = re.compile(r"\A\s*\d+\n energy: +\S+ .*xtb: \S+ ")
"""xTB writes scans and optimisations as xyz files that are called xtbscan.log and xtbopt.log."""


def _on_first_and_last_pages(known: Callable[[Path, str], bool], path: Path, text: str) -> bool:
    """Return whether a file is of a kind, of a large text by its ends."""
    return known(path, text if len(text) <= 4 * _PAGES else text[:_PAGES] + text[-_PAGES:])


def _is_gaussian(_: Path, text: str) -> bool:
    # Each program signs its output on the first page or, in a log that was cut, with its archive.
    return "Gaussian, Inc" in text or "Entering Gaussian System" in text or "Normal termination of Gaussian" in text


def _is_scan(path: Path, text: str) -> bool:
    return _is_gaussian(path, text) and is_gaussian_scan(text)


def _is_rigid_scan(path: Path, text: str) -> bool:
    return _is_gaussian(path, text) and is_rigid_scan(path, text)


def _says(word: str, other: str, path: Path, text: str) -> bool:
    """Return whether the comments of a text, or the name of its file if they say neither word, have the first one."""
    comments = " ".join(line for line in text.splitlines() if line.lstrip().startswith("#")).lower()
    return word in next((words for words in (comments, path.stem.lower()) if word in words or other in words), "")


def _is_frcmod(path: Path, _: str) -> bool:
    # AMBER's own are called frcmod.ff14SB and the like.
    return "frcmod" in (path.suffix.lower()[1:], path.name.lower().partition(".")[0])


@dataclass(frozen=True)
class _Finds:
    pattern: re.Pattern

    def __call__(self, _: Path, text: str) -> bool:
        return bool(self.pattern.search(text))


def _read_mae(path: Path, types: AtomTypes | None) -> list[Molecule]:
    return read_mae(path, atom_types=types)


def _without_types(read: Callable[[Path], list[Molecule]]) -> Callable[[Path, AtomTypes | None], list[Molecule]]:
    """Return what reads structures whose types, if any, are named in the file."""
    return lambda path, _: read(path)


def _write_one(path: Path, structures: Structures) -> None:
    ((molecule, reference),) = structures
    write_qcschema(path, molecule, reference)


def _write_xml(path: Path, assignment: Assignment, molecules: list[Molecule]) -> tuple[Path, ...]:
    """Write a force field as OpenMM's ForceField, one with the pairs of OPLS as it is laid over one molecule."""
    own = near_scale(row.term for row in assignment.rows) == 1.0
    return (write_openmm_xml if own else TEMPLATES.write_laid)(path, assignment, molecules)


def _write_native(path: Path, assignment: Assignment, molecules: list[Molecule]) -> tuple[Path, ...]:
    del molecules
    native.write_native(path, assignment)
    return (path,)


def _of_systems(form: Format, word: str, system: SystemFormat) -> Format:
    """Return a format with what writes systems."""
    writes = {"write_rules": system.write_rules, "write_laid": system.write_laid, "system": system}
    return replace(form, word=word, forms=("harmonic", "opls"), of_one=True, **writes)


_IS_JAGUAR = _Finds(re.compile("Jaguar version"))
_NUMBERS = "comment (# …) or name that says `frequencies` or `energy`"
NATIVE = Format(
    "ForgeField force field",
    (".json",),
    known=_Finds(re.compile(re.escape(native.KEY))),
    forms=("mm3", "harmonic", "opls"),
    rules=native.read_native,
    write_rules=native.write_rules,
    write_laid=_write_native,
)
_SMILES = Format("SMILES", (".smi", ".smiles"), molecules=_without_types(read_smiles))
_TINKER = Format("Tinker structure", (".txyz",), positions=read_tinker_positions)
FORMATS = (
    *(
        Format(
            one.name,
            (),
            partial(_on_first_and_last_pages, one.known),
            has_any_suffix=True,
            part=one.read,
            frames=one.frames,
            has_geometry=one.has_geometry,
        )
        for one in KINDS
    ),
    Format(
        "xyz",
        (".xyz", ".extxyz"),
        frames=read_xyz,
        write_structures=lambda path, found: write_xyz(path, [reference for _, reference in found]),
        lacks=("bonds", "types", "formal charges", "Hessian", "frequencies"),
    ),
    Format("xTB frames", (), _Finds(_XTB_FRAME), has_any_suffix=True, frames=read_xyz),
    Format("Gaussian formatted checkpoint", (".fchk", ".fch"), part=read_fchk),
    NATIVE,
    Format("torsion drive", (".json",), known=_Finds(MARK), frames=read_torsion_drive),
    Format(
        "QCSchema JSON",
        (".json",),
        part=read_qcschema,
        write_structures=_write_one,
        lacks=("types", "several structures"),
    ),
    Format("Jaguar input", (".in",), part=read_jaguar_input),
    Format("AMS results", (".rkf",), part=read_rkf),
    Format("NumPy Hessian", (".npy",), part=read_numpy_hessian, has_geometry=False, states_unit=False),
    Format("Maestro", (".mae", ".maegz"), molecules=_read_mae),
    Format("mol2", (".mol2",), molecules=_without_types(read_mol2)),
    Format(
        "MDL molfile",
        (".sdf", ".mol", ".sd"),
        is_molfile,
        has_any_suffix=True,
        molecules=_without_types(read_sdf),
        write_structures=lambda path, found: write_sdf(path, [molecule for molecule, _ in found]),
        lacks=("types", "energy", "gradient", "Hessian", "frequencies", "charges"),
    ),
    Format("mmCIF", (".cif", ".mmcif"), is_mmcif, has_any_suffix=True, molecules=_without_types(read_mmcif)),
    Format("PDB", (".pdb", ".ent"), is_pdb, has_any_suffix=True, molecules=_without_types(read_pdb)),
    _SMILES,
    Format(
        "Gaussian input",
        (".gjf", ".com"),
        is_gaussian_input,
        molecules=_without_types(lambda path: [read_gaussian_input(path)]),
    ),
    Format("Jaguar output", (".log", ".out"), _IS_JAGUAR, has_any_suffix=True, part=read_jaguar_output),
    Format("Gaussian relaxed scan", (".log", ".out"), known=_is_scan, has_any_suffix=True, frames=read_gaussian_scan),
    Format("Gaussian rigid scan", (".log", ".out"), known=_is_rigid_scan, has_any_suffix=True, frames=read_rigid_scan),
    Format("Gaussian output", (".log", ".out"), known=_is_gaussian, has_any_suffix=True, frames=read_gaussian_log),
    Format(
        "frequencies",
        (".txt",),
        partial(_says, "frequenc", "energy"),
        _NUMBERS,
        part=read_frequencies_text,
        has_geometry=False,
    ),
    Format(
        "energy", (".txt",), partial(_says, "energy", "frequenc"), _NUMBERS, part=read_energy_text, has_geometry=False
    ),
    Format(
        "MM3*",
        (".fld",),
        word="fld",
        forms=("mm3",),
        rules=read_mm3,
        write_rules=write_mm3,
        write_laid=write_generated_fld,
    ),
    Format(
        "AMBER parameters",
        (".frcmod",),
        _is_frcmod,
        has_any_suffix=True,
        word="frcmod",
        forms=("harmonic",),
        rules=amber_rules,
        write_rules=FRCMOD.write_rules,
        write_laid=write_frcmod,
        system=FRCMOD,
    ),
    Format("AMBER parameter set", (".dat",), is_parameter_set, "line MOD4 RE", rules=amber_rules),
    Format(
        "OpenMM XML",
        (".xml",),
        _Finds(re.compile("<ForceField")),
        word="openmm-xml",
        forms=("mm3", "harmonic", "opls"),
        rules=read_templates,
        write_rules=TEMPLATES.write_rules,
        write_laid=_write_xml,
        system=TEMPLATES,
    ),
    Format(
        "OpenMM System",
        (".system.xml", ".xml"),
        _Finds(re.compile("<System")),
        word="openmm-system",
        forms=("mm3", "harmonic", "opls"),
        of_one=True,
        rules=read_system,
        write_rules=write_system,
        write_laid=write_laid_system,
    ),
    _of_systems(
        Format(
            "GROMACS topology",
            (".top",),
            _Finds(_GROMACS),
            "section [ moleculetype ] or [ molecules ]",
            rules=read_top,
        ),
        *("gromacs", TOP),
    ),
    _of_systems(
        Format(
            "AMBER topology",
            (".prmtop", ".parm7", ".top"),
            _Finds(re.compile("%FLAG POINTERS")),
            "section %FLAG POINTERS",
            rules=read_prmtop,
        ),
        *("prmtop", PRMTOP),
    ),
    _of_systems(Format("LAMMPS", (".lmp",), rules=read_lammps), "lammps", LAMMPS),
    _of_systems(Format("SMIRNOFF", (".offxml",), rules=read_smirnoff), "offxml", SMIRNOFF),
    _of_systems(Format("CHARMM", (".psf",)), "charmm", CHARMM),
    _of_systems(Format("Tinker", (".key",), rules=read_key), "tinker", TINKER),
    Format("AMBER coordinates", (".inpcrd", ".rst7", ".ncrst", ".crd"), positions=read_inpcrd),
    Format("GROMACS coordinates", (".gro",), positions=read_gro),
    Format("LAMMPS data", (".data",), positions=read_positions),
    _TINKER,
    Format("PaiNN", (".safetensors",), rules=read_painn_rules),
)
"""Where a file may be of several formats, the first that it is known to be of counts."""


def format_of(path: Path) -> Format:
    """Return the format of a file; raises InputError where suffix and content leave it unknown."""
    if is_smiles(path):
        return _SMILES
    plain = plain_name(path)
    # Under the suffix of other structures, which are known by theirs.
    if plain.suffix.lower() == ".xyz" and is_tinker_structure(path):
        return _TINKER
    suffix = plain.suffix.lower()
    alike = [one for one in FORMATS if suffix in one.suffixes]
    if len(alike) == 1 and alike[0].known is None:
        return alike[0]
    if not alike and not path.is_file():
        raise InputError(f"{path}: {'is a folder; name the files in it' if path.is_dir() else _unknown(suffix)}")
    text = read_text(path)
    possible = [one for one in FORMATS if one in alike or one.has_any_suffix]
    if suffix == ".json" and text.lstrip()[:1] == "{":
        # It may hold the output of a program among its texts.
        possible = [one for one in possible if one in alike or "json" in one.name.lower()]
    found = next((one for one in possible if one.known is None or one.known(plain, text)), None)
    if found is None:
        wanted = "".join(dict.fromkeys(f"; there is no {one.clue}" for one in alike if one.clue))
        none = "neither" if len(alike) > 1 else "no"
        names = f"is {none} {' nor '.join(one.name for one in alike)}, as far as its content tells{wanted}"
        raise InputError(f"{path}: {way_round(text) or (names if alike else _unknown(suffix))}")
    return found


_PARTS = {
    ".prm": "a part of CHARMM's or Tinker's force fields: join it (ligand.psf+par.prm+top.rtf, ligand.xyz+mm3.prm)",
    ".rtf": "a part of CHARMM's force fields: join it to the .psf by + (ligand.psf+par.prm+top.rtf)",
    ".str": "a part of CHARMM's force fields: join it to the .psf by + (ligand.psf+par.prm+ligand.str)",
    ".itp": "included by a topology of GROMACS: give the .top that includes it",
}
"""What files are that belong to others, by their suffixes."""


def _unknown(suffix: str) -> str:
    if suffix in _PARTS:
        return f"is {_PARTS[suffix]}"
    return (
        f"the suffix {suffix!r} is not known; known are {', '.join(suffixes(FORMATS))}, and files of QM programs by "
        "their content"
    )


def force_fields() -> list[Format]:
    """Return the formats of force fields; the native one comes first."""
    return [NATIVE, *(one for one in FORMATS if one is not NATIVE and (one.rules or one.write_laid))]


def force_field_format(path: Path) -> Format | None:
    """Return the format of force fields that a file has, by its text where several have its suffix; None for none."""
    name = plain_name(path)
    alike = [one for one in force_fields() if name.suffix.lower() in one.suffixes]
    known_by_text = len(alike) > 1 or name.name.lower().startswith("frcmod")
    return format_of(path) if known_by_text and path.is_file() else written_force_field(path)


def written_force_field(path: Path) -> Format | None:
    """Return the format of force fields that a file has by its suffix, the longest that it has; None for none."""
    name = plain_name(path).name.lower()
    fitting = [(len(suffix), one) for one in force_fields() for suffix in one.suffixes if name.endswith(suffix)]
    return max(fitting, key=lambda both: both[0], default=(0, None))[1]


def written_structures() -> list[Format]:
    """Return the formats in which structures are written."""
    return [one for one in FORMATS if one.write_structures]


def suffixes(formats: Iterable[Format]) -> list[str]:
    """Return the suffixes of formats, each once."""
    return list(dict.fromkeys(suffix for one in formats for suffix in one.suffixes))
