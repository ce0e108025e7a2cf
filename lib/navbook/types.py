"""The nouns of the domain."""

from __future__ import annotations

from enum import StrEnum


class Environment(StrEnum):
    """Which exchange the numbers come from; decides every base URL and the store's folder."""

    SANDBOX = "sandbox"
    TESTNET = "testnet"
    LIVE = "live"


class Purpose(StrEnum):
    """What requests are for: of one minute's weight the first may take most."""

    TRADE = "trade"
    COLLECT = "collect"
    DOWNLOAD = "download"    # a market's past


class Wallet(StrEnum):
    """Where an account holds something."""

    SPOT = "spot"
    FUNDING = "funding"
    FUTURES = "futures"           # USD-M, margin balance per asset
    COIN_FUTURES = "coin_futures"    # COIN-M, margin balance per asset
    MARGIN = "margin"             # cross margin, net of what is owed
    ISOLATED_MARGIN = "isolated_margin"
    EARN_FLEXIBLE = "earn_flexible"
    EARN_LOCKED = "earn_locked"
    OTHER = "other"               # options, bots, copy trading, …: at the exchange's own value, in USDT
    IN_TRANSIT = "in_transit"     # withdrawals that left a wallet and are not complete


class WalletState(StrEnum):
    """What became of reading a wallet."""

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
    FEE_WITHDRAWAL = "FEE_WITHDRAWAL"      # paid to the manager: a fee collected, no loss
    SUB_DEPOSIT = "SUB_DEPOSIT"            # from the master or another sub-account
    SUB_WITHDRAWAL = "SUB_WITHDRAWAL"
    PAY_DEPOSIT = "PAY_DEPOSIT"            # Binance Pay
    PAY_WITHDRAWAL = "PAY_WITHDRAWAL"
    FIAT_DEPOSIT = "FIAT_DEPOSIT"          # by bank
    FIAT_WITHDRAWAL = "FIAT_WITHDRAWAL"
    CARD_BUY = "CARD_BUY"                  # coins bought with money from outside
    CARD_SELL = "CARD_SELL"
    C2C_BUY = "C2C_BUY"                    # from and to other people
    C2C_SELL = "C2C_SELL"

    @property
    def sign(self) -> int:
        """+1 when the account receives, -1 when it gives."""
        return 1 if self.name.endswith(("DEPOSIT", "BUY")) else -1


class FlowStatus(StrEnum):
    """Whether a cash flow counts."""

    DONE = "done"          # counts
    PENDING = "pending"    # under way: may still count
    FAILED = "failed"      # never counts


class Action(StrEnum):
    """What a manual entry does."""

    ADD = "add"            # a flow that the exchange does not list, or an opening balance
    MARK = "mark"          # another kind for a listed flow, or none at all: it is no flow
    PRICE = "price"        # a price for a flow that nothing prices


class FeeAction(StrEnum):
    """What became of a fee that was due."""

    COLLECTED = "COLLECTED"
    WAIVED = "WAIVED"
    ADJUSTED = "ADJUSTED"    # a correction: added to what is due, may be negative


class RunStatus(StrEnum):
    """How a run stands or ended."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    KILLED = "killed"      # its process was gone before it could say how it ended


class Fate(StrEnum):
    """What became of a time at which a job was due."""

    RAN = "ran"
    CAUGHT_UP = "caught_up"    # a later run did its work, as a rebuild does
    SKIPPED = "skipped"        # nothing ran, and what a snapshot misses cannot be had again
    FAILED = "failed"


class Verdict(StrEnum):
    """What a period says about an account beside its benchmark."""

    AHEAD = "ahead"
    BEHIND = "behind"
    TOO_EARLY = "too early"    # to call: chance explains the difference


class Side(StrEnum):
    """The direction of a position."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """+1 when a rising price gains, -1 when a falling price gains."""
        return 1 if self is Side.LONG else -1


class MarginType(StrEnum):
    """What stands behind a position: the whole wallet, or its own margin."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class ExitReason(StrEnum):
    """Why a trade ended; OPEN: it has not. A backtest knows the first three."""

    TAKE_PROFIT = "TP"
    STOP_LOSS = "SL"
    LIQUIDATION = "LIQUIDATION"
    MANUAL = "MANUAL"    # closed by a person, or because it could not be protected
    ORPHAN = "ORPHAN"    # gone, and the exchange does not tell how
    OPEN = "OPEN"


class Intrabar(StrEnum):
    """What is assumed of a candle that holds both levels (DESIGN "Intrabar rule")."""

    PESSIMISTIC = "pessimistic"    # the stop was first
    OPTIMISTIC = "optimistic"      # the profit was first
    PATH = "path"                  # open, low, high, close of a rising candle; open, high, low, close of a falling one


class ExitOrder(StrEnum):
    """The two conditional orders of an open position."""

    STOP = "STOP"
    PROFIT = "PROFIT"
