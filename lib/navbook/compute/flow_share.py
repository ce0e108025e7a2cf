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
    later = (journal.filter(pl.col("step") > first["step"]).sort("step")
             .unique("step", keep="first", maintain_order=True))
    bought = max(first["flow_usd"], 0.0)
    share = share_then = bought / first["value_after"] if first["value_after"] > 0 else 0.0
    taken = 0.0
    for event, before, after in later.select("event", "value_before", "value_after").iter_rows():
        if event == "withdrawal":
            taken += share * (before - after)
        elif event == "deposit":
            share *= before / after if after > 0 else 0.0
    return FlowShare(
        time=first["time"], flow_usd=first["flow_usd"], share_then=share_then, share_now=share, taken_usd=taken,
        legs=[(asset, price, after - before) for asset, price, before, after in
              own.select("asset", "price", "units_before", "units_after").iter_rows()],
        since=dict(later["event"].value_counts().sort("event").iter_rows()))
