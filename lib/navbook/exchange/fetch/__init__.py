"""Ask Binance; parse nothing but what paging needs. Weights and windows: BINANCE documentation of each path.

Each function returns the answers as they came. A path with "?" names the part of it that is asked for.
"""

from navbook.exchange.fetch import archives, flows, market, wallets

__all__ = ["archives", "flows", "market", "wallets"]
