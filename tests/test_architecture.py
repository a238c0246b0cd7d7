"""The layers of the package and the limits that keep it readable."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "forgefield"
FILES = sorted(ROOT.rglob("*.py"))

BOTTOM = {"errors", "units"}
MOLECULES = BOTTOM | {"molecules", "terms"}
MODELS = MOLECULES | {"models"}
PROPERTIES = MODELS | {"properties"}
ESTIMATE = PROPERTIES | {"estimate"}
FIT = ESTIMATE | {"fit"}
SIMULATE = PROPERTIES | {"simulate"}
DISTIL = FIT | SIMULATE | {"distil"}
IO = MODELS | {"assign", "properties", "io"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "units": set(),
    "terms": BOTTOM | {"terms"},
    "molecules": BOTTOM | {"molecules"},
    "models": MODELS,
    "assign": MODELS | {"assign"},
    "properties": PROPERTIES,
    "estimate": ESTIMATE,
    "fit": FIT,
    "simulate": SIMULATE,
    "distil": DISTIL,
    "io": IO,
    "engines": IO | {"engines"},
    "report": IO | {"fit", "report"},
    "config": BOTTOM,
    "jobs": DISTIL | IO | {"engines", "report", "config", "jobs"},
    "console": BOTTOM | {"jobs"},
    "cli_reference": IO | {"engines", "console", "jobs"},
    "cli": DISTIL | IO | {"engines", "report", "config", "console", "cli_reference", "jobs"},
    "__main__": {"cli"},
    "__init__": {"jobs"},
}
"""What each folder or module may import of the package."""
CORE = {"terms", "molecules", "models", "assign", "properties", "estimate", "fit", "simulate", "distil"}
DEPENDENCIES = {
    "ase", "defusedxml", "equinox", "h5py", "jax", "jaxtyping", "jinja2", "markupsafe", "numpy", "optax", "pydantic",
    "rdkit", "rich", "safetensors", "scipy", "threadpoolctl", "typer", "vesin",
}  # fmt: skip
OPTIONAL = {"engines/pyscf.py": {"pyscf"}, "engines/xtb.py": {"tblite"}, "engines/optimise.py": {"geometric"},
            "engines/openmm.py": {"openmm"}}  # fmt: skip

MAX_FILE, MAX_FUNCTION, MAX_NAMES = 400, 60, 30


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name, node.lineno) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            # `from forgefield import units` imports a module of the package.
            names = [f"{node.module}.{n.name}" for n in node.names] if node.module == "forgefield" else [node.module]
            found += [(name or "", node.lineno) for name in names]
    return found


@pytest.fixture(params=FILES, ids=lambda path: str(path.relative_to(ROOT)))
def path(request) -> Path:
    return request.param


def test_imports_only_what_its_layer_allows(path):
    allowed = ALLOWED[layer(path)]

    used = [
        (name.split(".")[1], line)
        for name, line in imports(ast.parse(path.read_text()))
        if name.startswith("forgefield.")
    ]

    assert [(name, line) for name, line in used if name not in allowed] == []


def test_uses_only_declared_dependencies(path):
    standard = set(__import__("sys").stdlib_module_names)
    allowed = DEPENDENCIES | standard | {"forgefield"} | OPTIONAL.get(str(path.relative_to(ROOT)), set())

    used = {name.split(".")[0] for name, _ in imports(ast.parse(path.read_text()))}

    assert used - allowed == set()


def test_the_core_touches_no_file(path):
    if layer(path) not in CORE:
        return
    tree = ast.parse(path.read_text())

    used = {name.split(".")[0] for name, _ in imports(tree)}
    opened = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "open"]

    assert used & {"pathlib", "os", "shutil", "tempfile", "subprocess"} == set()
    assert opened == []


def test_imports_of_the_package_stand_at_the_top(path):
    if layer(path) in ("cli", "cli_reference"):
        return
    tree = ast.parse(path.read_text())
    top = {node.lineno for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}

    inside = [(name, line) for name, line in imports(tree) if line not in top and name.startswith("forgefield")]

    assert inside == []


def test_files_and_functions_are_short(path):
    text = path.read_text()
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    long = [(f.name, n) for f in functions if (n := (f.end_lineno or f.lineno) - f.lineno + 1) > MAX_FUNCTION]

    assert len(text.splitlines()) <= MAX_FILE
    assert long == []


def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_every_layer_is_in_the_table():
    assert {layer(path) for path in FILES} == set(ALLOWED)


def test_the_package_exports_few_names():
    assert len(dir(__import__("forgefield"))) <= MAX_NAMES
