"""What one cash flow did in a benchmark, and what became of it. Pure.

A deposit is the share D / value_after of the benchmark that it was bought into. From then on it moves as
the whole does: a later deposit thins the share (times value_before / value_after), a withdrawal takes the
same part of it as of everything, a rebalance leaves it. Its worth at any time is share times value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl


@dataclass(frozen=True)
class FlowShare:
    """One flow in one benchmark."""

    time: datetime
    flow_usd: float
    legs: list[tuple[str, float, float]]    # asset, price, units bought (negative: sold)
    share_then: float                       # of the benchmark, just after; 0 for a withdrawal
    share_now: float                        # after every event of the journal
    taken_usd: float                        # what later withdrawals took of it
    since: dict[str, int]                   # later events by kind


def flow_share(journal: pl.DataFrame, fact: str) -> FlowShare | None:
    """What the flow `fact` ("source:id") did in the benchmark of `journal`; None where it is not in it.

    journal  BENCHMARK_JOURNAL of one account and benchmark
    """
    own = journal.filter(pl.col("fact") == fact)
    if own.is_empty():
        return None
    first = own.row(0, named=True)
    events = _shares(journal)
    share = events.filter(pl.col("step") == first["step"]).row(0, named=True)
    later = events.filter(pl.col("step") > first["step"])
    return FlowShare(
        time=first["time"], flow_usd=first["flow_usd"], share_then=share["then"], share_now=share["now"],
        taken_usd=share["taken"],
        legs=[(asset, price, after - before) for asset, price, before, after in
              own.select("asset", "price", "units_before", "units_after").iter_rows()],
        since=dict(later["event"].value_counts().sort("event").iter_rows()))


def made(journal: pl.DataFrame, worth: float | None) -> pl.DataFrame:
    """[fact, made_usd]: what the benchmark made of each deposit, by when it is `worth` this; null where not known.

    journal  as of `flow_share`
    """
    now = pl.col("now") * pl.lit(worth, pl.Float64) + pl.col("taken")
    return _shares(journal).filter(pl.col("event") == "deposit").select("fact", made_usd=now - pl.col("flow_usd"))


def _shares(journal: pl.DataFrame) -> pl.DataFrame:
    """One row of `journal` for each event, in order, with its share `then` and `now`, and what later withdrawals
    have `taken` of it, USD.

    Told from the end: `kept` of a share lasts to the end, and a whole share would lose `gone` USD on the way.
    """
    events = journal.sort("step").unique("step", keep="first", maintain_order=True)
    found = []
    kept, gone = 1.0, 0.0
    for event, flow, before, after in events.select(
            "event", "flow_usd", "value_before", "value_after").reverse().iter_rows():
        then = max(flow, 0.0) / after if after > 0 else 0.0
        found.append((then, then * kept, then * gone))
        if event == "withdrawal":
            gone += before - after
        elif event == "deposit":
            thinner = before / after if after > 0 else 0.0
            kept, gone = kept * thinner, gone * thinner
    shares = {"then": pl.Float64, "now": pl.Float64, "taken": pl.Float64}
    return events.hstack(pl.DataFrame(found[::-1], schema=shares, orient="row"))
