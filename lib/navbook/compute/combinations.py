"""The combinations of a grid of rules: every value of each with every value of the others.

Apart from the backtester, so that a grid can be checked without the compiler that runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute.brackets import RULE_NAMES, BracketRules
from navbook.errors import BracketInvalid


@dataclass(frozen=True, eq=False)
class Combinations:
    """The product of a grid's axes. A combination is a number; `places` says which value of each axis it takes."""

    rules: BracketRules
    axes: dict[str, list[Any]]
    variants: dict[str, list[BracketRules]]    # `rules` with one value of one axis each, checked
    places: dict[str, NDArray[np.int64]]
    count: int

    @classmethod
    def of(cls, rules: BracketRules, grid: Mapping[str, Sequence[Any]]) -> Combinations:
        axes: dict[str, list[Any]] = {}
        for name, values in grid.items():
            if name not in RULE_NAMES:
                raise BracketInvalid("grid", name, f"one of the rules {', '.join(RULE_NAMES)}")
            if isinstance(values, str) or not len(values):
                raise BracketInvalid(name, values, "a list of values to try")
            axes[name] = [value.item() if isinstance(value, np.generic) else value for value in values]
        variants = {name: [replace(rules, **{name: value}) for value in values] for name, values in axes.items()}
        shape = [len(values) for values in axes.values()]
        count = int(np.prod(shape, dtype=np.int64))
        places = dict(zip(axes, np.unravel_index(np.arange(count), shape) if shape else (), strict=True))
        return cls(rules, axes, variants, places, count)

    def column(self, name: str, value: Callable[[BracketRules], Any], dtype: type = float) -> NDArray[Any]:
        """`value` of the rule `name` in each combination."""
        if name not in self.axes:
            return np.full(self.count, value(self.rules), dtype)
        return np.array([value(rules) for rules in self.variants[name]], dtype)[self.places[name]]

    def groups(self) -> Iterator[tuple[BracketRules, NDArray[np.int64]]]:
        """Combinations that differ in nothing but amounts, widths, wallets and most reopens, with one's rules."""
        names = [name for name in ("side", "check_every", "reopen_delay", "reopen_window", "step_size", "tick_size",
                                   "margin_type", "wallet_usdt", "brackets") if name in self.axes]
        keys = np.zeros(self.count, np.int64)
        for name in names:
            values = self.variants[name]
            kinds = ([variant.wallet_usdt is None for variant in values] if name == "wallet_usdt"
                     else [getattr(variant, name) for variant in values])
            numbers = np.array([kinds.index(kind) for kind in kinds])
            keys = keys * len(kinds) + numbers[self.places[name]]
        for key in np.unique(keys):
            mine = np.flatnonzero(keys == key)
            yield self.rules_of(int(mine[0])), mine

    def rules_of(self, combination: int) -> BracketRules:
        return replace(self.rules, **{name: values[self.places[name][combination]]
                                      for name, values in self.axes.items()})

    def values(self) -> pl.DataFrame:
        """One row a combination: the values tried."""
        return pl.DataFrame([_series(name, self.axes[name]).gather(self.places[name]) for name in self.axes])

    def frame(self, sums: dict[str, NDArray[Any]], held: float) -> pl.DataFrame:
        """`values` beside what each combination comes to, `sums`; `held` is the gain of holding the symbol."""
        counts = {name: pl.Series(sums[name]).cast(pl.Int64) for name in
                  ("trades", "wins", "losses", "liquidations", "ambiguous")}
        amounts = self.column("amount_usdt", lambda rules: rules.amount_usdt)
        return pl.DataFrame({
            **self.values().to_dict(), "trades": counts["trades"], "wins": counts["wins"], "losses": counts["losses"],
            "pnl": sums["pnl"], "fees": sums["fees"], "funding": sums["funding"], "max_drawdown": sums["max_drawdown"],
            "liquidations": counts["liquidations"], "ambiguous": counts["ambiguous"],
            "excess": sums["pnl"] / amounts - held})


def _series(name: str, values: list[Any]) -> pl.Series:
    if name == "brackets":
        return pl.Series(name, [str(value) for value in values])
    return pl.Series(name, [value.value if hasattr(value, "value") else value for value in values], strict=False)
