"""Invented accounts for the publishing tests: every table that the dashboards read, in its schema.

`world` invents three accounts over 90 days; flags add what goes wrong on a bad day. `executed` runs a
dashboard over such frames in this process, without store and kernel, and returns the notebook.
"""

from __future__ import annotations

import ast
import json
import math
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest

from navbook import schemas, settings
from navbook.store import rewrite, tables

DASHBOARDS = Path(__file__).parents[1] / "notebooks" / "dashboards"
START = datetime(2026, 3, 12, 14, tzinfo=UTC)
INTERVAL = timedelta(hours=4)
NAMES = ("main", "sub", "swing")
Frames = dict[str, pl.DataFrame]

FLOWS = {    # day -> kind, asset, USD
    "main": {8: ("DEPOSIT", "USDT", 5000.0), 28: ("WITHDRAWAL", "USDT", -1500.0), 42: ("DEPOSIT", "BTC", 4000.0),
             63: ("SUB_WITHDRAWAL", "USDT", -2000.0), 78: ("DEPOSIT", "USDC", 1500.0)},
    "sub": {63: ("SUB_DEPOSIT", "USDT", 2000.0)}, "swing": {}}
COINS = {"main": (0.29, 4.9, 3300.0), "sub": (0.1, 1.0, 1900.0), "swing": (0.06, 0.5, 400.0)}


@cache
def world(*, snapshots: int = 540, gap: bool = True, incomplete: bool = False, provisional: bool = False,
          unpriced: bool = False, hostile: str = "", weights: tuple[float, float] = (0.5, 0.5),
          ended: datetime | None = None, seed: int = 1, rolling: bool = False) -> Frames:
    """All tables of three accounts. Bad days happen to main; `hostile` is an asset and a reason of its.

    rolling  the performance of a week, a month and this year too
    """
    times = [START + n * INTERVAL for n in range(snapshots)]
    if gap:
        times = [time for time in times if not timedelta(days=36) < time - START < timedelta(days=37, hours=5)]
    chance = random.Random(seed)
    prices, btc, eth = {}, 62000.0, 1900.0
    for time in times:
        btc *= 1 + chance.gauss(0.0003, 0.011)
        eth *= 1 + chance.gauss(0.0002, 0.014)
        prices[time] = (btc, eth)
    made = [_account(name, times, prices, weights, bad=name == "main", incomplete=incomplete, provisional=provisional,
                     unpriced=unpriced, hostile=hostile, chance=random.Random(seed + n), rolling=rolling)
            for n, name in enumerate(NAMES)]
    frames = {name: pl.concat([account[name] for account in made]) for name in made[0]}
    end = ended or datetime.now(UTC) - timedelta(minutes=4)
    runs = [(f"run-{n}", "collect", "all", end - timedelta(seconds=9), end - n * INTERVAL, "ok", None,
             end - n * INTERVAL) for n in range(3)]
    runs.append(("run-x", "collect", "all", end, end + timedelta(seconds=30), "failed", "a wallet", end))
    return {name: (schemas.FACTS | schemas.DERIVED)[name].check(frame) for name, frame in
            {**frames, "runs": schemas.RUNS.rows(runs)}.items()}


def _account(name: str, times: list[datetime], prices: dict[datetime, tuple[float, float]],
             weights: tuple[float, float], *, bad: bool, incomplete: bool, provisional: bool, unpriced: bool,
             hostile: str, chance: random.Random, rolling: bool) -> Frames:
    btc, eth, cash = COINS[name]
    units: list[float] = []
    history, holdings, snapshots, flows, journal = [], [], [], [], []
    index, benchmark_index, last_nav, last_worth, skill = 1.0, 1.0, 0.0, 0.0, 0.0
    due = {times[0] + timedelta(days=day): flow for day, flow in FLOWS[name].items()}
    for n, time in enumerate(times):
        p, q = prices[time]
        moved = 0.0
        for at in [at for at in due if at <= time]:
            kind, asset, usd = due.pop(at)
            flows.append((name, "deposit", f"{name}-{n}", at, kind, asset, usd, 1.0, "counts 1", usd))
            cash += usd
            moved += usd
            whole = units[0] * p + units[1] * q
            units = [unit * (1 + usd / whole) for unit in units]
        skill += chance.gauss(0, 0.0012) * (btc * p)
        legs = [("spot", "BTC", btc, p, "BTC/USDT"), ("spot", "ETH", eth, q, "ETH/USDT"),
                ("spot", "USDT", cash, 1.0, "counts 1"), ("futures", "USDT", 2000 + skill, 1.0, "counts 1"),
                ("funding", "USDC", 264.551, 1.0, "counts 1")]
        nav = sum(quantity * price for *_, quantity, price, _ in legs)
        if n == 0:
            units = [weights[0] * nav / p, weights[1] * nav / q]
            journal = [(name, "own", time, 0, "init", "snapshot", asset, price, 0.0, unit, nav, 0.0, nav, None)
                       for asset, price, unit in (("BTC", p, units[0]), ("ETH", q, units[1]))]
        worth = units[0] * p + units[1] * q
        if n:
            index *= (nav - moved) / last_nav
            benchmark_index *= (worth - moved) / last_worth
        last_nav, last_worth = nav, worth
        last = n == len(times) - 1
        fails = bad and incomplete and n >= len(times) - 2
        doubtful = bad and provisional and n in (len(times) // 3, len(times) - 1)
        grade = "incomplete" if fails else "provisional" if doubtful else "complete"
        reason = f"not read: futures {hostile}".strip() if fails else "flow without price" if doubtful else None
        history.append((name, NAMES.index(name) + 1, time, grade, reason, None if fails else nav,
                        None if fails else worth, p, q, None if fails else index, None if fails else benchmark_index))
        states = {"spot": "ok", "funding": "ok", "futures": "failed" if fails else "ok"}
        snapshots.append((name, time, grade, reason, json.dumps(states), None if fails else round(nav + 1.12, 2),
                          time, time))
        if last:
            if bad and unpriced:
                legs.append(("spot", "LUNAX", 1200.0, None, None))
            if bad and hostile:
                legs.append(("spot", hostile, 3.0, 2.0, hostile))
            holdings = [(name, time, wallet, asset, quantity, price, route, None if price is None else quantity * price)
                        for wallet, asset, quantity, price, route in legs if not (fails and wallet == "futures")]
    if bad and unpriced:
        flows.append((name, "deposit", "7781204", times[-3], "DEPOSIT", "PEPEX", 40000.0, None, None, None))
    navs = schemas.NAV_HISTORY.rows(history)
    return {"nav_history": navs, "holdings": schemas.HOLDINGS.rows(holdings),
            "snapshots": schemas.SNAPSHOTS.rows(snapshots), "flow_values": schemas.FLOW_VALUES.rows(flows),
            "benchmark_journal": schemas.BENCHMARK_JOURNAL.rows(journal),
            "performance": _performance(name, navs, flows, rolling=rolling)}


def _performance(name: str, history: pl.DataFrame, flows: list[Any], *, rolling: bool) -> pl.DataFrame:
    known = history.drop_nulls("nav")
    last = known["time"][-1]
    spans = [("inception", known["time"][0])]
    whole = 1 + (3 if rolling else 0)
    if rolling:
        spans += [("1w", last - timedelta(days=7)), ("1m", last - timedelta(days=30)),
                  ("ytd", known["time"][0])]
    month = known["time"][0].replace(day=1, hour=0)
    while known.height > 1 and month <= known["time"][-1]:
        spans.append((f"{month:%Y-%m}", month))
        month = (month + timedelta(days=32)).replace(day=1)
    rows = []
    for n, (period, start) in enumerate(spans):
        end = spans[n + 1][1] if whole <= n < len(spans) - 1 else last
        before = known.filter(pl.col("time") <= start).tail(1)
        inside = pl.concat([before, known.filter(pl.col("time") > start, pl.col("time") <= end)])
        twr, other = (inside[index][-1] / inside[index][0] - 1 for index in ("twr_index", "benchmark_index"))
        moved = sum(usd for *_, time, _, _, _, _, _, usd in flows
                    if usd is not None and inside["time"][0] < time <= inside["time"][-1])
        nav_from, nav_to = inside["nav"][0], inside["nav"][-1]
        falls = [float((inside[i] / inside[i].cum_max() - 1).min()) for i in ("twr_index", "benchmark_index")]
        rows.append({"account": name, "benchmark": "own", "period": period, "from_time": inside["time"][0],
                     "to_time": inside["time"][-1], "nav_from": nav_from, "nav_to": nav_to, "flows_usd": moved,
                     "gain_usd": nav_to - nav_from - moved, "mwr": twr, "twr": twr, "benchmark_twr": other, "alpha": twr - other,
                     "max_drawdown": falls[0], "benchmark_max_drawdown": falls[1], "intervals_set_aside": 0})
    return schemas.PERFORMANCE.rows(rows)


@contextmanager
def stored(frames: Frames, environment: str = "sandbox", more: str = "") -> Iterator[settings.Settings]:
    """A store that holds `frames`, and the settings of whoever owns it; `more` goes into its navbook.toml."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        file = Path(place) / "navbook.toml"
        accounts = "".join(f"[accounts.{name}]\n" for name in NAMES)
        file.write_text(f'environment = "{environment}"\n{more}\n{accounts}', encoding="utf-8")
        patch.setenv("NAVBOOK_CONFIG", str(file))
        config = settings.load()
        for name, frame in frames.items():
            if name in schemas.FACTS:
                tables.append(config.location, schemas.FACTS[name], frame)
            else:
                rewrite.replace(config.location, schemas.DERIVED[name], frame)
        yield config


def executed(dashboard: str, frames: Frames, environment: str = "sandbox", more: str = "", **parameters: Any) -> Any:
    """`dashboards/<dashboard>.ipynb` run over `frames`, as papermill would leave it."""
    notebook = nbformat.read(DASHBOARDS / f"{dashboard}.ipynb", as_version=4)
    notebook.metadata["papermill"] = {"parameters": parameters}
    with stored(frames, environment, more):
        scope: dict[str, Any] = {}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [nbformat.from_dict(output) for output in _run(cell.source, scope)]
                if "parameters" in cell.metadata.get("tags", []):
                    scope.update(parameters)
    nbformat.validate(notebook)
    return notebook


def _run(source: str, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell: what its last expression shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), scope)
    if last is None:
        return []
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), scope)
    data = value._repr_mimebundle_() if hasattr(value, "_repr_mimebundle_") else {"text/plain": repr(value)}
    return [{"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}]


def written(notebook: Any, path: Path) -> Path:
    nbformat.write(notebook, path)
    return path


def test_the_invented_frames_hold_together():
    frames = world(unpriced=True)
    last = frames["nav_history"].filter(account="main").row(-1, named=True)
    held = frames["holdings"].filter(account="main")["value_usd"].sum()
    assert math.isclose(last["nav"], held, abs_tol=0.01)
    assert frames["nav_history"]["account"].n_unique() == 3
