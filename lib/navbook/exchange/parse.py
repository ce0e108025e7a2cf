"""Binance payloads -> frames. Pure: tested on recorded JSON, no server needed.

Every function takes the payload of one answer and raises `AnswerUnreadable` naming the row that does
not fit. Amounts arrive as text and stay exact. Fields and traps: the endpoint's BINANCE documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from navbook import schemas
from navbook.errors import AnswerUnreadable
from navbook.types import FlowKind, FlowStatus, Wallet

ZERO = Decimal(0)
# Deposit: 0 pending, 1 success, 2 rejected, 6 credited but not withdrawable, 7 wrong deposit, 8 waiting.
DEPOSIT_STATUS = {1: FlowStatus.DONE, 6: FlowStatus.DONE, 2: FlowStatus.FAILED, 7: FlowStatus.FAILED}
# Withdrawal: 0 email sent, 2 awaiting approval, 3 rejected, 4 processing, 6 completed; older: 1, 5 cancelled/failed.
WITHDRAWAL_STATUS = {6: FlowStatus.DONE, 1: FlowStatus.FAILED, 3: FlowStatus.FAILED, 5: FlowStatus.FAILED}
SUB_STATUS = {"SUCCESS": FlowStatus.DONE, "FAILURE": FlowStatus.FAILED, "FAILED": FlowStatus.FAILED}


def spot_balances(payload: Any, account: str, time: datetime, tradable: Iterable[str]) -> pl.DataFrame:
    """BALANCES of `GET /api/v3/account`. LD* rows mirror Simple Earn and are left out.

    tradable  assets that have a market of their own: LDO is a coin, LDBTC is a mirror
    """
    markets = set(tradable)

    def row(balance: Any) -> tuple[Any, ...] | None:
        asset = balance["asset"]
        if asset.startswith("LD") and len(asset) > 3 and asset not in markets:
            return None
        return _balance(account, time, Wallet.SPOT, asset, amount(balance["free"]) + amount(balance["locked"]))

    return _frame(schemas.BALANCES, "GET /api/v3/account", payload["balances"], row)


def funding_balances(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `POST /sapi/v1/asset/get-funding-asset`: free + locked + freeze + withdrawing."""
    def row(balance: Any) -> tuple[Any, ...] | None:
        parts = [amount(balance.get(part, "0")) for part in ("free", "locked", "freeze", "withdrawing")]
        return _balance(account, time, Wallet.FUNDING, balance["asset"], sum(parts, ZERO), parts[3])

    return _frame(schemas.BALANCES, "POST /sapi/v1/asset/get-funding-asset", payload, row)


def futures_balances(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /fapi/v3/account`: marginBalance (wallet + unrealised) of each asset, signed.

    The account's totals are of no use: they count USDT only, or apply haircuts.
    """
    def row(asset: Any) -> tuple[Any, ...] | None:
        return _balance(account, time, Wallet.FUTURES, asset["asset"], amount(asset["marginBalance"]))

    return _frame(schemas.BALANCES, "GET /fapi/v3/account", payload["assets"], row)


def wallet_totals(payload: Any) -> Decimal:
    """The sum over all wallets of `GET /sapi/v1/asset/wallet/balance`, in the asset that was asked for."""
    return sum((amount(wallet["balance"]) for wallet in payload), ZERO)


def prices(payload: Any, time: datetime) -> pl.DataFrame:
    """PRICES of `GET /api/v3/ticker/price`: one row per pair that trades."""
    def row(ticker: Any) -> tuple[Any, ...]:
        return time, ticker["symbol"], amount(ticker["price"]), time

    return _frame(schemas.PRICES, "GET /api/v3/ticker/price", payload, row)


def candles(payload: Any, symbol: str, seen_at: datetime, interval: str = "1m") -> pl.DataFrame:
    """CANDLES of `GET /api/v3/klines`: [open time ms, open, high, low, close, volume, close time, …]."""
    def row(kline: Any) -> tuple[Any, ...]:
        return ("spot", symbol, interval, from_ms(kline[0]), *(amount(part) for part in kline[1:6]), seen_at)

    return _frame(schemas.CANDLES, f"GET /api/v3/klines ({symbol})", payload, row)


def deposits(payload: Any, account: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of `GET /sapi/v1/capital/deposit/hisrec`; times are milliseconds."""
    def row(deposit: Any) -> tuple[Any, ...]:
        inserted = from_ms(deposit["insertTime"])
        completed = deposit.get("completeTime")
        status = DEPOSIT_STATUS.get(int(deposit["status"]), FlowStatus.PENDING)
        return (account, "deposit", str(deposit["id"]), from_ms(completed) if completed else inserted, inserted,
                FlowKind.DEPOSIT, deposit["coin"], amount(deposit["amount"]), ZERO, status,
                int(deposit.get("transferType", 0)) == 1, deposit.get("txId"), seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/capital/deposit/hisrec", payload, row)


def withdrawals(payload: Any, account: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of `GET /sapi/v1/capital/withdraw/history`; times are UTC text, amount is net of the fee."""
    def row(withdrawal: Any) -> tuple[Any, ...]:
        applied = from_text(withdrawal["applyTime"])
        completed = withdrawal.get("completeTime")
        status = WITHDRAWAL_STATUS.get(int(withdrawal["status"]), FlowStatus.PENDING)
        return (account, "withdrawal", str(withdrawal["id"]), from_text(completed) if completed else applied,
                applied, FlowKind.WITHDRAWAL, withdrawal["coin"], amount(withdrawal["amount"]),
                amount(withdrawal.get("transactionFee", "0")), status,
                int(withdrawal.get("transferType", 0)) == 1, withdrawal.get("txId"), seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/capital/withdraw/history", payload, row)


def sub_account_emails(payload: Any) -> list[str]:
    """The e-mail addresses in `GET /sapi/v1/sub-account/list`."""
    return [str(sub["email"]) for sub in payload["subAccounts"]]


def transfers_with_sub(payload: Any, account: str, sub_email: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of the master in `GET /sapi/v1/sub-account/universalTransfer` with one sub-account."""
    def row(transfer: Any) -> tuple[Any, ...]:
        receives = transfer["fromEmail"] == sub_email
        return _sub_flow(account, transfer["tranId"], transfer["createTimeStamp"], receives,
                         transfer["asset"], transfer["amount"], transfer["status"], seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/sub-account/universalTransfer", payload.get("result", []), row)


def transfers_as_sub(payload: Any, account: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of a sub-account in `GET /sapi/v1/sub-account/transfer/subUserHistory`; type 1 is in."""
    def row(transfer: Any) -> tuple[Any, ...]:
        return _sub_flow(account, transfer["tranId"], transfer["time"], int(transfer["type"]) == 1,
                         transfer["asset"], transfer["qty"], transfer["status"], seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/sub-account/transfer/subUserHistory", payload, row)


def amount(text: Any) -> Decimal:
    """An amount as Binance prints it. Raises `ValueError` for anything that is not a finite number."""
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount") from None
    if not number.is_finite():
        raise ValueError(f"{text!r} is not an amount")
    return number


def from_ms(milliseconds: Any) -> datetime:
    """A time in milliseconds since the epoch; exact."""
    seconds, rest = divmod(int(milliseconds), 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def from_text(text: Any) -> datetime:
    """A time such as "2026-05-14 09:31:07", which Binance means as UTC; some rows carry milliseconds instead."""
    return from_ms(text) if str(text).isdigit() else datetime.fromisoformat(str(text)).replace(tzinfo=UTC)


def _balance(account: str, time: datetime, wallet: Wallet, asset: str, quantity: Decimal,
             withdrawing: Decimal = ZERO) -> tuple[Any, ...] | None:
    return (account, time, wallet, asset, quantity, withdrawing, time) if quantity else None


def _sub_flow(account: str, transfer_id: Any, time_ms: Any, receives: bool, asset: str, quantity: Any,
              status: str, seen_at: datetime) -> tuple[Any, ...]:
    time = from_ms(time_ms)
    kind = FlowKind.SUB_DEPOSIT if receives else FlowKind.SUB_WITHDRAWAL
    return (account, "sub_transfer", str(transfer_id), time, time, kind, asset, amount(quantity), ZERO,
            SUB_STATUS.get(str(status).upper(), FlowStatus.PENDING), True, str(transfer_id), seen_at)


def _frame(schema: schemas.FrameSchema, endpoint: str, payload: Iterable[Any],
           row: Callable[[Any], tuple[Any, ...] | None]) -> pl.DataFrame:
    rows = []
    for position, item in enumerate(payload):
        try:
            parsed = row(item)
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            reason = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
            raise AnswerUnreadable(endpoint, f"row {position}: {reason}") from problem
        if parsed is not None:
            rows.append(parsed)
    return schema.rows(list(dict.fromkeys(rows)))
