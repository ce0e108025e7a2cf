"""What people say of cash flows, kept as facts. Taking something back is a fact too: the entry, revoked.

Raises `SettingsInvalid` for what cannot be said. Each function that writes returns one sentence on what was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from navbook import frames, schemas
from navbook.compute import manual
from navbook.compute.flow_list import Standing
from navbook.errors import SettingsInvalid
from navbook.exchange import values
from navbook.runner import flows, locks, stores
from navbook.schemas import MANUAL_ENTRIES
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Action, FlowKind

NO_FLOW = "ignore"
MARKS = {"fee": FlowKind.FEE_WITHDRAWAL, NO_FLOW: None}    # words beside the kinds themselves
NEXT = "run navbook benchmark to see what it changes"
FETCH = "navbook collect fetches the prices of its minute, navbook benchmark works it in"


def mark(config: Settings, flow: str, as_kind: str, account: str = "all", note: str | None = None) -> str:
    """Say that `flow` is of another kind (fee, or one of FlowKind), or no flow at all (ignore)."""
    kind = _kind(as_kind)
    with locks.hold(config, "flows"):
        listed = flows.read(config, account)
        found = listed.find(flow)
        if found["standing"] == Standing.TWIN:
            raise SettingsInvalid(f"{flow} is {found['why']}, and that row is the one that counts; mark that one.")
        if kind and kind.sign != FlowKind(found["kind"]).sign:
            raise SettingsInvalid(f"{flow} {_direction(found['kind'])} as a {found['kind']}; a {kind} "
                                  f"{_direction(kind)}.")
        said = f"{_shown(found)} is {f'a {kind}' if kind else 'no flow'}"
        return _said_of(config, listed, found, said, action=Action.MARK, kind=kind, note=note)


def price(config: Settings, flow: str, price_usd: str, account: str = "all", note: str | None = None) -> str:
    """Say what a unit of the flow's asset was worth in USD at its time."""
    given = _positive(price_usd, "price")
    with locks.hold(config, "flows"):
        listed = flows.read(config, account)
        found = listed.find(flow)
        said = f"{_shown(found)} is worth {float(found['quantity']) * float(given):,.2f} USD"
        return _said_of(config, listed, found, said, action=Action.PRICE, price_usd=given, note=note)


@dataclass(frozen=True, kw_only=True)
class Added:
    """A flow that the exchange does not list, as a person writes it."""

    account: str
    kind: str
    asset: str
    amount: str
    time: str
    price_usd: str | None = None
    note: str | None = None
    opening: bool = False    # what was there before the first flow that the exchange remembers


def add(config: Settings, flow: Added, *, again: bool = False) -> str:
    """Add `flow`; the same one a second time only with `again`."""
    flows.known_account(config, flow.account)
    kind = FlowKind.DEPOSIT if flow.opening else _kind(flow.kind)
    if kind is None or flow.account == "all":
        raise SettingsInvalid(f"A flow that is added belongs to one account and is one of {', '.join(FlowKind)}.")
    with locks.hold(config, "flows"):
        listed = flows.read(config, flow.account)
        time, amount = _time_of(config, flow), _positive(flow.amount, "amount")
        content = {"account": flow.account, "action": Action.ADD, "time": time, "kind": kind,
                   "asset": flow.asset.upper(), "amount": amount,
                   "price_usd": _positive(flow.price_usd, "price") if flow.price_usd else None}
        if not again and (twin := _same(listed.entries, content)):
            raise SettingsInvalid(f"{twin} says this already; add it a second time with --again if there were two.")
        said = (f"a {kind} of {_number(amount)} {content['asset']} at {time:%Y-%m-%d %H:%M:%S} UTC counts in "
                f"{flow.account}")
        note = flow.note or ("opening balance" if flow.opening else None)
        return _written(config, said, {**content, "note": note}, FETCH)


def undo(config: Settings, entry: str) -> str:
    """Revoke `entry`."""
    with locks.hold(config, "flows"):
        known = tables.read(config.location, MANUAL_ENTRIES)
        found = known.filter(pl.col("id") == entry)
        if found.is_empty():
            raise SettingsInvalid(f"There is no entry {entry}; navbook flows entries lists them.")
        if found["revoked"][0]:
            return f"{entry} was revoked before; nothing is changed."
        tables.append(config.location, MANUAL_ENTRIES,
                      found.with_columns(revoked=pl.lit(value=True), seen_at=pl.lit(_now(known), schemas.TIME)))
        return f"{entry} is revoked; {NEXT}."


def entries(config: Settings, account: str = "all") -> pl.DataFrame:
    """[entry, account, action, flow, time, kind, asset, amount, price_usd, note, revoked, said_at], oldest first."""
    flows.known_account(config, account)
    known = tables.read(config.location, MANUAL_ENTRIES, account=account).sort("seen_at", "id")
    added = pl.format("{}:{}", pl.lit(manual.SOURCE), "id")
    flow = pl.when(pl.col("action") == Action.ADD).then(added).otherwise(pl.format("{}:{}", "source", "flow"))
    return known.select(pl.col("id").alias("entry"), "account", "action", flow.alias("flow"), "time", "kind", "asset",
                        "amount", "price_usd", "note", "revoked", pl.col("seen_at").alias("said_at"))


def _said_of(config: Settings, listed: flows.Listed, found: dict[str, Any], said: str, **content: Any) -> str:
    """Write an entry on the flow `found`, unless the newest of its action says the same."""
    source, _, identity = found["flow"].partition(":")
    content |= {"account": found["account"], "source": source, "flow": identity}
    on_it = [pl.col(name) == content[name] for name in ("account", "action", "source", "flow")]
    newest = listed.entries.filter(pl.col("revoked").not_(), *on_it).sort("seen_at", "id").tail(1)
    if entry := _same(newest, {name: value for name, value in content.items() if name != "note"}):
        return f"{entry} says already that {said}; nothing is written."
    return _written(config, said, content)


def _same(entries: pl.DataFrame, content: dict[str, Any]) -> str | None:
    """The id of an entry that stands and says `content`."""
    equal = [pl.col(name).eq_missing(pl.lit(value, MANUAL_ENTRIES.columns[name])) for name, value in content.items()]
    found = entries.filter(pl.col("revoked").not_(), *equal)["id"]
    return found[-1] if found.len() else None


def _written(config: Settings, said: str, content: dict[str, Any], then: str = NEXT) -> str:
    stores.claim(config)
    known = tables.read(config.location, MANUAL_ENTRIES)
    entry = f"e{frames.next_number(known['id'])}"
    row = dict.fromkeys(MANUAL_ENTRIES.columns) | content | {"id": entry, "revoked": False, "seen_at": _now(known)}
    tables.append(config.location, MANUAL_ENTRIES, MANUAL_ENTRIES.rows([row]))
    return f"{entry}: {said}; {then}, navbook flows undo {entry} takes it back."


def _now(known: pl.DataFrame) -> datetime:
    """This moment, but after every entry: the newest counts, whatever becomes of the clock."""
    now, last = datetime.now(UTC), known["seen_at"].max()
    return max(now, last + timedelta(microseconds=1)) if isinstance(last, datetime) else now


def _time_of(config: Settings, flow: Added) -> datetime:
    """When an added flow was: in the past, and an opening balance before the first snapshot."""
    time = tables.moment(flow.time)
    snapshots = flows.counted_snapshots(config, flow.account)["time"]
    first, last = snapshots.min(), snapshots.max()
    now = max(datetime.now(UTC), last) if isinstance(last, datetime) else datetime.now(UTC)
    if time > now:
        raise SettingsInvalid(f"{time:%Y-%m-%d %H:%M} UTC is yet to come; only what has happened is a flow.")
    if flow.opening and isinstance(first, datetime) and time > first:
        raise SettingsInvalid(f"An opening balance is from before the first snapshot, {first:%Y-%m-%d %H:%M} UTC; "
                              "without --opening it is a flow.")
    return time


def _kind(word: str) -> FlowKind | None:
    if word.lower() in MARKS:
        return MARKS[word.lower()]
    try:
        return FlowKind(word.upper())
    except ValueError:
        raise SettingsInvalid(f"{word} is no kind of flow; there are {', '.join([*MARKS, *FlowKind])}.") from None


def _positive(text: str, what: str) -> Decimal:
    try:
        number = values.amount(text)
    except ValueError as problem:
        raise SettingsInvalid(f"The {what} {problem}; write it like 1234.56.") from None
    if number <= 0:
        raise SettingsInvalid(f"The {what} must be above 0, not {text}: the kind says which way it went.")
    return number


def _direction(kind: str) -> str:
    return "came in" if FlowKind(kind).sign > 0 else "goes out"


def _number(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _shown(found: dict[str, Any]) -> str:
    return (f"{found['flow']} of {found['account']} ({_number(found['quantity'])} {found['asset']}, "
            f"{found['time']:%Y-%m-%d})")
