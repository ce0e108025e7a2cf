"""Binance payloads -> frames. Pure: tested on recorded JSON, no server needed.

Every function takes the payload of one answer and raises `AnswerUnreadable` naming the row that does
not fit. Amounts arrive as text and stay exact. Fields and traps: the endpoint's BINANCE documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, TypeVar

import polars as pl

from navbook import schemas
from navbook.errors import AnswerUnreadable
from navbook.types import FlowKind, FlowStatus, Wallet

Row = TypeVar("Row")
ZERO = Decimal(0)
EXACT = Context(prec=76, traps=[InvalidOperation])    # sums of amounts keep every digit
LARGEST = Decimal(10) ** 20     # of an amount: what is left of the point in schemas.AMOUNT
SMALLEST = Decimal(1).scaleb(-18)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
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
        asset = text(balance["asset"])
        if asset.startswith("LD") and len(asset) > 3 and asset not in markets:
            return None
        return _balance(account, time, Wallet.SPOT, asset, total(amount(balance["free"]), amount(balance["locked"])))

    return _frame(schemas.BALANCES, "GET /api/v3/account", payload, row, "balances")


def uid(payload: Any) -> int | None:
    """The account's number in `GET /api/v3/account`, where it is told."""
    endpoint = "GET /api/v3/account"
    found = _object(endpoint, payload).get("uid")
    try:
        return None if found is None else integer(found)
    except UNREADABLE as problem:
        raise AnswerUnreadable(endpoint, f"uid: {problem}") from None


def funding_balances(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `POST /sapi/v1/asset/get-funding-asset`: free + locked + freeze + withdrawing."""
    def row(balance: Any) -> tuple[Any, ...] | None:
        locked, freeze, withdrawing = (amount(balance.get(part, "0")) for part in ("locked", "freeze", "withdrawing"))
        return _balance(account, time, Wallet.FUNDING, text(balance["asset"]),
                        total(amount(balance["free"]), locked, freeze, withdrawing), withdrawing)

    return _frame(schemas.BALANCES, "POST /sapi/v1/asset/get-funding-asset", payload, row)


def futures_balances(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /fapi/v3/account`: marginBalance (wallet + unrealised) of each asset, signed.

    The account's totals are of no use: they count USDT only, or apply haircuts.
    """
    def row(asset: Any) -> tuple[Any, ...] | None:
        return _balance(account, time, Wallet.FUTURES, text(asset["asset"]), amount(asset["marginBalance"]))

    return _frame(schemas.BALANCES, "GET /fapi/v3/account", payload, row, "assets")


def wallet_values(payload: Any) -> dict[str, Decimal]:
    """What each wallet of `GET /sapi/v1/asset/wallet/balance` is worth, by its name, in the asset asked for."""
    values: dict[str, Decimal] = {}
    for name, value in _rows("GET /sapi/v1/asset/wallet/balance", payload,
                             lambda wallet: (text(wallet["walletName"]), amount(wallet["balance"]))):
        values[name] = total(values.get(name, ZERO), value)
    return values


def wallet_totals(payload: Any) -> Decimal:
    """The sum over all wallets of `GET /sapi/v1/asset/wallet/balance`, in the asset that was asked for."""
    return total(*wallet_values(payload).values())


def futures_enabled(payload: Any) -> bool:
    """Whether the account ever opened USD-M futures, by its flags in `GET /sapi/v1/account/info`."""
    endpoint = "GET /sapi/v1/account/info"
    flag = _object(endpoint, payload).get("isFutureEnabled")
    if not isinstance(flag, bool):
        raise AnswerUnreadable(endpoint, f"isFutureEnabled is {flag!r}")
    return flag


def prices(payload: Any, time: datetime) -> pl.DataFrame:
    """PRICES of `GET /api/v3/ticker/price`: one row per pair that trades."""
    def row(ticker: Any) -> tuple[Any, ...]:
        return time, text(ticker["symbol"]), amount(ticker["price"]), time

    return _frame(schemas.PRICES, "GET /api/v3/ticker/price", payload, row)


def candles(payload: Any, symbol: str, seen_at: datetime, interval: str = "1m") -> pl.DataFrame:
    """CANDLES of `GET /api/v3/klines`: [open time ms, open, high, low, close, volume, close time, …]."""
    def row(kline: Any) -> tuple[Any, ...]:
        open_time, first, high, low, last, volume = kline[:6]
        parts = (amount(part) for part in (first, high, low, last, volume))
        return ("spot", symbol, interval, from_ms(open_time), *parts, seen_at)

    return _frame(schemas.CANDLES, f"GET /api/v3/klines ({symbol})", payload, row)


def deposits(payload: Any, account: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of `GET /sapi/v1/capital/deposit/hisrec`; times are milliseconds."""
    def row(deposit: Any) -> tuple[Any, ...]:
        inserted = from_ms(deposit["insertTime"])
        completed = given(deposit.get("completeTime"))
        status = DEPOSIT_STATUS.get(integer(deposit["status"]), FlowStatus.PENDING)
        return (account, "deposit", identity(deposit["id"]), from_ms(completed) if completed else inserted, inserted,
                FlowKind.DEPOSIT, text(deposit["coin"]), moved(deposit["amount"]), ZERO, status,
                _internal(deposit), _transaction(deposit), None, None, seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/capital/deposit/hisrec", payload, row)


def withdrawals(payload: Any, account: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of `GET /sapi/v1/capital/withdraw/history`; times are UTC text, amount is net of the fee."""
    def row(withdrawal: Any) -> tuple[Any, ...]:
        applied = from_text(withdrawal["applyTime"])
        completed = given(withdrawal.get("completeTime"))
        status = WITHDRAWAL_STATUS.get(integer(withdrawal["status"]), FlowStatus.PENDING)
        return (account, "withdrawal", identity(withdrawal["id"]), from_text(completed) if completed else applied,
                applied, FlowKind.WITHDRAWAL, text(withdrawal["coin"]), moved(withdrawal["amount"]),
                moved(given(withdrawal.get("transactionFee")) or "0"), status,
                _internal(withdrawal), _transaction(withdrawal), None, None, seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/capital/withdraw/history", payload, row)


def sub_account_emails(payload: Any) -> list[str]:
    """The e-mail addresses in `GET /sapi/v1/sub-account/list`."""
    return _rows("GET /sapi/v1/sub-account/list", payload, lambda sub: text(sub["email"]), "subAccounts")


def transfers_with_sub(payload: Any, account: str, sub_email: str, seen_at: datetime,
                       siblings: Iterable[str] = ()) -> pl.DataFrame:
    """CASH_FLOWS of the master in `GET /sapi/v1/sub-account/universalTransfer` with one sub-account.

    siblings  all sub-accounts of the master: what moves between two of them is no flow of the master
    """
    sub, others = sub_email.casefold(), {email.casefold() for email in siblings}

    def row(transfer: Any) -> tuple[Any, ...] | None:
        sender, receiver = text(transfer["fromEmail"]).casefold(), text(transfer["toEmail"]).casefold()
        if sub not in (sender, receiver):
            raise ValueError(f"it moves nothing from or to {sub_email}")
        if {sender, receiver} <= {sub, *others}:
            return None
        return _sub_flow(account, transfer["tranId"], transfer["createTimeStamp"], sender == sub,
                         transfer["asset"], transfer["amount"], transfer["status"], seen_at)

    if isinstance(payload, dict) and "result" not in payload and payload.get("totalCount") == 0:
        payload = {"result": []}
    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/sub-account/universalTransfer", payload, row, "result")


def transfers_as_sub(payload: Any, account: str, seen_at: datetime) -> pl.DataFrame:
    """CASH_FLOWS of a sub-account in `GET /sapi/v1/sub-account/transfer/subUserHistory`; type 1 is in."""
    def row(transfer: Any) -> tuple[Any, ...]:
        direction = integer(transfer["type"])
        if direction not in (1, 2):
            raise ValueError(f"type is {direction}, neither 1 nor 2")
        return _sub_flow(account, transfer["tranId"], transfer["time"], direction == 1,
                         transfer["asset"], transfer["qty"], transfer["status"], seen_at)

    return _frame(schemas.CASH_FLOWS, "GET /sapi/v1/sub-account/transfer/subUserHistory", payload, row)


def amount(value: Any) -> Decimal:
    """An amount as Binance prints it, to 18 decimals. Raises `ValueError` for what is none or does not fit."""
    try:
        number = Decimal(str(value)).quantize(SMALLEST, context=EXACT)
    except InvalidOperation:
        raise ValueError(f"{_shown(value)} is not an amount") from None
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError(f"{_shown(value)} is not an amount")
    return number


def moved(value: Any) -> Decimal:
    """An amount that came or went: never below zero."""
    number = amount(value)
    if number < 0:
        raise ValueError(f"the amount {value} is below zero")
    return number


def total(*amounts: Decimal) -> Decimal:
    """The exact sum. Raises `ValueError` when it does not fit."""
    together = ZERO
    for number in amounts:
        together = EXACT.add(together, number)
    return amount(together)


def text(value: Any) -> str:
    """A name: of an asset, a pair, a person."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{_shown(value)} is not a name")
    value.encode()    # half a surrogate pair fails here, with a ValueError
    return value


def identity(value: Any) -> str:
    """An id, which may come as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def integer(value: Any) -> int:
    """A whole number that came as a number or as text."""
    vast = isinstance(value, Decimal) and value.adjusted() > 20    # int() would write out all its zeros
    if isinstance(value, bool) or vast or (number := int(value)) != (number if isinstance(value, str) else value):
        raise ValueError(f"{_shown(value)} is not a whole number")
    return number


def given(value: Any) -> Any:
    """`value`, or None where Binance means that there is none: null, empty text, 0 or "0"."""
    return None if value in (None, "", 0, "0") else value


def from_ms(milliseconds: Any) -> datetime:
    """A time in milliseconds since the epoch; exact."""
    return EPOCH + timedelta(milliseconds=integer(milliseconds))


def from_text(value: Any) -> datetime:
    """A time such as "2026-05-14 09:31:07", which Binance means as UTC; some rows carry milliseconds instead."""
    if not isinstance(value, str) or value.isdecimal():
        return from_ms(value)
    time = datetime.fromisoformat(value)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _balance(account: str, time: datetime, wallet: Wallet, asset: str, quantity: Decimal,
             withdrawing: Decimal = ZERO) -> tuple[Any, ...] | None:
    return (account, time, wallet, asset, quantity, withdrawing, time) if quantity else None


def _internal(row: Any) -> bool:
    """Whether it came from, or went to, another Binance account."""
    return integer(row.get("transferType") or 0) == 1


def _transaction(row: Any) -> str | None:
    found = row.get("txId")
    return found if found in (None, "") else identity(found)


def _sub_flow(account: str, transfer_id: Any, time_ms: Any, receives: bool, asset: Any, quantity: Any,
              status: Any, seen_at: datetime) -> tuple[Any, ...]:
    time, number = from_ms(time_ms), identity(transfer_id)
    kind = FlowKind.SUB_DEPOSIT if receives else FlowKind.SUB_WITHDRAWAL
    return (account, "sub_transfer", number, time, time, kind, text(asset), moved(quantity), ZERO,
            SUB_STATUS.get(text(status).upper(), FlowStatus.PENDING), True, number, None, None, seen_at)


def _object(endpoint: str, payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise AnswerUnreadable(endpoint, f"{_shown(payload)} is not an object")
    return payload


def _frame(schema: schemas.FrameSchema, endpoint: str, payload: Any,
           row: Callable[[Any], tuple[Any, ...] | None], key: str | None = None) -> pl.DataFrame:
    rows = [parsed for parsed in _rows(endpoint, payload, row, key) if parsed is not None]
    return schema.rows(list(dict.fromkeys(rows)))


def _rows(endpoint: str, payload: Any, row: Callable[[Any], Row], key: str | None = None) -> list[Row]:
    """Each item of the list that `payload` is, or has at `key`, read by `row`."""
    items = payload if key is None else _object(endpoint, payload).get(key)
    if not isinstance(items, list):
        raise AnswerUnreadable(endpoint, f"{_shown(payload)} {f'has no list of {key}' if key else 'is not a list'}")
    rows = []
    for position, item in enumerate(items):
        try:
            rows.append(row(item))
        except UNREADABLE as problem:
            reason = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
            raise AnswerUnreadable(endpoint, f"row {position}: {reason}") from problem
    return rows


def _shown(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 100 else f"{told[:100]}…"
