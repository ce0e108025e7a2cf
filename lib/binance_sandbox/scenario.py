"""Scenarios: accounts, and what happens to them at offsets from a start. TOML, built in or a file.

    prices = "crash"                    one of the moods; `--scenario demo+crash` says the same of a built-in one
    [[accounts]]                        keys as in POST /sandbox/accounts
    [[events]]                          keys as in POST /sandbox/events, but `at` in place of `time`
    at = "8d 10h 37m 12s"               and `complete_after`, counted from `at`, in place of `complete_time`
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from .accounts import read_account
from .clock import DAY, HOUR, MINUTE
from .errors import BadInput, SandboxError
from .event_fields import read_event
from .fields import Fields
from .ledger import Ledger

OFFSET = re.compile(r"(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)? ?(?:(\d+)s)?")
MOOD_NAMES = ("calm", "bull", "bear", "crash", "sideways")    # the keys of `moods.MOODS`, without waiting for numpy
UNITS = (DAY, HOUR, MINUTE, 1000)


def read_scenarios(names: str | None) -> tuple[dict[str, dict[str, Any]], str | None]:
    """The tables of each scenario that `names` joins by "+", and the price mood among them, if any."""
    tables: dict[str, dict[str, Any]] = {}
    moods = []
    for name in names.split("+") if names else ():
        if name in MOOD_NAMES:
            moods.append(name)
        else:
            tables[name] = read_scenario(name)
            mood = tables[name].pop("prices", None)
            if mood is not None and mood not in MOOD_NAMES:
                raise SandboxError(f"--scenario: {name}: prices: {mood!r} is none of {', '.join(MOOD_NAMES)}; "
                                   "correct it.")
            moods += [mood] if mood else []
    if len(moods) > 1:
        raise SandboxError(f"--scenario: {' and '.join(moods)} are two moods of the same prices; choose one.")
    return tables, moods[0] if moods else None


def read_scenario(name: str) -> dict[str, Any]:
    """The tables of the built-in scenario `name`, or of the TOML file of that path.

    Raises `SandboxError` when there is none or it is no TOML.
    """
    built_in = resources.files(__package__) / "scenarios"
    if name.endswith(".toml") or "/" in name:
        source: Any = Path(name)
    else:
        source = built_in / f"{name}.toml"
    if not source.is_file():
        known = ", ".join([*sorted(file.name.removesuffix(".toml") for file in built_in.iterdir()), *MOOD_NAMES])
        raise SandboxError(f"--scenario: there is no scenario {name}; name a .toml file or one of: {known}.")
    try:
        return tomllib.loads(source.read_text("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SandboxError(f"--scenario: {name} is not a TOML file ({error}); correct it.") from None


def play(tables: dict[str, Any], name: str, ledger: Ledger, start: int) -> None:
    """Put a scenario's accounts and events into `ledger`; raises `SandboxError` naming the key at fault."""
    try:
        scenario = Fields(tables)
        for where, table in _tables(scenario, "accounts"):
            with _naming(where):
                ledger.add_account(read_account(Fields(table), start))
        for where, table in _tables(scenario, "events"):
            with _naming(where):
                _add_event(Fields(table), ledger, start)
        scenario.done()
    except BadInput as error:
        raise SandboxError(f"--scenario: {name}: {error}; correct it.") from None


def _tables(scenario: Fields, name: str) -> list[tuple[str, Any]]:
    tables = scenario.take(name) or []
    if not isinstance(tables, list):
        raise BadInput(name, f"expected [[{name}]] tables")
    return [(f"{name}[{index}]", table) for index, table in enumerate(tables)]


@contextmanager
def _naming(where: str) -> Generator[None, None, None]:
    """Say which table a complaint is about."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{where}.{error.key}", error.reason) from None


def _add_event(fields: Fields, ledger: Ledger, start: int) -> None:
    time = start + offset(fields.text("at"), fields.key("at"))
    for key in ("time", "complete_time"):
        if key in fields:
            raise fields.wrong(key, "a scenario counts from its start: give at and complete_after")
    after = fields.optional_text("complete_after")
    table = {name: fields.take(name) for name in fields.names()} | {"time": time}
    if after is not None:
        table["complete_time"] = time + offset(after, "complete_after")
    ledger.add_event(read_event(Fields(table), time, ledger.events))


def offset(text: str, key: str) -> int:
    """Milliseconds of a text such as "8d 10h 37m 12s"."""
    match = OFFSET.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise BadInput(key, f"expected an offset such as '8d 10h 37m 12s', got {text!r}")
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), UNITS, strict=True))
