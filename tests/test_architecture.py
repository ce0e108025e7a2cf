"""Rules of the tree: who may import whom, what is described, what never enters the repository."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from commands import CHECKOUT
from navbook import schemas
from navbook.settings import Account, Alerts, Backtest, Benchmark, Fees, Group, Job, Keep, Settings
from navbook.store import catalog

LIB = CHECKOUT / "lib"
STAGES = {"exchange", "store", "compute", "publish"}
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def imports(file: Path) -> set[str]:
    """Every module that `file` imports, `from a import b` as both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stages_never_import_one_another(stage):
    for file in (LIB / "navbook" / stage).rglob("*.py"):
        foreign = {name for name in imports(file) for other in (STAGES - {stage}) | {"runner", "cli", "trader"}
                   if name.startswith(f"navbook.{other}")}
        assert not foreign, f"{file.name} imports {foreign}"


def test_compute_imports_only_numbers_and_the_standard_library():
    allowed = {"polars", "numpy", "numba", "pyxirr", "navbook"}
    for file in (LIB / "navbook" / "compute").rglob("*.py"):
        foreign = {name.split(".")[0] for name in imports(file)} - allowed - sys.stdlib_module_names
        assert not foreign, f"{file.name} imports {foreign}"


def test_navbook_and_the_sandbox_agree_on_the_wire_alone():
    for package, other in (("navbook", "binance_sandbox"), ("binance_sandbox", "navbook")):
        for file in (LIB / package).rglob("*.py"):
            assert not any(name.split(".")[0] == other for name in imports(file)), file


def test_notebooks_are_committed_without_outputs_and_hold_no_logic():
    for file in (CHECKOUT / "notebooks").rglob("*.ipynb"):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [], file
                assert cell["execution_count"] is None, file
                assert not re.search(r"^\s*(def|class|for|while|if|try) ", source, re.MULTILINE), f"{file}: {source}"
                is_parameters = "parameters" in cell["metadata"].get("tags", [])
                assert len(source.splitlines()) <= (24 if is_parameters else 12), f"{file}: {source}"


def undocumented(source: str) -> list[str]:
    """The public functions and classes of a module without a docstring; and the module itself."""
    tree = ast.parse(source)
    wanted = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"]
    return [node.name for node in wanted if not ast.get_docstring(node) and not _is_route(node)] + ([] if ast.get_docstring(tree) else ["the module"])


def _is_route(node: ast.AST) -> bool:
    """What serves a route of the sandbox, or weighs it: its row in app.py says which, and Binance's documentation what."""
    arguments = [ast.unparse(each) for each in node.args.args] if isinstance(node, ast.FunctionDef) else []
    return arguments in (["call: Call"], ["params: dict[str, str]"], ["state: State", "fields: Fields"])


def test_every_public_function_and_class_is_documented():
    found = {str(file.relative_to(LIB)): names for file in LIB.rglob("*.py") if (names := undocumented(file.read_text(encoding="utf-8")))}
    assert found == {}


def test_types_are_checked_strictly():
    mypy = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert mypy["strict"] is True
    assert mypy["files"] == ["lib"]
    relaxed = {"ignore_errors", "disallow_untyped_defs", "check_untyped_defs", "follow_imports"}
    assert [name for override in mypy["overrides"] for name in override if name in relaxed and "numba" not in str(override)] == []


def test_only_the_store_reads_its_tables():
    """A damaged file is named there; elsewhere it would be a traceback of polars."""
    assert [str(file) for file in (LIB / "navbook").rglob("*.py") if ".collect()" in file.read_text(encoding="utf-8")
            and file.parts[-2] != "compute" and file.name not in ("tables.py", "__init__.py")] == []


def test_every_make_target_is_described():
    targets = re.findall(r"^([a-z-]+):.*## ", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [target for target in targets if f"`{target}`" not in README and f"make {target}" not in README
            and target != "help"] == []


def test_every_command_is_described():
    from navbook.cli import app
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    names += [f"{group.name} {command.name or command.callback.__name__}" for group in app.registered_groups
              for command in group.typer_instance.registered_commands]
    assert [name for name in names if f"`navbook {name}" not in README] == []


def test_every_setting_is_described():
    settings = [name for name in Settings.model_fields if name not in ("base", "file", "benchmark", "accounts", "groups", "fees",
                                                               "alerts", "keep", "backtest")]
    nested = [f"benchmark.{name}" for name in Benchmark.model_fields]
    nested += [f"accounts.NAME.{name}" for name in Account.model_fields]
    nested += [f"jobs.NAME.{name}" for name in Job.model_fields]
    nested += [f"groups.NAME.{name}" for name in Group.model_fields] + [f"fees.{name}" for name in Fees.model_fields]
    nested += [f"alerts.{name}" for name in Alerts.model_fields] + [f"keep.{name}" for name in Keep.model_fields]
    nested += [f"backtest.{name}" for name in Backtest.model_fields]
    assert [name for name in settings + nested if f"`{name}`" not in README] == []


def test_every_table_and_view_is_described():
    assert [name for name in {*schemas.FACTS, *schemas.DERIVED, *catalog.FAMILIAR, schemas.LOGS.name} if f"`{name}`" not in README] == []


def test_the_lock_names_no_index_and_pins_every_dependency():
    lock = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", lock)
    pinned = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert {re.match(r"[A-Za-z0-9._-]+", name)[0].lower() for name in wanted} <= pinned


def test_every_import_is_a_declared_dependency():
    homes = {module: {home.lower().replace("_", "-") for home in found}
             for module, found in metadata.packages_distributions().items()} | {"binance": {"python-binance"}}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dask"]]
    declared = {re.match(r"[A-Za-z0-9._-]+", name)[0].lower() for name in wanted}
    foreign = {name.split(".")[0] for file in LIB.rglob("*.py") for name in imports(file)}
    foreign -= {*sys.stdlib_module_names, "navbook", "binance_sandbox"}
    assert [name for name in sorted(foreign) if not homes[name] & declared] == []


def test_git_holds_no_data_and_no_run():
    tracked = subprocess.run(["git", "ls-files", "data", "runs"], cwd=CHECKOUT, capture_output=True, text=True,
                             check=False).stdout.split()
    assert set(tracked) <= {"data/README.md", "runs/README.md"}
