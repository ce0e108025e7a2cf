"""The benchmark's arithmetic in words: each event of its journal, and units times price at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

CLOSE = 1e-9    # of two figures that are the same but for rounding


def journal_lines(journal: pl.DataFrame, flow_values: pl.DataFrame, last: int | None) -> Iterator[str]:
    """Every event of one benchmark's BENCHMARK_JOURNAL; of a long one the start, a summary and the `last` ones.

    flow_values  FLOW_VALUES of the account
    """
    steps = journal.sort("step", "asset").partition_by("step", maintain_order=True)
    full = len(steps) - 1 if last is None else min(last, len(steps) - 1)
    skipped = steps[1:len(steps) - full]
    yield from _event(steps[0], flow_values)
    if skipped:
        yield from _summary(skipped)
    for step in steps[1 + len(skipped):]:
        yield from _event(step, flow_values)


def value_lines(units: Mapping[str, float], prices: Mapping[str, float], value: float) -> Iterator[str]:
    """Units times price, leg by leg; the sum shown is `value`."""
    cents = to_the_cent({leg: held * prices[leg] for leg, held in units.items()}, value)
    for leg, held in units.items():
        yield f"     {leg:<6}{exact(held)} x {at_price(prices[leg])} = {usd(cents[leg])}"
    yield f"     together {usd(sum(cents.values()))}"


def to_the_cent(parts: Mapping[str, float], total: float) -> dict[str, float]:
    """`parts` in whole cents that add up to `total` in whole cents: the largest one takes what rounding leaves."""
    rounded = {name: round(part, 2) for name, part in parts.items()}
    largest = max(rounded, key=lambda name: rounded[name])
    return rounded | {largest: round(rounded[largest] + round(total, 2) - sum(rounded.values()), 2)}


def _event(step: pl.DataFrame, flow_values: pl.DataFrame) -> Iterator[str]:
    """One event: what happened, and each leg's units before and after."""
    event = step.row(0, named=True)
    yield ""
    yield f"{event['step']}. {when(event['time'])}  {_title(event, flow_values)}"
    yield from _sold(step, event) if event["event"] == "withdrawal" else _bought(step, event)
    if event["event"] != "init":
        yield f"     worth {usd(event['value_before'])} before, {usd(event['value_after'])} after"
    if event["warning"]:
        yield f"     note: {event['warning']}"


def _sold(step: pl.DataFrame, event: Mapping[str, Any]) -> Iterator[str]:
    """A withdrawal leaves the same part of every leg."""
    taken, value = -event["flow_usd"], event["value_before"]
    kept = max((leg["units_after"] / leg["units_before"] for leg in step.iter_rows(named=True) if leg["units_before"]),
               default=0.0)
    if kept:
        whole = taken / (1 - kept)
        of = "the benchmark" if abs(whole - value) < CLOSE * value else "the account's own value"
        yield f"     1 - {usd(taken)} / {usd(whole)} of {of} = {exact(kept)} stays"
    for leg in step.iter_rows(named=True):
        yield f"     {leg['asset']:<6}{exact(leg['units_before'])} x {exact(kept)} = {exact(leg['units_after'])}"


def _bought(step: pl.DataFrame, event: Mapping[str, Any]) -> Iterator[str]:
    """Money divided by weight: a deposit adds what it buys, a rebalance buys everything anew."""
    anew = event["event"] == "rebalance"
    whole = event["value_before"] if anew else event["flow_usd"]
    before = dict(step.select("asset", "units_before").iter_rows())
    legs = [(leg, price, after - (0.0 if anew else before[leg]), after)
            for leg, price, after in step.select("asset", "price", "units_after").iter_rows()]
    cents = to_the_cent({leg: bought * price for leg, price, bought, _ in legs}, whole)
    for leg, price, bought, after in legs:
        part = bought * price / whole if whole else 0.0
        kept = f"{exact(before[leg])} + " if before[leg] and not anew else ""
        yield (f"     {leg:<6}{kept}{part:.2%} = {usd(cents[leg])} / {at_price(price)} = {exact(after)}"
               f"{f', before {exact(before[leg])}' if anew else ''}")


def _title(event: Mapping[str, Any], flow_values: pl.DataFrame) -> str:
    if event["event"] == "init":
        return f"start with the net asset value of {usd(event['flow_usd'])}"
    if event["event"] == "rebalance":
        return f"rebalance of {usd(event['value_before'])}"
    return f"{event['event']} of {usd(abs(event['flow_usd']))}: {flow(event['fact'], flow_values)}"


def flow(fact: str, flow_values: pl.DataFrame) -> str:
    """The flow "source:id" with its quantity, its price and where that came from."""
    for row in flow_values.filter(pl.format("{}:{}", "source", "id") == fact).iter_rows(named=True):
        return f"{fact}, {exact(row['quantity'])} {row['asset']} at {at_price(row['price'])} ({row['price_route']})"
    return fact


def _summary(steps: list[pl.DataFrame]) -> Iterator[str]:
    """What the events in `steps` were, and the units that they left."""
    events = pl.concat(step.head(1) for step in steps)
    told = events.group_by("event").agg(pl.len(), pl.col("flow_usd").abs().sum()).sort("event")
    said = [f"{count_of(number, event)}{f' of {usd(moved)}' if moved else ''}"
            for event, number, moved in told.iter_rows()]
    yield ""
    yield f"… up to {when(events['time'][-1])}: {', '.join(said)} (--all shows each)"
    for asset, held, price in steps[-1].select("asset", "units_after", "price").iter_rows():
        yield f"     {asset:<6}{exact(held)} at {at_price(price)}"
    yield f"     worth {usd(events['value_after'][-1])} after"


def counted(events: Iterable[tuple[str, int]]) -> str:
    """2 deposits, 1 withdrawal."""
    return ", ".join(count_of(number, event) for event, number in events)


def count_of(number: int, event: str) -> str:
    """3 deposits, 1 deposit."""
    return f"{number} {event}{'' if number == 1 else 's'}"


def when(time: datetime) -> str:
    """A time to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def usd(value: float) -> str:
    """An amount to the cent."""
    return f"{value:,.2f} USD"


def at_price(price: float) -> str:
    """A price with all its digits, two after the point at least."""
    whole, _, part = f"{price:,.10f}".rstrip("0").partition(".")
    return f"{whole}.{part:0<2}"


def exact(number: float) -> str:
    """Units, or a part of them: twelve digits."""
    return f"{number:.12g}"
