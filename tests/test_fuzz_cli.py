"""Every command with options that are nonsense: it does its work, or says in one sentence why not. Never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.core import TyperArgument
from typer.testing import CliRunner

import stores
from exchanges import nobody
from fuzzing import STRINGS, examples, in_time
from navbook.cli import app
from navbook.errors import NavbookError
from navbook.exchange import client
from navbook.runner import backups
from worlds import calm

LEFT_OUT = {    # what a test in this process cannot do
    "demo": "starts a sandbox and serves", "dashboards": "serves", "sandbox": "becomes another process", "lab": "starts JupyterLab",
    "twin": "serves until stopped", "schedule": "runs until stopped", "schedule install": "writes into the crontab of whoever runs the tests",
    "schedule remove": "the same", "publish": "executes notebooks in a kernel", "all": "the same", "run": "the same", "reproduce": "the same",
    "trade start": "runs until stopped", "trade replay": "the same"}
WITHOUT = {"follow", "config", "help", "no_notebook"}    # options that would never end, or are given here
GOOD = ("main", "all", "2026-03-01", "2026-03-02T01:00", "now", "deposit:f0", "e1", "USDT", "BTC", "BTCUSDT", "1.5", "-1", "0", "2026-03", "latest", "sandbox",
        "benchmark.rebalance", "never", "never ", "long", "LONG", "tp_usdt=5,10", "nav_history", "select 1", "from nav_history", "5m", "copy", "a/b", "csv", "json", "fee", "DEPOSIT", "um", "spot", "SHORT", "ISOLATED", "path", "warning", "2026")
CONFIG = '[benchmark]\nrebalance = "never"\n[accounts.main]\nfee_rate = 0.2\n[trade.long]\naccount = "main"\nsymbol = "BTCUSDT"\nside = "LONG"\n[jobs.collect]\ncron = "0 * * * *"\n'


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by the words that call it."""
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        for name, inner in getattr(command, "commands", {}).items():
            waiting.append(((*words, name), inner))
        if words:
            yield " ".join(words), command


COMMANDS = dict(sorted(commands()))
TRIED = sorted(COMMANDS.keys() - LEFT_OUT.keys())


def test_what_is_left_out_exists():
    assert sorted(LEFT_OUT.keys() - COMMANDS.keys()) == []
    assert len(TRIED) > 50


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a small store, its answers and a backup; the exchange of its settings is one that nobody serves."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "fresh").mkdir()
    config = stores.configured(folder / "fresh")
    stores.grown(config, calm({"USDT": 1000, "BTC": "0.1"}, 3))
    backups.create(config)
    (folder / "fresh" / "navbook.toml").write_text(f'sandbox_url = "{nobody()}"\n{CONFIG}', encoding="utf-8")
    return folder


@st.composite
def calls(draw: st.DrawFn) -> list[str]:
    """Words of a command line: a command with some of its options and arguments, here and there one too many."""
    name = draw(st.sampled_from(TRIED))
    words = name.split()
    for parameter in COMMANDS[name].params:
        if parameter.name in WITHOUT:
            continue
        needed = isinstance(parameter, TyperArgument) or parameter.required
        if draw(st.integers(0, 9)) >= (9 if needed else 4):
            continue
        option = [] if isinstance(parameter, TyperArgument) else [draw(st.sampled_from(parameter.opts))]
        words += option if getattr(parameter, "is_flag", False) else [*option, _value(draw, parameter)]
    if "no_notebook" in {parameter.name for parameter in COMMANDS[name].params}:
        words.append("--no-notebook")
    return [*words, *draw(st.lists(STRINGS.map(harmless), max_size=1))]


def _value(draw: st.DrawFn, parameter: Any) -> str:
    usual = {"account": "main", "since": "2026-03-01", "until": "now", "output": "csv", "tables": "nav_history", "flow": "deposit:f0"}.get(parameter.name, GOOD[0])
    return draw(st.one_of(st.just(usual), st.sampled_from(GOOD),
                          STRINGS.map(harmless)))


def harmless(text: str) -> str:
    """No path out of the folder, and nothing that the system could not hand over."""
    return text.replace("/", "_").replace("~", "_").replace("..", "_").replace("\x00", "").encode("utf-8", "ignore").decode()


@given(words=calls())
@examples(45, weight=8)
def test_any_command_line_is_done_or_refused_in_a_sentence(home, words):
    folder = home / "tried"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home / "fresh", folder, symlinks=True)
    with pytest.MonkeyPatch.context() as patch, in_time(120):
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        patch.setenv("NAVBOOK_CONFIG", str(folder / "navbook.toml"))
        patch.setenv("SESSION_SECRET", "a secret that is long enough")
        patch.setattr(client, "wait_random_exponential", lambda **_: lambda state: 0.0)
        result = CliRunner().invoke(app, words, input="")
    problem = result.exception
    if isinstance(problem, NavbookError):
        assert problem.exit_code in (1, 2, 75)
        assert str(problem)
        assert str(problem).isprintable(), str(problem)
    elif problem is not None and not isinstance(problem, SystemExit):
        raise problem
    else:
        assert result.exit_code in (0, 1, 2), result.output
        assert "Traceback" not in result.output
    assert sorted(place.name for place in home.iterdir()) == ["fresh", "tried"], "nothing is written elsewhere"
