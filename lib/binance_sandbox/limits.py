"""Weight that requests have used in the current minute, pool by pool. Source: BINANCE.md section 3."""

from __future__ import annotations

from enum import Enum

from .clock import MINUTE


class Pool(Enum):
    """What a request's weight counts against."""

    API = "api"              # 6000 a minute and IP
    FAPI = "fapi"            # 2400 a minute and IP
    SAPI_IP = "sapi-ip"      # each endpoint 12 000 a minute and IP
    SAPI_UID = "sapi-uid"    # each endpoint 180 000 a minute and account


HEADERS = {Pool.API: ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M"), Pool.FAPI: ("X-MBX-USED-WEIGHT-1M",),
           Pool.SAPI_IP: ("X-SAPI-USED-IP-WEIGHT-1M",), Pool.SAPI_UID: ("X-SAPI-USED-UID-WEIGHT-1M",)}


class Limits:
    """Counts; it refuses nothing yet."""

    def __init__(self) -> None:
        self._minute = -1
        self._used: dict[tuple[Pool, str, str], int] = {}

    def spend(self, pool: Pool, path: str, account: str, weight: int, now: int) -> dict[str, str]:
        """Book `weight` and return the headers that tell what is used."""
        if now // MINUTE != self._minute:
            self._minute = now // MINUTE
            self._used.clear()
        key = (pool, path if pool in (Pool.SAPI_IP, Pool.SAPI_UID) else "", account if pool is Pool.SAPI_UID else "")
        self._used[key] = used = self._used.get(key, 0) + weight
        return dict.fromkeys(HEADERS[pool], str(used))
