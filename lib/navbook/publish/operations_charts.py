"""The charts of the operations page: the fate of every slot, and our sum beside the exchange's own total."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from navbook.publish import parts, words
from navbook.publish.markup import Html
from navbook.publish.palette import LIGHT

HOURS = 24
FATES = {"ran": "gap", "caught_up": "account", "skipped": "bg", "failed": "negative"}    # fate -> fill
WORST = {"ran": 0, "caught_up": 1, "skipped": 2, "failed": 3}
DAYS = 120           # that the ledger's chart shows
POINTS = 700         # of residuals
CAUSES = 5           # words above the columns

Row = dict[str, Any]


def every_slot(slots: pl.DataFrame) -> alt.LayerChart:
    """A column a day, a cell an hour (UTC). Of several slots in an hour the worst is seen."""
    height = 150
    hours = _hours(slots)
    first, last = _span(hours)
    axes = parts.Axes(parts.time_axis(first, last), [HOURS, 0], parts.axis([0, 6, 12, 18], ["00", "06", "12", "18"]))
    cells = _cells(hours)
    layers: list[Any] = []
    for fate, fill in FATES.items():
        mine = [cell for cell in cells if cell["fate"] == fate]
        if mine:
            edge = LIGHT["warning" if fate == "skipped" else fill]
            layers.append(parts.table(mine).mark_rect(fill=LIGHT[fill], stroke=edge, strokeWidth=1).encode(
                x=alt.X("t:T"), x2="u:T", y=axes.y("a"), y2="b:Q"))
    causes = _causes(hours)
    layers.append(parts.table(causes).mark_text(
        align="left", fontSize=11, color=LIGHT["text"], text=alt.ExprRef("narrow ? '' : datum.text"),
        clip=False).encode(x=axes.x, y=alt.value(-8)))
    return parts.chart(layers, [], axes, height=height, columns="t", rows=[(parts.ms(first),)] if cells else [],
                       heading=Html("Every slot"), note=_slots_note(),
                       label=f"{slots.height} slots from {words.date(first, last)} to {words.date(last)}, by day and "
                             "hour.")


def residuals(reconciliation: pl.DataFrame, tolerance: float) -> alt.LayerChart:
    """Each account's sum less the exchange's own total, in percent of it, once a day."""
    height = 120
    rows = _daily(reconciliation)
    first, last = _span(rows)
    most = max([tolerance * 1.4, *(abs(share) for share in rows["share"])])
    labels = [words.percent(tick, signed=True) if tick else "0" for tick in (-tolerance, 0.0, tolerance)]
    axes = parts.Axes(parts.time_axis(first, last), [-most, most], parts.axis([-tolerance, 0.0, tolerance], labels))
    band = parts.table([{"t": parts.ms(first), "u": parts.ms(last), "y": -tolerance, "z": tolerance}])
    outside = [_point(row) for row in rows.filter(pl.col("share").abs() > tolerance).iter_rows(named=True)]
    layers: list[Any] = [
        band.mark_rect(color=LIGHT["gap"], opacity=0.7).encode(x=alt.X("t:T"), x2="u:T", y=axes.y("y"), y2="z:Q"),
        alt.Chart().mark_point(color=LIGHT["account"], filled=True, size=14, opacity=0.6).encode(
            x=axes.x, y=axes.y("y"))]
    if outside:
        layers += [parts.table(outside).mark_point(shape="diamond", size=60, stroke=LIGHT["warning"], strokeWidth=1.5,
                                                   fill=LIGHT["bg"], opacity=1).encode(x=axes.x, y=axes.y("y")),
                   parts.table(outside[-1:]).mark_text(color=LIGHT["warning"], fontWeight="bold", dy=-12, clip=False,
                                                       text=alt.ExprRef("datum.text")).encode(x=axes.x, y=axes.y("y"))]
    accounts = rows["account"].n_unique()
    return parts.chart(
        layers, [], axes, height=height, columns="t,y",
        rows=[(parts.ms(row["time"]), round(row["share"], 6)) for row in rows.iter_rows(named=True)],
        heading=Html("Our sum beside the exchange\N{RIGHT SINGLE QUOTATION MARK}s own total"),
        note=Html("{}").format(f"Daily residual of {words.count(accounts, 'account').lower()}. Inside the grey band "
                               f"(\N{PLUS-MINUS SIGN}{words.percent(tolerance, signed=False)}) all is well; outside, "
                               "the snapshot is provisional."),
        label=f"Points: the sum of the wallets less the exchange's own total, {words.date(first, last)} to "
              f"{words.date(last)}; {len(outside)} outside the tolerance.")


# The parts.

def _hours(slots: pl.DataFrame) -> pl.DataFrame:
    """[time, fate, reason]: an hour a row, the worst of its slots."""
    newest = slots["time"].max()
    recent = slots if not isinstance(newest, datetime) else slots.filter(
        pl.col("time") > newest - timedelta(days=DAYS))
    ranked = recent.with_columns(time=pl.col("time").dt.truncate("1h"),
                                 rank=pl.col("fate").replace_strict(WORST, default=0, return_dtype=pl.Int64))
    return (ranked.sort("time", "rank").group_by("time", maintain_order=True)
            .agg(pl.col("fate").last(), pl.col("reason").last()))


def _span(rows: pl.DataFrame) -> tuple[datetime, datetime]:
    first, last = rows["time"].min(), rows["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        first = last = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _cells(hours: pl.DataFrame) -> list[Row]:
    """Rectangles: of hours on end with one fate, one; the others one by one, so that each can be seen."""
    found: list[Row] = []
    for row in hours.iter_rows(named=True):
        day = row["time"].replace(hour=0)
        hour = row["time"].hour
        start, end = parts.ms(day), parts.ms(day + timedelta(hours=22))
        last = found[-1] if found else None
        if last and row["fate"] == "ran" == last["fate"] and last["t"] == start and last["b"] == hour:
            last["b"] = hour + 1
        else:
            found.append({"t": start, "u": end, "a": hour, "b": hour + 1, "fate": row["fate"]})
    return found


def _causes(hours: pl.DataFrame) -> list[Row]:
    """Why, in a few words, above the newest columns that are not all well."""
    found: list[Row] = []
    last: datetime | None = None
    for row in hours.filter(pl.col("fate") != "ran").sort("time", descending=True).iter_rows(named=True):
        if len(found) == CAUSES:
            break
        if last is None or last - row["time"] > timedelta(days=12):
            text = (row["reason"] or row["fate"].replace("_", " ")).split(":")[0]
            found.append({"t": parts.ms(row["time"].replace(hour=0)), "text": text[:24]})
            last = row["time"]
    return found


def _slots_note() -> Html:
    return Html('One column a day, one cell an hour (UTC). <span class="key gap-key"></span> ran '
                '<span class="key account-key"></span> caught up later <span class="key missed-key"></span> missed: '
                'gone for good <span class="key failed-key"></span> failed')


def _daily(reconciliation: pl.DataFrame) -> pl.DataFrame:
    """[account, time, share]: of each account the last of each day, at most `POINTS`."""
    total = reconciliation.filter(pl.col("wallet") == "total", pl.col("residual_usd").is_not_null(),
                                  pl.col("exchange_usd") > 0)
    share = pl.col("residual_usd") / pl.col("exchange_usd")
    return (total.sort("time").group_by("account", pl.col("time").dt.truncate("1d").alias("day"), maintain_order=True)
            .last().select("account", "time", share=share).sort("time").tail(POINTS))


def _point(row: Row) -> Row:
    return {"t": parts.ms(row["time"]), "y": row["share"],
            "text": f"{row['account']} {words.percent(row['share'], 2)}: provisional"}
