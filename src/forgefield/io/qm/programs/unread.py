"""Programs whose output is recognised but not read, and what to give instead."""

_UNREAD = (
    ("!PROPERTIES!", "a property file of ORCA before 6", "the .out and .hess files of the job"),
    (
        "* CFOUR Coupled-Cluster techniques",
        "CFOUR output",
        "its files GRD or FCMFINAL, rewritten as extended xyz or .npy",
    ),
    ("Dalton - An Electronic Structure Program", "DALTON output", "its geometry as .xyz and its Hessian as .npy"),
    ("This run of MOLCAS", "Molcas output", "the .molden file of its MCKINLEY or SLAPAF step, or its Hessian as .npy"),
    ("CP2K|", "CP2K output", "the .mol file of its vibrational analysis (Molden format)"),
    ("Invoking FHI-aims", "FHI-aims output", "geometry.in as .xyz, and its hessian.dat as .npy"),
    ("vasp.", "VASP output", "its frames as extended xyz (`ase convert OUTCAR frames.extxyz`)"),
    ("Program PWSCF", "Quantum ESPRESSO output", "its frames as extended xyz (`ase convert job.pwo frames.extxyz`)"),
    ("Amsterdam Modeling Suite", "AMS output", "its .rkf converted to extended xyz"),
    ("Cartesian Coordinates are in [bohr]\n Creating new Variables", "the log file of Molpro", "its .out file"),
    ("MOPAC v", "MOPAC output", "its .aux file, which the keyword AUX writes"),
    ("MOPAC20", "MOPAC output", "its .aux file, which the keyword AUX writes"),
    ("BAGEL", "BAGEL output", "its .molden file"),
    ("Firefly version", "Firefly output", "its punch file with $HESS, and an .xyz of the geometry"),
    ("GAMESS-UK", "GAMESS-UK output", "its geometry as .xyz and its Hessian as .npy"),
)
"""What a text says, whose it is, and what to give."""
_PAGE = 20_000
"""Characters of the start of a text in which a program tells its name."""


def way_round(text: str) -> str:
    """Return whose a text is and what to give instead; nothing where that is not known."""
    page = text[:_PAGE]
    found = next(((name, instead) for mark, name, instead in _UNREAD if mark in page), None)
    return "is {}, which is not read; give {}".format(*found) if found else ""
