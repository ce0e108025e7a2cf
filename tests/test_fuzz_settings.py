"""navbook.toml, the environment and notebooks' parameters, filled with nonsense: one sentence naming the key, or settings."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from commands import CHECKOUT
from fuzzing import ANYTHING, STRINGS, examples, in_time, spoilt, tried
from navbook import settings
from navbook.errors import NavbookError
from navbook.job import Job
from navbook.runner import configuring, parameters
from navbook.settings import Account, Alerts, Benchmark, Fees, Group, Keep, Settings
from navbook.trader import plans

HERE = Path("navbook.toml")
TABLES: dict[str, type[BaseModel]] = {
    "benchmark": Benchmark, "benchmarks.hold": Benchmark, "accounts.main": Account, "accounts.main.benchmark": Benchmark, "groups.all2": Group,
    "fees": Fees, "alerts": Alerts, "keep": Keep, "jobs.collect": Job}
TRADE = ("account", "symbol", "side", "amount_usdt", "leverage", "tp_usdt", "sl_usdt", "check_every", "reopen_delay", "reopen_window",
         "max_reopens", "margin_type")
KEYS = sorted([*(name for name in Settings.model_fields if name not in ("base", "file")), "benchmark.rebalance.hour", "benchmark.weights.BTC",
               "jobs.collect.parameters", "unknown", *(f"{table}.{name}" for table, model in TABLES.items() for name in model.model_fields),
               *(f"trade.long.{name}" for name in TRADE)])
TOML = st.recursive(
    st.one_of(st.booleans(), st.integers(-2**63, 2**63 - 1), st.floats(), STRINGS, st.datetimes(),
              st.sampled_from(("never", "0 * * * *", "*/0 * * * *", "Europe/Nowhere", "month", "5m", "LONG", "live", "s3://", "~x/y"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=5)
                                                                | st.sampled_from(("BTC", "hour", "main", "weights")), inner, max_size=3), max_leaves=4)


def written(values: dict[str, Any]) -> str:
    """A navbook.toml with these values by dotted key."""
    document: dict[str, Any] = {"accounts": {"main": {}}}
    for key, value in values.items():
        *path, last = key.split(".")
        place = document
        for part in path:
            place[part] = place = place.get(part) if isinstance(place.get(part), dict) else {}
        place[last] = value
    return tomlkit.dumps(document)


def everything_of(config: Settings) -> None:
    """What commands ask of settings before they do anything."""
    config.location, config.runs_folder, config.logs_folder, config.backups_folder, config.vault_file    # noqa: B018
    for name, job in config.jobs.items():
        assert config.notebook(config.job(name)).suffix == ".ipynb"
        job.when    # noqa: B018
    for name in config.accounts:
        config.benchmark_of(name)
    configuring.listed(config)
    tried(lambda: plans.plans(config))


@given(st.dictionaries(st.sampled_from(KEYS), TOML, min_size=1, max_size=2))
@examples(150, weight=2)
def test_any_value_at_any_key_is_taken_or_refused_by_its_name(values):
    text = written(values)
    config = tried(lambda: settings.parse(text, HERE.resolve()))
    if isinstance(config, NavbookError):
        assert any(key.split(".")[0] in str(config) for key in values) or "names no account" in str(config), str(config)
        return
    HERE.write_text(text, encoding="utf-8")
    with in_time():
        everything_of(config)


@given(st.text(max_size=60) | st.binary(max_size=60))
@examples(100)
def test_any_file_is_read_or_refused_in_a_sentence(content):
    HERE.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    found = tried(lambda: settings.load(HERE))
    assert not isinstance(found, NavbookError) or str(HERE.resolve()) in str(found)


@given(ANYTHING | spoilt({"environment": "sandbox", "accounts": {"main": {"fee_rate": 0.1}}, "jobs": {"collect": {"cron": "0 * * * *"}}}))
@examples(80)
def test_the_settings_that_a_run_kept_are_read_or_refused_in_a_sentence(content):
    Path("config.json").write_text(json.dumps(content, default=str), encoding="utf-8")
    tried(lambda: settings.load("config.json"))


@given(st.sampled_from([name for name in Settings.model_fields if name not in settings.SET_BY_LOAD]),
       (STRINGS | ANYTHING.map(lambda value: json.dumps(value, default=str))).filter(
           lambda text: "\x00" not in text and text.isascii()))
@examples(100)
def test_any_variable_is_taken_or_refused_by_its_name(name, text):
    HERE.write_text("[accounts.main]\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"NAVBOOK_{name.upper()}", text)
        config = tried(lambda: settings.load(HERE))
        if isinstance(config, NavbookError):
            assert name.upper() in str(config).upper()
        else:
            everything_of(config)


@given(st.sampled_from(KEYS) | STRINGS, STRINGS | TOML.map(lambda value: json.dumps(value, default=str)))
@examples(15, weight=20)
def test_config_set_changes_the_file_or_refuses_in_a_sentence(key, value):
    before = "# mine\n[accounts.main]\n"
    HERE.write_text(before, encoding="utf-8")
    found = tried(lambda: configuring.put(settings.load(HERE), key, value))
    if isinstance(found, NavbookError):
        assert HERE.read_text(encoding="utf-8") == before
    else:
        assert "# mine" in HERE.read_text(encoding="utf-8")
        settings.load(HERE)


# -- parameters of notebooks --------------------------------------------------------------------------------------------
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
KNOWN = {notebook: sorted(parameters.of(notebook)) for notebook in NOTEBOOKS}


@given(st.sampled_from(NOTEBOOKS), st.data())
@examples(100)
def test_any_text_for_a_parameter_is_of_its_type_or_refused_by_its_name(notebook, data):
    name = data.draw(st.sampled_from([*KNOWN[notebook], "unknown"]) if KNOWN[notebook] else st.just("unknown"))
    for read, value in ((parameters.of_texts, data.draw(STRINGS)), (parameters.checked, data.draw(ANYTHING))):
        found = tried(lambda read=read, value=value: read(notebook, {name: value}))
        if isinstance(found, NavbookError):
            assert name in str(found)
        else:
            kind = parameters.of(notebook)[name]
            assert kind.kind is None or found[name] is None or isinstance(found[name], (parameters.TYPES[kind.kind], int))


CELLS = st.lists(st.sampled_from(("account: str = 'all'", "n = 5", "x = None", "def f(): pass", "a = b = 3", "(a, b) = 1, 2", "a: list[int] = []",
                                  "x = [i for i in y]", "x = {**y}", "x = {1: y}", "x = -1", "", "# only", "x: 'str' = 3", "import os", "[a][0] = 3"))
                 | st.text(max_size=10), max_size=4).map("\n".join)


@given(CELLS)
@examples(150)
def test_any_parameters_cell_is_read_or_refused_in_a_sentence(cell):
    _read_notebook(json.dumps({"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": cell}]}))


@given(spoilt({"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": ["a: str = 'x'\n", "b = 3"]}]}))
@examples(150)
def test_any_notebook_is_read_or_refused_in_a_sentence(content):
    _read_notebook(json.dumps(content, default=str))


def _read_notebook(text: str) -> None:
    file = Path("some.ipynb")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = tried(lambda: parameters.of(file))
    assert not isinstance(found, NavbookError) or "some.ipynb" in str(found)
