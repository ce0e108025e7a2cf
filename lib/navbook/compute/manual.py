"""What people know and the exchange does not: flows added, marked and priced by hand. Pure.

An entry counts until it is revoked. Of several marks of one flow the newest counts, and of several
prices the newest, so that revoking an entry brings back the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from navbook.compute import cash_flows
from navbook.schemas import AMOUNT, CASH_FLOWS, FLOW_VALUES
from navbook.types import Action, FlowStatus

SOURCE = "manual"       # of an added flow; its id is the entry's
BY_HAND = "by hand"     # the price route of a flow that a person priced
FLOW = list(CASH_FLOWS.key)


@dataclass(frozen=True)
class Applied:
    """Cash flows as people put them right.

    cash_flows  CASH_FLOWS: marks applied, added flows included
    prices      [account, source, id, entry, price_usd]  USD per unit, given by hand (float)
    """

    cash_flows: pl.DataFrame
    prices: pl.DataFrame


def applied(flows: pl.DataFrame, entries: pl.DataFrame) -> Applied:
    """`flows` with all that `entries` say of them; in any order, and once or twice, it is the same.

    flows    CASH_FLOWS
    entries  MANUAL_ENTRIES, the newest row of each

    This is what counts as a flow: put it into `cash_flows.counted` and `cash_flows.values`. Withdrawals under
    way are told by the listed rows alone; no entry changes what left a wallet.
    """
    active = of_flows(entries)
    whole = _with_added(flows, active)
    marks = newest(active, Action.MARK)
    kept = _without(whole, marks.filter(pl.col("kind").is_null()))
    marked = (kept.join(marks.select(*FLOW, marked="kind"), on=FLOW, how="left", maintain_order="left")
              .with_columns(kind=pl.coalesce("marked", "kind")))
    prices = newest(active.filter(pl.col("price_usd").is_not_null()), Action.PRICE, Action.ADD)
    return Applied(CASH_FLOWS.check(marked.select(list(CASH_FLOWS.columns)).sort(FLOW)),
                   prices.select(*FLOW, "entry", pl.col("price_usd").cast(pl.Float64)).sort(FLOW))


def of_flows(entries: pl.DataFrame) -> pl.DataFrame:
    """The entries that are not revoked, by the flow that each is about: [account, source, id, entry, …]."""
    added = pl.col("action") == Action.ADD
    return (entries.filter(pl.col("revoked").fill_null(value=False).not_())
            .select("account", "action", "time", "kind", "asset", "amount", "price_usd", "note", "seen_at", entry="id",
                    source=pl.when(added).then(pl.lit(SOURCE)).otherwise("source"),
                    id=pl.when(added).then("id").otherwise("flow")))


def newest(active: pl.DataFrame, *actions: Action) -> pl.DataFrame:
    """Of the entries of `of_flows` with one of `actions`, the newest of each flow."""
    return (active.filter(pl.col("action").is_in([action.value for action in actions]))
            .sort("seen_at", "entry").unique(FLOW, keep="last", maintain_order=True))


def _with_added(flows: pl.DataFrame, active: pl.DataFrame) -> pl.DataFrame:
    text = pl.lit(None, pl.String)
    added = active.filter(pl.col("action") == Action.ADD).select(
        *FLOW, "time", "kind", "asset", "amount", "note", "seen_at", started_at="time",
        fee=pl.lit(Decimal(0), AMOUNT), status=pl.lit(FlowStatus.DONE.value), internal=pl.lit(value=False),
        tx_id=text, counterparty=text)
    return pl.concat([flows, added.select(flows.columns)]).unique(FLOW, keep="last", maintain_order=True)


def _without(flows: pl.DataFrame, out: pl.DataFrame) -> pl.DataFrame:
    """`flows` less those of `out`, and less what was their twin: else the other listing of one movement would count."""
    kept = flows.join(out, on=FLOW, how="anti")
    if kept.height == flows.height:
        return flows
    released = cash_flows.counted(kept).join(cash_flows.counted(flows), on=FLOW, how="anti")
    return kept.join(released, on=FLOW, how="anti")


def by_hand(flow_values: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """FLOW_VALUES in which a price given by hand stands before any other.

    flow_values  FLOW_VALUES of `Applied.cash_flows`
    prices       `Applied.prices`
    """
    given = pl.col("price_usd").is_not_null()
    with_given = flow_values.join(prices.select(*FLOW, "price_usd"), on=FLOW, how="left", maintain_order="left")
    valued = with_given.with_columns(
        price=pl.coalesce("price_usd", "price"),
        price_route=pl.when(given).then(pl.lit(BY_HAND)).otherwise("price_route"),
        value_usd=pl.when(given).then(pl.col("quantity") * pl.col("price_usd")).otherwise("value_usd"))
    return FLOW_VALUES.check(valued.select(list(FLOW_VALUES.columns)))
