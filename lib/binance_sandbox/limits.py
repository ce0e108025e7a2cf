"""Weight and orders, window by window; 429 beyond the limit, 418 for who goes on all the same.

Windows are those of the exchange's clock (`Clock.for_limits`): minute by minute, not sliding. Source: BINANCE.md
section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .clock import DAY, MINUTE
from .errors import WireError

IGNORED = 10                 # refusals within a window that a client may overlook before its address is banned
FIRST_BAN, LONGEST_BAN = 2 * MINUTE, 3 * DAY
SECOND = 1000


class Pool(Enum):
    """What a request's weight counts against."""

    API = "api"              # per address
    FAPI = "fapi"            # per address; /fapi and /dapi share it
    FUNDING = "funding"      # fundingRate and fundingInfo, per address
    SAPI_IP = "sapi-ip"      # each endpoint on its own, per address
    SAPI_UID = "sapi-uid"    # each endpoint on its own, per account


@dataclass(frozen=True)
class Limit:
    """So much weight or so many orders in a window."""

    most: int
    window: int              # ms
    headers: tuple[str, ...]
    name: str                # as -1003 says it


LIMITS = {
    Pool.API: Limit(6000, MINUTE, ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M"), "6000 request weight per 1 MINUTE"),
    Pool.FAPI: Limit(2400, MINUTE, ("X-MBX-USED-WEIGHT-1M",), "2400 request weight per 1 MINUTE"),
    Pool.FUNDING: Limit(500, 5 * MINUTE, (), "500 requests per 5 MINUTE"),
    Pool.SAPI_IP: Limit(12_000, MINUTE, ("X-SAPI-USED-IP-WEIGHT-1M",), "12000 request weight per 1 MINUTE"),
    Pool.SAPI_UID: Limit(180_000, MINUTE, ("X-SAPI-USED-UID-WEIGHT-1M",), "180000 request weight per 1 MINUTE"),
}
RAW_REQUESTS = Limit(300_000, 5 * MINUTE, (), "300000 raw requests per 5 MINUTE")
# The order counters of a product: spot counts 10 seconds and a day, futures 10 seconds and a minute.
ORDERS = {
    "futures": (Limit(300, 10 * SECOND, ("X-MBX-ORDER-COUNT-10S",), "300 orders per 10 SECOND"),
                Limit(1200, MINUTE, ("X-MBX-ORDER-COUNT-1M",), "1200 orders per 1 MINUTE")),
    "spot": (Limit(100, 10 * SECOND, ("X-MBX-ORDER-COUNT-10S",), "100 orders per 10 SECOND"),
             Limit(200_000, DAY, ("X-MBX-ORDER-COUNT-1D",), "200000 orders per 1 DAY")),
}


class TooMany(WireError):
    """A broken limit: 429, or 418 for a banned address."""

    def __init__(self, msg: str, status: int, wait_ms: int, code: int = -1003) -> None:
        super().__init__(code, msg, status)
        self.headers = {"Retry-After": str(max(1, -(-wait_ms // SECOND)))}


@dataclass
class _Offender:
    """An address that broke a limit. `until`: of the window that it broke, or of its ban."""

    since: int
    until: int
    refused: int = 0
    bans: int = 0
    banned: bool = False

    def holds(self, now: int) -> bool:
        return self.since <= now < self.until    # a clock that was set back forgives


class Limits:
    """Counts what everybody used, and says when it is too much. `enforced` off: it counts and refuses nothing."""

    def __init__(self) -> None:
        self.enforced = True
        self._used: dict[tuple[object, ...], tuple[int, int]] = {}    # what -> window and weight in it
        self._offenders: dict[str, _Offender] = {}

    def spend(self, pool: Pool, path: str, address: str, account: str, weight: int,
              now: int) -> tuple[dict[str, str], TooMany | None]:
        """Book `weight`; the headers that tell what is used, and the refusal where it is too much."""
        own = pool in (Pool.SAPI_IP, Pool.SAPI_UID)
        who, limit = account if pool is Pool.SAPI_UID else address, LIMITS[pool]
        used = self._book((pool, path if own else "", who), limit, weight, now)
        broken = limit if used > limit.most else None
        if pool is Pool.API and self._book(("raw", address), RAW_REQUESTS, 1, now) > RAW_REQUESTS.most:
            broken = RAW_REQUESTS
        return dict.fromkeys(limit.headers, str(used)), self._refusal(address, broken, now)

    def count_order(self, product: str, account: str, counts: tuple[int, int], now: int) -> dict[str, str]:
        """Book orders on both counters of a product. Raises `TooMany` (-1015) where one is full.

        counts  how many on the shorter and on the longer one
        """
        headers: dict[str, str] = {}
        for limit, count in zip(ORDERS[product], counts, strict=True):
            used = self._book(("orders", product, account, limit.window), limit, count, now)
            headers |= dict.fromkeys(limit.headers, str(used))
            if used > limit.most and self.enforced:
                raise TooMany(f"Too many new orders; current limit is {limit.name}.", 429,
                              limit.window - now % limit.window, code=-1015)
        return headers

    def order_counts(self, product: str, account: str, now: int) -> list[int]:
        """What is used on both counters of a product."""
        return [self._book(("orders", product, account, limit.window), limit, 0, now) for limit in ORDERS[product]]

    def _book(self, what: tuple[object, ...], limit: Limit, weight: int, now: int) -> int:
        window = now // limit.window
        known, used = self._used.get(what, (window, 0))
        used = weight + (used if known == window else 0)
        self._used[what] = (window, used)
        return used

    def _refusal(self, address: str, broken: Limit | None, now: int) -> TooMany | None:
        offender = self._offenders.get(address)
        if not self.enforced or (not broken and not (offender and offender.banned)):
            return None
        if offender and offender.banned and offender.holds(now):
            return _banned(offender, now)
        if not broken:
            return None
        if offender is None or not offender.holds(now):
            bans = offender.bans if offender else 0
            offender = _Offender(since=now, until=now - now % broken.window + broken.window, bans=bans)
            self._offenders[address] = offender
        offender.refused += 1
        if offender.refused > IGNORED:
            offender.since, offender.banned, offender.bans = now, True, offender.bans + 1
            offender.until = now + min(FIRST_BAN * 2 ** (offender.bans - 1), LONGEST_BAN)
            return _banned(offender, now)
        return TooMany(f"Too much request weight used; current limit is {broken.name}. Please use WebSocket Streams "
                       "for live updates to avoid polling the API.", 429, offender.until - now)


def _banned(offender: _Offender, now: int) -> TooMany:
    return TooMany(f"Way too much request weight used; IP banned until {offender.until}. Please use WebSocket Streams "
                   "for live updates to avoid bans.", 418, offender.until - now)
