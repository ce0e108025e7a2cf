"""Binance payloads -> frames. Pure: tested on recorded JSON, no server needed.

Every function takes the payload of one answer. Wallets and prices raise `AnswerUnreadable` naming the row that
does not fit; histories hand such a row back (`rows.Parsed`) and keep the others. Amounts arrive as text and stay
exact. Fields and traps: the BINANCE documentation of the endpoint.
"""

from navbook.exchange.parse import archives, banks, flows, market, wallets

__all__ = ["archives", "banks", "flows", "market", "wallets"]
