"""What one account answered at one time: facts, what became of each wallet, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import polars as pl

from navbook import schemas
from navbook.exchange.client import Answer
from navbook.exchange.parse.wallets import Total
from navbook.exchange.rows import Parsed
from navbook.exchange.values import total
from navbook.types import WalletState


@dataclass
class Reading:
    """Filled in by `wallets.read`, `histories.cash_flows` and `histories.archives`."""

    account: str
    time: datetime
    uid: int | None = None
    wallets: dict[str, WalletState] = field(default_factory=dict)
    totals: list[Total] | None = None                    # the exchange's own, where it told them
    frames: dict[str, list[pl.DataFrame]] = field(default_factory=dict)    # of facts, by table
    flows_until: datetime | None = None
    problems: list[str] = field(default_factory=list)    # one sentence each, for people
    key_refused: str | None = None                       # the sentence that says all when nothing could be read
    unsupported: str | None = None                       # why this account is none that navbook can value
    answers: list[tuple[str, Answer]] = field(default_factory=list)

    def keep(self, endpoint: str, answer: Answer) -> None:
        self.answers.append((endpoint, answer))

    def heard(self, endpoint: str) -> list[Any]:
        """The payloads of all answers of `endpoint`."""
        return [answer.payload for name, answer in self.answers if name == endpoint]

    def add(self, schema: schemas.FrameSchema, frame: pl.DataFrame) -> None:
        if not frame.is_empty():
            self.frames.setdefault(schema.name, []).append(frame)

    def add_parsed(self, schema: schemas.FrameSchema, endpoint: str, parsed: Parsed) -> None:
        """The rows that could be read; the others go into quarantine."""
        self.add(schema, parsed.frame)
        if not parsed.unread:
            return
        rows = {fingerprint(unread.body): (self.account, endpoint, fingerprint(unread.body), self.time,
                                           unread.reason, unread.body, self.time) for unread in parsed.unread}
        self.add(schemas.QUARANTINE, schemas.QUARANTINE.rows(list(rows.values())))

    def frame(self, schema: schemas.FrameSchema) -> pl.DataFrame:
        """All rows of one table, once each."""
        return merged(self.frames.get(schema.name, ()), schema)

    def forget(self) -> None:
        """Keep that it was tried, and nothing of what was read."""
        self.frames, self.answers, self.flows_until, self.totals = {}, [], None, None

    @property
    def total_usd(self) -> Decimal | None:
        """The exchange's own sum over all wallets, in USDT."""
        return None if self.totals is None else total(*(one.value for one in self.totals))

    @property
    def told(self) -> list[str]:
        """The problems; only the one that matters when the account or the key itself is wrong."""
        if self.unsupported:
            return [self.unsupported]
        something = any(state is WalletState.OK for state in self.wallets.values())
        return [self.key_refused] if self.key_refused and not something else self.problems

    @property
    def responses(self) -> pl.DataFrame:
        parts: dict[str, int] = {}
        rows = []
        for endpoint, answer in self.answers:
            parts[endpoint] = part = parts.get(endpoint, -1) + 1
            rows.append((self.account, self.time, endpoint, part, answer.body, self.time))
        return schemas.RESPONSES.rows(rows)


def merged(frames: Iterable[pl.DataFrame], schema: schemas.FrameSchema) -> pl.DataFrame:
    """The rows of `frames` once each; pages and windows overlap. Of one key, the last row stays."""
    filled = [frame for frame in frames if not frame.is_empty()]
    if len(filled) <= 1:
        return schema.shaped(filled[0]) if filled else schema.empty()
    return schema.check(pl.concat(filled).unique(schema.key, keep="last", maintain_order=True))


def wallet_states(wallets: Mapping[str, WalletState]) -> str:
    """The states as the JSON text that `snapshots` keeps."""
    return "{" + ", ".join(f'"{wallet}": "{state}"' for wallet, state in sorted(wallets.items())) + "}"


def fingerprint(text: str) -> str:
    """The id of a row in quarantine."""
    return sha256(text.encode()).hexdigest()[:16]
