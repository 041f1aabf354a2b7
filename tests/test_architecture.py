"""The architecture is a test: import contracts, sizes, and what no module may hold."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "migrator").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
#: what one can keep in mind of a package without opening it
MAX_NAMES = 8
#: front doors that are wider still, with as many names as they have: they may only become smaller
WIDER = {
    "migrator.data": 9,
    "migrator.errors": 11,
    "migrator.salesforce": 22,
    "migrator.simulator": 33,
    "migrator.soql": 13,
    "migrator.state": 13,
}
#: modules beside a front door: the frozen values of the data plane, what a simulated org is made from, and packages that have no other door
BESIDE = re.compile(
    r"migrator\.(data\.(jobs|later)|simulator\.(appkey|configure|schema\.files|schema\.model|seed)|(cli|model)\.\w+)"
)
PACKAGES = sorted(path.parent.name for path in (ROOT / "migrator").glob("*/__init__.py"))


def test_import_contracts_are_kept() -> None:
    # lint-imports is a console script without a module entry, hence the -c
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE_LINES, "a concept is missing: split the file"
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1})"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not long, f"functions over {MAX_FUNCTION_LINES} lines: {long}"


def test_files_of_tests_stay_small_too() -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in TESTS
        if path.read_text(encoding="utf-8").count("\n") > MAX_FILE_LINES
    ]
    assert not long, "they are about more than one thing"


@pytest.mark.parametrize("name", [f"migrator.{one}" for one in PACKAGES])
def test_front_doors_stay_small(name: str) -> None:
    exported = getattr(importlib.import_module(name), "__all__", ())
    assert len(exported) <= MAX_NAMES if name not in WIDER else len(exported) == WIDER[name]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_packages_are_used_through_their_front_doors(path: Path) -> None:
    own = path.relative_to(ROOT / "migrator").parts[0]
    past = [
        f"{node.lineno}: {node.module}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("migrator.")
        if node.module.count(".") > 1
        and node.module.split(".")[1] != own
        and not BESIDE.fullmatch(node.module)
    ]
    assert not past, f"imports past a front door: {past}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_hidden_imports_no_catch_all_no_unsafe_calls(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [
                f"{inner.lineno}: import inside a function"
                for inner in ast.walk(node)
                if isinstance(inner, ast.Import | ast.ImportFrom) and not _lazy_at_the_edge(path)
            ]
        if isinstance(node, ast.Name) and node.id == "TYPE_CHECKING":
            found.append(f"{node.lineno}: TYPE_CHECKING")
        if isinstance(node, ast.ImportFrom | ast.Import) and re.search(
            r"\b(pickle|shelve|marshal)\b", ast.unparse(node)
        ):
            found.append(f"{node.lineno}: unsafe module")
    assert not found


def _lazy_at_the_edge(path: Path) -> bool:
    """Only the command line may import late: `--help` must not pay for DuckDB."""
    return path.parent.name == "cli"
