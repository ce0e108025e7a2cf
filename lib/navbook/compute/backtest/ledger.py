"""Trades as numbers, before they become a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ledger:
    """Trades in the order of their exits; the columns are those of `kernel.run_chain`.

    rules     which of the backtest's rules each follows
    reopens   0 for the first trade of those rules, then 1, 2 …
    """

    rules: NDArray[np.int64]
    reopens: NDArray[np.int64]
    rows: NDArray[np.int64]
    prices: NDArray[np.float64]
    codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def merged(cls, parts: list[Ledger]) -> Ledger:
        """Trades of rules that do not touch one another."""
        rules = np.concatenate([np.full(len(part), which) for which, part in enumerate(parts)])
        reopens, rows, prices, codes = (np.concatenate([getattr(part, name) for part in parts])
                                        for name in ("reopens", "rows", "prices", "codes"))
        order = np.lexsort((rules, rows[:, 1]))
        return cls(rules[order], reopens[order], rows[order], prices[order], codes[order])
