"""What became of fees, kept as facts. Taking something back is a fact too: the entry, revoked.

Raises `SettingsInvalid` for what cannot be. Each function that writes returns one sentence on what was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from navbook import frames, schemas
from navbook.errors import SettingsInvalid
from navbook.exchange import values
from navbook.runner import fees, locks, stores
from navbook.schemas import FEE_PAYMENTS
from navbook.settings import Settings
from navbook.store import rewrite, tables
from navbook.types import FeeAction

LONGEST = 255    # of a transaction's id
PAST = {FeeAction.COLLECTED: "collected", FeeAction.WAIVED: "waived", FeeAction.ADJUSTED: "added to what is due"}
WRITES = "benchmark"    # the lock of the job that writes the table of fees too


@dataclass(frozen=True, kw_only=True)
class Payment:
    """What a person says of one period's fee. Without an amount: all that is pending."""

    account: str
    period: str
    action: FeeAction
    amount: str | None = None
    tx_id: str | None = None
    note: str | None = None


def record(config: Settings, payment: Payment, *, dry_run: bool = False) -> str:
    """Write `payment`; with `dry_run` only say what would be written."""
    if dry_run:
        return f"Dry run, nothing is written: {_said(_entry(config, payment))}."
    with locks.hold(config, WRITES):
        entry = _entry(config, payment)
        _write(config, FEE_PAYMENTS.rows([entry]))
        left = _period(config, payment)["pending_usd"]
    pending = "what is pending is not known" if left is None else f"{fees.cents(left):,} USD pending"
    return f"{entry['id']}: {_said(entry)}; {pending}. navbook fees undo {entry['id']} takes it back."


def undo(config: Settings, entry: str, *, dry_run: bool = False) -> str:
    """Revoke `entry`; with `dry_run` only say what would be."""
    if dry_run:
        return f"Dry run, nothing is written: {_said(_known(config, entry))} is revoked."
    with locks.hold(config, WRITES):
        found = _known(config, entry)
        _write(config, FEE_PAYMENTS.rows([found | {"revoked": True, "seen_at": datetime.now(UTC)}]))
    return f"{entry} is revoked: {_said(found)}."


def _write(config: Settings, payments: pl.DataFrame) -> None:
    """Append the facts, and show them in the table of fees as the next rebuild will."""
    stores.claim(config)
    tables.append(config.location, FEE_PAYMENTS, payments)
    rewrite.replace(config.location, schemas.FEES, fees.table(config))


def _known(config: Settings, entry: str) -> dict[str, Any]:
    """The row of an entry that stands."""
    found = tables.read(config.location, FEE_PAYMENTS).filter(pl.col("id") == entry)
    if found.is_empty():
        raise SettingsInvalid(f"There is no entry {entry}; navbook fees entries lists them.")
    if found["revoked"][0]:
        raise SettingsInvalid(f"{entry} was revoked before; nothing is changed.")
    return found.row(0, named=True)


def _entry(config: Settings, payment: Payment) -> dict[str, Any]:
    """The FEE_PAYMENTS row that says `payment`."""
    row, tx_id, now = _period(config, payment), _transaction(payment.tx_id), datetime.now(UTC)
    amount, known = _amount(payment, row), tables.read(config.location, FEE_PAYMENTS)
    _refuse_twins(known, payment, tx_id)
    return {"account": payment.account, "id": f"p{frames.next_number(known['id'])}", "period": payment.period,
            "action": payment.action, "time": _time(config, payment.account, tx_id) or now, "amount_usd": amount,
            "rate": row["rate"], "tx_id": tx_id, "note": payment.note, "revoked": False, "seen_at": now}


def _period(config: Settings, payment: Payment) -> dict[str, Any]:
    """The FEES row that `payment` is about."""
    if payment.account == "all":
        raise SettingsInvalid("A payment is of one account; name it instead of all.")
    rows = fees.table(config, payment.account)
    if rows.is_empty():
        raise SettingsInvalid(fees.NONE_YET)
    found = rows.filter(pl.col("period") == payment.period)
    if found.is_empty():
        raise SettingsInvalid(f"{payment.account} has no fee period {payment.period}; it has {rows['period'][0]} to "
                              f"{rows['period'][-1]}: navbook fees list shows them.")
    return found.row(0, named=True)


def _amount(payment: Payment, row: dict[str, Any]) -> Decimal:
    """The amount in USD: what was given, else all that is pending; never more than that, but for a correction."""
    given = _number(payment.amount) if payment.amount is not None else None
    if payment.action is FeeAction.ADJUSTED:
        if not given:
            raise SettingsInvalid("A correction needs an --amount other than 0: above it more is due, below it less.")
        return given
    pending = _pending(row)
    if given is None:
        return fees.cents(pending)
    if given <= 0:
        raise SettingsInvalid(f"The amount must be above 0, not {payment.amount}; navbook fees adjust lowers what "
                              "is due.")
    if given > Decimal(repr(pending)) + fees.CENT / 2:
        raise SettingsInvalid(f"{row['account']} {row['period']} has {fees.cents(pending):,} USD pending, not "
                              f"{payment.amount}; give that or less, or record a correction with navbook fees "
                              "adjust first.")
    return given


def _pending(row: dict[str, Any]) -> float:
    """What a period owes, in USD. Raises `SettingsInvalid` when that is nothing, or nothing yet."""
    which, why = f"{row['account']} {row['period']}", row["reason"]
    if not row["final"]:
        raise SettingsInvalid(f"{which} is running; its fee falls due on {row['to_time']:%Y-%m-%d %H:%M} UTC.")
    pending: float | None = row["pending_usd"]
    if pending is None:
        raise SettingsInvalid(f"The fee of {which} is not known, there is {why}; navbook flows price gives it one.")
    if pending < float(fees.CENT) / 2:
        raise SettingsInvalid(f"Nothing is pending for {which}{f' ({why})' if why else ''}; "
                              "navbook fees adjust records a correction.")
    return pending


def _number(text: str) -> Decimal:
    try:
        return values.amount(text)
    except ValueError as problem:
        raise SettingsInvalid(f"The amount {problem}; write it like 1234.56.") from None


def _transaction(tx_id: str | None) -> str | None:
    if tx_id is not None and not (tx_id.strip() and tx_id.isprintable() and len(tx_id) <= LONGEST):
        raise SettingsInvalid(f"A transaction's id is 1 to {LONGEST} printable letters, not {tx_id!r:.40}.")
    return tx_id.strip() if tx_id else None


def _refuse_twins(known: pl.DataFrame, payment: Payment, tx_id: str | None) -> None:
    """Refuse a transaction that is recorded for the same period already."""
    if tx_id is None:
        return
    twins = known.filter(~pl.col("revoked"), pl.col("account") == payment.account, pl.col("period") == payment.period,
                         pl.col("action") == payment.action, pl.col("tx_id") == tx_id)["id"]
    if twins.len():
        raise SettingsInvalid(f"{twins[0]} says already that transaction {tx_id} is of {payment.account} "
                              f"{payment.period}; navbook fees undo {twins[0]} takes it back.")


def _time(config: Settings, account: str, tx_id: str | None) -> datetime | None:
    """When the transaction was, if the exchange lists it."""
    if tx_id is None:
        return None
    flows = fees.transactions(config, account)
    times = flows.filter(pl.any_horizontal(pl.col(fees.NAMES) == tx_id))["time"].to_list()
    return times[0] if times else None


def _said(entry: dict[str, Any]) -> str:
    by = f" with transaction {entry['tx_id']}" if entry["tx_id"] else ""
    return (f"{entry['amount_usd'].normalize():f} USD of {entry['account']} {entry['period']} "
            f"{PAST[FeeAction(entry['action'])]}{by}")
