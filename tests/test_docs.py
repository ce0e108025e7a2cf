"""README.md, docs/ and `make help` say what the code does: what they name exists, what exists they name.

What is described only in README (commands, settings, tables, targets) is asked in test_architecture.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from commands import CHECKOUT
from navbook import schemas, settings
from navbook.cli import app
from navbook.compute.brackets import RULE_NAMES
from navbook.job import Job
from navbook.settings import Account, Alerts, Backtest, Benchmark, Fees, Group, Keep, Settings
from navbook.store import catalog

PAGES = {file.name: file.read_text(encoding="utf-8") for file in (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md")))}
TOGETHER = "\n".join(PAGES.values())
README = PAGES["README.md"]
SETTINGS = {*Settings.model_fields, *(f"trade.NAME.{name}" for name in (*RULE_NAMES, "account", "symbol")), "trade.NAME",
            *(f"{table}.{name}" for table, model in (
                ("benchmark", Benchmark), ("accounts.NAME", Account), ("groups.NAME", Group), ("fees", Fees),
                ("alerts", Alerts), ("backtest", Backtest), ("keep", Keep), ("jobs.NAME", Job)) for name in model.model_fields)}


def section(title: str) -> str:
    """The text of README below a heading, up to the next."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code(page: str) -> list[tuple[str, str]]:
    """The blocks of code in a page, each with its kind."""
    return [(kind, block) for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)]


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first cell of each row of the tables in `text`."""
    return [word for line in text.splitlines() if line.startswith("|") for word in re.findall(r"`([^`]+)`", line.replace(r"\|", "¦").split("|")[1])]


# -- make ---------------------------------------------------------------------------------------------------------------
def targets() -> set[str]:
    told = subprocess.run(["make", "-s", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in told.splitlines()}


def test_every_make_target_that_is_named_exists():
    named = {name for page in PAGES.values() for name in re.findall(r"(?:`|^|&& |exec )make (?:-s )?([a-z][a-z-]+)", page, re.MULTILINE)}
    assert len(named) > 5
    assert named <= targets()


def test_every_target_helps_and_runs_no_command_that_is_gone():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert rules == targets() == set(re.search(r"\.PHONY: ((?:.*\\\n)*.*)", makefile)[1].replace("\\\n", "").split())
    for line in re.findall(r"\$\(BIN\)/navbook (.*)", makefile):
        assert wrong(shlex.split(re.sub(r"\$\(.*\)", "x", line))) is None


# -- navbook ------------------------------------------------------------------------------------------------------------
def leaves(command: Any, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words, those included that do something by themselves and have others below."""
    found = {" ".join(words): command} if words else {}
    for name, inner in getattr(command, "commands", {}).items():
        found |= leaves(inner, (*words, name))
    return found


COMMANDS = leaves(typer.main.get_command(app))
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}


def wrong(words: list[str]) -> str | None:
    """What of a command line does not exist."""
    if words and words[0] == "sandbox":
        return None    # its own parser
    count = next((count for count in (2, 1) if " ".join(words[:count]) in COMMANDS), 0)
    if not count:
        return f"no command {words[:2]}"
    if count == 1 and len(words) > 1 and words[1][0] != "-" and " ".join(words[:1]) in GROUPS:
        return f"no command {words[:2]}"
    options = {name for parameter in COMMANDS[" ".join(words[:count])].params for name in parameter.opts}
    missing = [word for word in words[count:] if re.match(r"--?[a-z]", word) and word.split("=")[0] not in {*options, "--help"}]
    return f"{words[:count]} has no {missing}" if missing else None


def said_commands(page: str) -> list[list[str]]:
    """The command lines that stand in a page in backticks or at the beginning of a line of code."""
    spans = re.findall(r"`navbook ([a-z][^`\n]*)`", page)
    blocks = [line for kind, block in code(page) if kind in ("", "sh") for line in block.replace("\\\n", "").splitlines()]
    lines = [*spans, *(re.sub(r"\s+#.*", "", re.split(r"\bnavbook (?!navbook )", line)[-1]) for line in blocks if re.match(r"(\S+ )*?navbook [a-z]", line))]
    return [re.sub(r"[\"…]", " ", line.replace(r"\|", " ")).split() for line in lines]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_that_is_named_exists(page):
    assert [told for words in said_commands(PAGES[page]) if (told := wrong(words))] == []


def test_the_test_of_commands_can_fail():
    assert wrong(["collct"])
    assert wrong(["collect", "--dayz", "3"])
    assert wrong(["flows", "nowhere"])
    assert len(said_commands(README)) > 80


def test_every_option_of_every_command_is_described():
    rows = {line.split("|")[1]: line for line in README.replace(r"\|", "¦").splitlines() if line.startswith("| `navbook ")}
    lacking = {}
    for name, command in COMMANDS.items():
        row = "".join(line for commands, line in rows.items() if re.search(rf"`navbook {re.escape(name)}[` ¦]", commands))
        for parameter in command.params:
            named = [option for option in parameter.opts if option.startswith("-") and option not in ("--config", "--help")]
            if named and not any(option in row for option in named) and "as `start`" not in row:
                lacking.setdefault(name, []).append(named[0])
    assert lacking == {}


# -- settings, tables, variables ------------------------------------------------------------------------------------------
def test_every_setting_that_is_described_exists():
    named = first_cells(section("Settings"))
    assert len(named) > 40
    assert [name for name in named if name not in SETTINGS] == []


def test_every_rule_of_a_position_is_described():
    from navbook.trader import plans
    wanted = {*RULE_NAMES, *plans.OWN} - plans.FROM_THE_HOST
    assert sorted(name for name in wanted if f"`trade.NAME.{name}`" not in README) == []


def test_every_table_that_is_described_exists():
    named = {name for name in first_cells(section("What is in the store")) if re.fullmatch(r"[a-z_]+", name)}
    assert len(named) > 30
    assert named <= {*schemas.TABLES, *catalog.FAMILIAR}


def variables() -> set[str]:
    """The variables that the code reads: whole names that stand in it as texts."""
    texts = {node.value for file in (CHECKOUT / "lib").rglob("*.py") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"(NAVBOOK|BINANCE|SESSION|XDG)_[A-Z_]*[A-Z]", text)} - {"BINANCE_TESTNET"}


def test_every_variable_that_the_code_reads_is_described():
    found = variables()
    assert {"NAVBOOK_CONFIG", "SESSION_SECRET"} <= found
    assert sorted(name for name in found if name not in TOGETHER) == []


def test_every_variable_that_is_described_is_read():
    named = set(re.findall(r"\b(?:NAVBOOK|BINANCE|SESSION|XDG)_[A-Z_]*[A-Z]\b", TOGETHER))
    of_settings = {f"NAVBOOK_{name.upper()}" for name in Settings.model_fields}
    of_keys = {f"{prefix}_API_{part}{file}" for prefix in ("NAVBOOK_MAIN", "BINANCE_TESTNET") for part in ("KEY", "SECRET") for file in ("", "_FILE")}
    files = {f"{name}_FILE" for name in variables()}
    tests = {"NAVBOOK_FUZZ", "NAVBOOK_AUDIT_WORLDS"}
    assert sorted(named - variables() - of_settings - of_keys - files - tests) == []


# -- links and code -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_is_there(page):
    folder = CHECKOUT if page == "README.md" else CHECKOUT / "docs"
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if link and not (folder / link).exists()] == []
    named = re.findall(r"(?<![\w/])((?:docs|notebooks|tests|lib)/[\w/.-]+\.(?:md|png|py|ipynb|yaml|toml))", PAGES[page])
    assert [name for name in named if not (CHECKOUT / name).exists()] == []


@pytest.mark.parametrize("block", [block for page in PAGES.values() for kind, block in code(page) if kind == "toml"])
def test_every_piece_of_navbook_toml_is_taken(block):
    config = settings.parse(block if "[accounts" in block else f"{block}\n[accounts.main]\n", Path.cwd() / "navbook.toml")
    for name in config.jobs:
        config.notebook(config.job(name))


def test_the_example_says_every_table_of_the_settings():
    example = (CHECKOUT / "navbook.example.toml").read_text(encoding="utf-8")
    settings.parse(example, Path.cwd() / "navbook.toml")
    uncommented = re.sub(r"^# (?=\[trade|\[backtest|(?!heartbeat_url)\w+ = )", "", example, flags=re.MULTILINE)
    assert "btc_long" in settings.parse(uncommented, Path.cwd() / "navbook.toml").trade
