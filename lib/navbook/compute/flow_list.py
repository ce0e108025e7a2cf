"""Every listed movement, whether it counts, and if not why. Pure."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from navbook.compute import cash_flows, manual
from navbook.compute.manual import FLOW
from navbook.types import Action, FlowKind, FlowStatus


class Standing(StrEnum):
    """What a listed movement is to the account's figures."""

    COUNTED = "counted"
    BEFORE = "before the start"    # of the first counted snapshot: in no benchmark and no return
    NO_PRICE = "no price"          # listed, never guessed
    PENDING = "pending"
    FAILED = "failed"
    TWIN = "twin"                  # another endpoint lists the same movement, and that row counts
    IGNORED = "ignored"            # marked by hand: no flow


FLOWS = (Standing.COUNTED, Standing.BEFORE, Standing.NO_PRICE)    # the others never move a figure


def flow_list(flows: pl.DataFrame, entries: pl.DataFrame, values: pl.DataFrame, starts: pl.DataFrame) -> pl.DataFrame:
    """[account, time, flow, kind, asset, quantity, price, price_route, value_usd, standing, why, note], by time.

    flows    CASH_FLOWS facts
    entries  MANUAL_ENTRIES, the newest row of each
    values   FLOW_VALUES of what counts (`manual.applied`, `manual.by_hand`)
    starts   [account, start]  each account's first counted snapshot

    flow is "source:id"; quantity is signed and exact, the fee of a withdrawal included; why names the twin,
    or the entries behind it; why and note may be empty.
    """
    active = manual.of_flows(entries)
    everything = manual.applied(flows, entries.filter(pl.col("action") == Action.ADD)).cash_flows
    kinds = manual.newest(active, Action.MARK).select(*FLOW, marked="kind", is_marked=pl.lit(value=True))
    worth = values.select(*FLOW, "price", "price_route", "value_usd", counts=pl.lit(value=True))
    known = (everything.join(kinds, on=FLOW, how="left").join(worth, on=FLOW, how="left")
             .join(starts, on="account", how="left").join(_twins(everything), on=FLOW, how="left")
             .join(_entries_behind(active), on=FLOW, how="left")
             .with_columns(kind=pl.coalesce("marked", "kind")))
    receives = pl.col("kind").is_in([kind.value for kind in FlowKind if kind.sign > 0])
    return known.sort("time", *FLOW).select(
        "account", "time", "kind", "asset", "price", "price_route", "value_usd",
        flow=reference(), standing=_standing(),
        quantity=pl.when(receives).then("amount").otherwise(-(pl.col("amount") + pl.col("fee"))),
        why=pl.concat_str(pl.when(pl.col("counts").is_null()).then(pl.format("listed as {}", "twin")), "behind",
                          separator="; ", ignore_nulls=True),
        note=pl.concat_str("counterparty", "note", separator=": ", ignore_nulls=True)).select(
        "account", "time", "flow", "kind", "asset", "quantity", "price", "price_route", "value_usd", "standing", "why",
        "note")


def reference() -> pl.Expr:
    """The name by which people call a flow."""
    return pl.format("{}:{}", "source", "id")


def _standing() -> pl.Expr:
    counts, done = pl.col("counts").is_not_null(), pl.col("status") == FlowStatus.DONE
    ignored = pl.col("is_marked").is_not_null() & pl.col("marked").is_null()
    before = pl.col("time") <= pl.col("start")
    return (pl.when(ignored).then(pl.lit(Standing.IGNORED.value))
              .when(counts & pl.col("value_usd").is_null()).then(pl.lit(Standing.NO_PRICE.value))
              .when(counts & before).then(pl.lit(Standing.BEFORE.value))
              .when(counts).then(pl.lit(Standing.COUNTED.value))
              .when(done).then(pl.lit(Standing.TWIN.value))
              .otherwise("status"))


def _twins(flows: pl.DataFrame) -> pl.DataFrame:
    """[account, source, id, twin]: for each row that `counted` leaves out as listed twice, the row that counts."""
    counted = cash_flows.counted(flows)
    done = flows.filter(pl.col("status") == FlowStatus.DONE)
    left_out = done.join(counted, on=FLOW, how="anti")
    candidates = counted.select("account", "asset", "amount", twin=reference(), other_time="time", other_tx="tx_id")
    return (left_out.join(candidates, on=["account", "asset"])
            .filter((pl.col("tx_id") == pl.col("other_tx")).fill_null(value=False)
                    | (pl.col("amount") == pl.col("amount_right")))
            .sort(pl.col("tx_id").eq_missing(pl.col("other_tx")).not_(),
                  (pl.col("time") - pl.col("other_time")).abs(), "twin")
            .unique(FLOW, keep="first", maintain_order=True).select(*FLOW, "twin"))


def _entries_behind(active: pl.DataFrame) -> pl.DataFrame:
    """[account, source, id, behind]: what people said of a flow, in words."""
    verb = {Action.ADD.value: "added", Action.MARK.value: "marked", Action.PRICE.value: "priced"}
    latest = pl.concat([manual.newest(active, action) for action in Action])
    return (latest.sort("seen_at", "entry").group_by(FLOW, maintain_order=True)
            .agg(behind=pl.format("{} by {}", pl.col("action").replace_strict(verb, return_dtype=pl.String), "entry")
                 .str.join("; ")))
