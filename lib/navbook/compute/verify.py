"""Whether stored answers are what the facts say, and whether they agree with one another. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from navbook.schemas import FrameSchema
from navbook.types import OWN_BENCHMARK

MOST = 100        # cells shown of a table
NOISE = 1e-9      # relative: less is rounding of floats
CELLS = {"key": pl.String(), "column": pl.String(), "stored": pl.String(), "expected": pl.String()}


@dataclass(frozen=True)
class Difference:
    """Where a table is not what it should be: how many `rows`, and CELLS of the first ones."""

    rows: int
    cells: pl.DataFrame

    @property
    def first(self) -> str:
        """The first cell in words."""
        cell = self.cells.row(0, named=True)
        return f"{cell['key']}: {cell['column']} is {cell['stored']}, not {cell['expected']}"


def differences(schema: FrameSchema, stored: pl.DataFrame, expected: pl.DataFrame) -> Difference | None:
    """What of `stored` is not as `expected`, to the last digit; None when all is. Both fit `schema`."""
    if stored.sort(schema.key).equals(expected.sort(schema.key)):
        return None
    content = [name for name in schema.columns if name not in schema.key]
    both = (stored.with_columns(row=pl.lit("stored"))
            .join(expected.with_columns(row=pl.lit("stored")), on=schema.key, how="full", coalesce=True,
                  nulls_equal=True, suffix=" expected")
            .with_columns(pl.col("row", "row expected").fill_null("missing")))
    present = (pl.col("row") == "stored") & (pl.col("row expected") == "stored")
    wrong = {"row": pl.col("row").ne_missing(pl.col("row expected")),
             **{name: present & pl.col(name).ne_missing(pl.col(f"{name} expected")) for name in content}}
    bad = both.filter(pl.any_horizontal(wrong.values())).sort(schema.key)
    shown = [_cells(bad.filter(differs).head(MOST), schema.key, name, f"{name} expected")
             for name, differs in wrong.items()]
    return Difference(bad.height, pl.concat(shown).head(MOST)) if bad.height else None


def journal_faults(journal: pl.DataFrame) -> Difference | None:
    """Where BENCHMARK_JOURNAL cannot be replayed.

    Each leg goes on from the units that the step before left; a step's values are its units at its prices; money
    in buys for just that money, a rebalance keeps the value, a withdrawal leaves the same part of every leg.
    """
    account, step = ["account", "benchmark"], ["account", "benchmark", "step"]
    before, after = pl.col("units_before"), pl.col("units_after")
    kept = (after / before).fill_nan(None)
    checked = journal.sort(*step, "asset").with_columns(
        carried=after.shift().over([*account, "asset"]).fill_null(0.0),
        worth_before=(before * pl.col("price")).sum().over(step),
        worth_after=(after * pl.col("price")).sum().over(step),
        part=pl.when(event="withdrawal").then(kept.max().over(step) * before),
        paid=pl.when(pl.col("event").is_in(["init", "deposit"])).then(pl.col("value_before") + pl.col("flow_usd"))
               .when(event="rebalance").then("value_before"))
    rules = [("units_before", "carried"), ("value_before", "worth_before"), ("value_after", "worth_after"),
             ("units_after", "part"), ("value_after", "paid")]
    return _faults(checked, ["account", "benchmark", "time", "step", "asset"], rules)


def value_faults(history: pl.DataFrame, journal: pl.DataFrame) -> Difference | None:
    """Where NAV_HISTORY's benchmark_value is not the units of BENCHMARK_JOURNAL at the prices of its own row.

    Of accounts whose own benchmark is of bitcoin and ether alone; rows without a benchmark are left out.
    """
    own = journal.filter(pl.col("benchmark") == OWN_BENCHMARK)
    coins = own.filter(pl.col("asset").is_in(["BTC", "ETH"]).all().over("account"))
    units = (coins.sort("step").group_by("account", "time", maintain_order=True)
             .agg(btc=_last_of("BTC"), eth=_last_of("ETH")).sort("time"))
    held = (history.drop_nulls("benchmark_value").sort("time")
            .join_asof(units, on="time", by="account", check_sortedness=False)
            .filter(pl.col("account").is_in(coins["account"].unique().implode()))
            .with_columns(pl.col("btc", "eth").fill_null(0.0)))
    worth = pl.col("btc") * pl.col("btc_price").fill_null(0.0) + pl.col("eth") * pl.col("eth_price").fill_null(0.0)
    return _faults(held.with_columns(worth=worth), ["account", "time"], [("benchmark_value", "worth")])


def _last_of(asset: str) -> pl.Expr:
    return pl.col("units_after").filter(pl.col("asset") == asset).last()


def _faults(rows: pl.DataFrame, key: list[str], rules: list[tuple[str, str]]) -> Difference | None:
    """The rows in which a column is not, but for rounding, what another says; one without a value says nothing."""
    wrong = [(name, other, (pl.col(name) - pl.col(other)).abs() > NOISE * (1 + pl.col(other).abs()))
             for name, other in rules]
    bad = rows.filter(pl.any_horizontal(differs.fill_null(value=False) for _, _, differs in wrong)).sort(key)
    shown = [_cells(bad.filter(differs).head(MOST), key, name, other) for name, other, differs in wrong]
    return Difference(bad.height, pl.concat(shown).head(MOST)) if bad.height else None


def _cells(rows: pl.DataFrame, key: list[str] | tuple[str, ...], column: str, expected: str) -> pl.DataFrame:
    """CELLS of one column of `rows`."""
    def text(name: str) -> pl.Expr:
        value = pl.col(name)
        words = value.dt.to_string("%F %T%.f") if isinstance(rows.schema[name], pl.Datetime) else value.cast(pl.String)
        return words.fill_null("null")

    return rows.select(key=pl.concat_str(*map(text, key), separator=" "), column=pl.lit(column), stored=text(column),
                       expected=text(expected)).select(list(CELLS))
