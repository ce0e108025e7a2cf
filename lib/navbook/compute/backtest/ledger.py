"""Trades as numbers, before they become a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Prices(NamedTuple):
    """Columns of all trades; from `exit` on without meaning where a trade is open."""

    entry: Floats
    quantity: Floats
    take_profit: Floats
    stop_loss: Floats
    exit: Floats
    fee: Floats
    funding: Floats
    pnl: Floats

    @classmethod
    def of(cls, table: Floats) -> Prices:
        """From [trade, 8], which may be written over afterwards. Polars takes such columns without a copy."""
        return cls(*(column.copy() for column in table.T))


@dataclass(frozen=True, eq=False)
class Ledger:
    """Trades in the order of their exits.

    rules     which of the backtest's rules each follows
    reopens   0 for the first trade of those rules, then 1, 2 …
    rows      [trade, 2]: rows of entry and exit; that of an open one is the number of candles in use
    codes     [trade, 2]: the reason of the exit; 1 where it hangs on the intrabar rule
    """

    rules: NDArray[np.integer[Any]]
    reopens: NDArray[np.int64]
    rows: NDArray[np.int32]
    prices: Prices
    codes: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.rows)

    def of_rules(self, which: int) -> Ledger:
        mine = np.flatnonzero(self.rules == which)
        return Ledger(self.rules[mine], self.reopens[mine], self.rows[mine],
                      Prices(*(column[mine] for column in self.prices)), self.codes[mine])

    @classmethod
    def merged(cls, parts: list[Ledger]) -> Ledger:
        """Trades of rules that do not touch one another."""
        rules = np.concatenate([np.full(len(part), which) for which, part in enumerate(parts)])
        reopens, rows, codes = (np.concatenate([getattr(part, name) for part in parts])
                                for name in ("reopens", "rows", "codes"))
        prices = Prices(*(np.concatenate(columns) for columns in zip(*(part.prices for part in parts), strict=True)))
        order = np.lexsort((rules, rows[:, 1]))
        return cls(rules[order], reopens[order], rows[order], Prices(*(column[order] for column in prices)),
                   codes[order])
