"""An account's whole life by its cash flows alone: no past value is needed, only today's. Pure.

The same-flow hold: every deposit is put into the legs at its own time and held, never rebalanced; a
withdrawal takes the same part of every leg. What it cannot pay it does not pay: it runs dry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from navbook.compute.benchmark import Event, Rules, replay
from navbook.compute.money_weighted import money_weighted
from navbook.schemas import TIME

Prices = Mapping[str, float]    # asset -> USD


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """Account and hold side by side. Gains are what is there and what was taken out, less what was put in."""

    first_flow: datetime
    as_of: datetime
    deposits: int
    withdrawals: int
    deposited_usd: float
    withdrawn_usd: float
    nav: float
    gain_usd: float
    mwr: float | None             # money-weighted; a year's from 365 days on, else of the whole time
    held_value: float
    held_withdrawn_usd: float     # less than withdrawn_usd where the hold ran dry
    held_gain_usd: float
    held_mwr: float | None
    ran_dry: list[datetime]       # withdrawals that were more than the hold had


def lifetime(flows: pl.DataFrame, legs: pl.DataFrame, weights: Prices, nav: float, as_of: datetime,
             now: Prices) -> Lifetime | None:
    """The life of one account up to `as_of`; None where no flow of it can be used.

    flows    FLOW_VALUES of the account; those without a value, or later than `as_of`, are left out
    legs     [time, asset, price]  USD, of every leg at the flows' times; a flow without one is left out
    weights  asset -> part; they add up to 1
    nav      USD, of the account at `as_of`
    now      USD per unit of each leg at `as_of`
    """
    used = usable(flows, legs, weights).filter(pl.col("time") <= as_of).sort("time", "id")
    if used.is_empty():
        return None
    journal = _hold(used, legs, weights)
    steps = journal.unique("step", keep="first", maintain_order=True)
    paid = (steps["value_before"] - steps["value_after"]).to_numpy()    # by the hold; what is paid in is below zero
    held = journal.filter(pl.col("step") == pl.col("step").max()).select("asset", "units_after")
    value = sum(units * now[leg] for leg, units in held.iter_rows())
    usd = used["value_usd"].to_numpy()
    deposited, withdrawn, held_withdrawn = (float(sums[sums > 0].sum()) for sums in (usd, -usd, paid))
    times = np.append(used["time"].to_physical().to_numpy(), pl.Series([as_of], dtype=TIME).to_physical()[0])
    return Lifetime(
        first_flow=used["time"][0], as_of=as_of, deposits=int((usd > 0).sum()), withdrawals=int((usd < 0).sum()),
        deposited_usd=deposited, withdrawn_usd=withdrawn, nav=nav, gain_usd=nav + withdrawn - deposited,
        mwr=money_weighted(times, np.append(-usd, nav)), held_value=value, held_withdrawn_usd=held_withdrawn,
        held_gain_usd=value + held_withdrawn - deposited, held_mwr=money_weighted(times, np.append(paid, value)),
        ran_dry=steps.filter(pl.col("warning").is_not_null())["time"].to_list())


def usable(flows: pl.DataFrame, legs: pl.DataFrame, weights: Prices) -> pl.DataFrame:
    """The rows of `flows` that have a value, and a price of every leg at their time."""
    whole = (legs.drop_nulls("price").filter(pl.col("asset").is_in(list(weights))).group_by("time").len()
             .filter(pl.col("len") == len(weights)))
    return flows.drop_nulls("value_usd").join(whole, on="time", how="semi")


def _hold(flows: pl.DataFrame, legs: pl.DataFrame, weights: Prices) -> pl.DataFrame:
    """BENCHMARK_JOURNAL of the hold: it begins with nothing and gets what the account got."""
    prices = {time: dict(mine.select("asset", "price").iter_rows()) for (time,), mine in legs.group_by("time")}
    events = [Event(time=time, kind="deposit" if usd > 0 else "withdrawal", fact=f"{source}:{identity}", flow_usd=usd)
              for time, source, identity, usd in flows.select("time", "source", "id", "value_usd").iter_rows()]
    return replay("", Rules(name="hold", weights=weights, rebalance=None), events, prices).journal()
