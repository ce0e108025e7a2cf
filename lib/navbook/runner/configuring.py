"""Change navbook.toml by key: types are checked by `Settings`, comments stay, and who did it is kept.

A key is written with dots (`benchmark.rebalance`); an account's begin with `accounts.NAME.`. A value is TOML, or
a text without quotes.
"""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
import tomlkit
from tomlkit.exceptions import ParseError

from navbook import redaction, schemas, settings
from navbook.errors import SettingsInvalid
from navbook.runner import config_file, locks, logs
from navbook.settings import Settings
from navbook.store import tables

HIDDEN_KEYS = re.compile(r"alerts\.urls|heartbeat_url")    # whoever reads them can write into your channel
PLAIN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def listed(config: Settings, account: str | None = None) -> pl.DataFrame:
    """[key, value, source] of every setting as it holds now; of an account, its own and the benchmark it has.

    source is environment, file or default.
    """
    effective = json.loads(config.model_dump_json(exclude={"base", "file"}))
    if account:
        config.names(account)
        own = effective["accounts"][account]
        effective = {**own, "benchmark": json.loads(config.benchmark_of(account).model_dump_json())}
    written = dict(_flat(_within(_document(config), account).unwrap() if config.file else {}))
    rows = [(key, _shown(key, value), _source(key, written, account)) for key, value in _flat(effective)]
    return pl.DataFrame(rows, schema=dict.fromkeys(("key", "value", "source"), pl.String), orient="row").sort("key")


def get(config: Settings, key: str, account: str | None = None) -> str:
    """The value of `key` as it holds now, as TOML. Raises `SettingsInvalid`."""
    found = [(name, value) for name, value in listed(config, account).select("key", "value").iter_rows()
             if name == key or name.startswith(f"{key}.")]
    if not found:
        raise SettingsInvalid(f"{key} is not a setting{f' of {account}' if account else ''}; navbook config list "
                              "shows them all.")
    return found[0][1] if found[0][0] == key else "\n".join(f"{name} = {value}" for name, value in found)


def put(config: Settings, key: str, value: str, account: str | None = None) -> tuple[str | None, str]:
    """Write `key` = `value` into the file; the old value and the new one.

    Raises `SettingsInvalid`, and nothing changed.
    """
    return _changed(config, key, value, account)


def unset(config: Settings, key: str, account: str | None = None) -> str:
    """Take `key` out of the file: its default holds again; the old value. Raises `SettingsInvalid`."""
    old, _ = _changed(config, key, None, account)
    return old or ""


def _changed(config: Settings, key: str, value: str | None, account: str | None) -> tuple[str | None, str]:
    if config.file is None:
        raise SettingsInvalid("There is no navbook.toml to change; write one, starting from navbook.example.toml.")
    if not PLAIN.fullmatch(key):
        raise SettingsInvalid(f"{key!r} is no key; write it like benchmark.rebalance.")
    if account:
        config.names(account)
    whole = f"accounts.{account}.{key}" if account else key
    with locks.hold(config, "config"), logs.session(config, "config", account or "all", quiet=True) as log:
        old = _value(_document(config), whole)
        if value is None and old is None:
            raise SettingsInvalid(f"{whole} is not set in {config.file}; its default holds already.")
        text, new = _tried(config, whole, value)
        config_file.write(config.file, text)
        shown = [None if each is None else _shown(whole, each) for each in (old, new)]
        now = datetime.now(UTC)
        tables.append(config.location, schemas.CONFIG_HISTORY, schemas.CONFIG_HISTORY.rows([
            (now, whole, account, _who(), *shown, now)]))
        log.info("setting changed", key=whole, old=shown[0], new=shown[1])
    return shown[0], shown[1] or ""


def _tried(config: Settings, key: str, value: str | None) -> tuple[str, Any]:
    """The file's new text, which `Settings` takes, and the value in it; as TOML where it can be, else as a text."""
    assert config.file is not None
    refusals: list[SettingsInvalid] = []
    for meant in [None] if value is None else _meanings(value):
        document = _document(config)
        _place(document, key, meant)
        text = tomlkit.dumps(document)
        try:
            settings.parse(text, config.file)
        except SettingsInvalid as refusal:
            refusals.append(refusal)
            continue
        return text, _value(tomlkit.parse(text), key)
    raise SettingsInvalid(f"{key} was not changed: {refusals[0]}")


def _meanings(value: str) -> list[Any]:
    try:
        return [tomlkit.value(value), value]
    except ParseError:
        return [value]


def _place(document: Any, key: str, value: Any) -> None:
    """Set `key` to `value`, or take it out; tables on the way are made."""
    *way, last = key.split(".")
    table = document
    for step in way:
        if step not in table:
            if value is None:
                return
            table[step] = tomlkit.table()
        table = table[step]
        if not isinstance(table, Mapping):
            raise SettingsInvalid(f"{key} is not a setting: {step} holds a value, no table.")
    if value is None:
        del table[last]
    else:
        table[last] = value


def _value(document: Any, key: str) -> Any:
    """What stands at `key`, None where nothing does."""
    table = document.unwrap()
    for step in key.split("."):
        if not isinstance(table, Mapping) or step not in table:
            return None
        table = table[step]
    return table


def _document(config: Settings) -> tomlkit.TOMLDocument:
    return tomlkit.parse(config.file.read_text(encoding="utf-8-sig") if config.file else "")


def _within(document: Any, account: str | None) -> Any:
    return document.get("accounts", {}).get(account, tomlkit.table()) if account else document


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _source(key: str, written: Mapping[str, Any], account: str | None) -> str:
    if not account and os.environ.get(f"NAVBOOK_{key.partition('.')[0].upper()}"):
        return "environment"
    return "file" if any(name == key or name.startswith(f"{key}.") for name in written) else "default"


def _shown(key: str, value: Any) -> str:
    """A value as TOML; a secret is hidden."""
    if HIDDEN_KEYS.search(key) and value:
        return redaction.HIDDEN
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, Mapping) else str(tomlkit.item(value).as_string())


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):    # a container's user has no name
        return f"uid {os.getuid()}"
