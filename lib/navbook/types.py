"""The nouns of the domain."""

from __future__ import annotations

from enum import StrEnum


class Environment(StrEnum):
    """Which exchange the numbers come from; decides every base URL and the store's folder."""

    SANDBOX = "sandbox"
    TESTNET = "testnet"
    LIVE = "live"


class Wallet(StrEnum):
    SPOT = "spot"
    FUNDING = "funding"
    FUTURES = "futures"           # USD-M, margin balance per asset
    IN_TRANSIT = "in_transit"     # withdrawals that left a wallet and are not complete


class WalletState(StrEnum):
    OK = "ok"
    ABSENT = "absent"     # never opened
    FAILED = "failed"     # could not be read: the snapshot is incomplete


class Grade(StrEnum):
    """How far a snapshot can be trusted. Only COMPLETE and PROVISIONAL are counted in returns."""

    COMPLETE = "complete"
    PROVISIONAL = "provisional"
    INCOMPLETE = "incomplete"
    BACKFILLED = "backfilled"


OWN_BENCHMARK = "own"    # the name of the benchmark that an account is measured by
COUNTED = (Grade.COMPLETE, Grade.PROVISIONAL)


class FlowKind(StrEnum):
    """What moved money in (deposits) or out (withdrawals) of an account."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    SUB_DEPOSIT = "SUB_DEPOSIT"
    SUB_WITHDRAWAL = "SUB_WITHDRAWAL"

    @property
    def sign(self) -> int:
        """+1 when the account receives, -1 when it gives."""
        return 1 if self in (FlowKind.DEPOSIT, FlowKind.SUB_DEPOSIT) else -1


class FlowStatus(StrEnum):
    DONE = "done"          # counts
    PENDING = "pending"    # under way: may still count
    FAILED = "failed"      # never counts


class Side(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """+1 when a rising price gains, -1 when a falling price gains."""
        return 1 if self is Side.LONG else -1


class MarginType(StrEnum):
    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class ExitReason(StrEnum):
    """Why a trade ended; OPEN: it has not."""

    TAKE_PROFIT = "TP"
    STOP_LOSS = "SL"
    LIQUIDATION = "LIQUIDATION"
    OPEN = "OPEN"


class Intrabar(StrEnum):
    """What is assumed of a candle that holds both levels (DESIGN "Intrabar rule")."""

    PESSIMISTIC = "pessimistic"    # the stop was first
    OPTIMISTIC = "optimistic"      # the profit was first
    PATH = "path"                  # open, low, high, close of a rising candle; open, high, low, close of a falling one
