"""python-binance on the hosts of one environment. Every URL comes from here; nothing else knows a host.

python-binance's own testnet switches leave /sapi on production, so they are never used: a place that
does not exist in an environment points to a name that cannot resolve.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
from binance.async_client import AsyncClient
from binance.exceptions import BinanceAPIException
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from navbook.errors import AnswerUnreadable, ExchangeUnavailable, RequestRejected
from navbook.settings import Keys
from navbook.types import Environment

NOWHERE = "https://not-in-this-environment.invalid"
HOSTS = {    # api, sapi, fapi, dapi, papi
    Environment.LIVE: ("https://api.binance.com", "https://api.binance.com", "https://fapi.binance.com",
                       "https://dapi.binance.com", "https://papi.binance.com"),
    Environment.TESTNET: ("https://demo-api.binance.com", NOWHERE, "https://demo-fapi.binance.com",
                          "https://demo-dapi.binance.com", NOWHERE),
}
TRIES = 3
TIMEOUT_S = 10
LONGEST_WAIT_S = 60    # a longer Retry-After ends the run instead of holding it
NOTHING_HAPPENED = frozenset({-1000, -1001, -1003, -1008})


@dataclass(frozen=True)
class Answer:
    """What the exchange said: the text as it came, and the same parsed with exact numbers."""

    body: str
    payload: Any


def base_urls(environment: Environment, sandbox_url: str | None) -> dict[str, str]:
    """The attributes of python-binance that hold a base URL, each decided by the environment."""
    if environment is Environment.SANDBOX:
        if not sandbox_url:
            raise ValueError("the sandbox environment needs the sandbox's address")
        api, sapi, fapi, dapi, papi = [sandbox_url.rstrip("/")] * 5
    else:
        api, sapi, fapi, dapi, papi = HOSTS[environment]
    return {"API_URL": f"{api}/api", "MARGIN_API_URL": f"{sapi}/sapi", "FUTURES_URL": f"{fapi}/fapi",
            "FUTURES_DATA_URL": f"{fapi}/futures/data", "FUTURES_COIN_URL": f"{dapi}/dapi",
            "FUTURES_COIN_DATA_URL": f"{dapi}/futures/data", "PAPI_URL": f"{papi}/papi",
            "OPTIONS_URL": NOWHERE, "WEBSITE_URL": NOWHERE}


class _Wire(AsyncClient):    # type: ignore[misc]    # python-binance carries no types
    """AsyncClient that answers with `Answer`; amounts that came as numbers stay exact."""

    async def _handle_response(self, response: aiohttp.ClientResponse) -> Answer:
        text = await response.text()
        if response.status // 100 != 2:
            raise BinanceAPIException(response, response.status, text)
        return Answer(text, json.loads(text, parse_float=Decimal) if text else {})


class Exchange:
    """One key's way to one exchange; made by `connect`."""

    def __init__(self, environment: Environment, sandbox_url: str | None, keys: Keys | None) -> None:
        wire = type("Wire", (_Wire,), base_urls(environment, sandbox_url))    # never production by default
        key, secret = (keys.api_key.get_secret_value(), keys.api_secret.get_secret_value()) if keys else ("", "")
        self.environment = environment
        self.wire: AsyncClient = wire(key, secret, requests_params={"timeout": TIMEOUT_S,
                                                                    "allow_redirects": False})

    async def ask(self, endpoint: str, call: Callable[..., Awaitable[Any]], **params: Any) -> Answer:
        """The answer to a read, tried again while nothing happened.

        Raises `ExchangeUnavailable`, `RequestRejected` or `AnswerUnreadable`, naming `endpoint`.
        """
        async for attempt in AsyncRetrying(retry=retry_if_exception_type(ExchangeUnavailable), wait=_wait,
                                           stop=_stop, reraise=True):
            with attempt:
                return await self._once(endpoint, call, params)
        raise AssertionError("tenacity either returns or raises")

    async def _once(self, endpoint: str, call: Callable[..., Awaitable[Any]], params: dict[str, Any]) -> Answer:
        try:
            answer: Answer = await call(**params)
            return answer
        except BinanceAPIException as problem:
            if problem.code == -1021:
                await self.synchronise()
                raise ExchangeUnavailable(endpoint, "the clocks disagreed") from None
            raise _translated(endpoint, problem) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            reason = "no answer in time" if isinstance(problem, TimeoutError) else str(problem)
            raise ExchangeUnavailable(endpoint, reason) from None
        except ValueError as problem:
            raise AnswerUnreadable(endpoint, str(problem)) from None

    async def synchronise(self) -> datetime:
        """The exchange's time now; later signatures carry the offset to it. Raises `ExchangeUnavailable`."""
        asked = time.time() * 1000
        answer = await self.ask("GET /api/v3/time", self.wire.get_server_time)
        server_ms = int(answer.payload["serverTime"])
        self.wire.timestamp_offset = server_ms - int((asked + time.time() * 1000) / 2)
        return datetime.fromtimestamp(server_ms / 1000, UTC)


@asynccontextmanager
async def connect(environment: Environment, sandbox_url: str | None = None,
                  keys: Keys | None = None) -> AsyncIterator[Exchange]:
    """An `Exchange`, closed at the end of the block. Sends nothing by itself."""
    exchange = Exchange(environment, sandbox_url, keys)
    try:
        yield exchange
    finally:
        await exchange.wire.close_connection()
        await asyncio.sleep(0)    # aiohttp closes its sockets in the loop's next turn


def _translated(endpoint: str, problem: BinanceAPIException) -> Exception:
    status, code = problem.status_code, int(problem.code or 0)
    text = problem.message if code else f"HTTP {status}"
    if status in (429, 418) or status >= 500 or code in NOTHING_HAPPENED:
        waiting = problem.response.headers.get("Retry-After", "")
        return ExchangeUnavailable(endpoint, f"HTTP {status}, {text}" if code else f"HTTP {status}",
                                   float(waiting) if waiting.isdigit() else None)
    if status == 451 or (status == 403 and not code):
        text = f"HTTP {status}: Binance does not serve this network or region"
    elif status // 100 == 3:
        text = f"HTTP {status}: redirects are not followed"
    return RequestRejected(endpoint, code, text, status)


def _wait(state: RetryCallState) -> float:
    problem = state.outcome.exception() if state.outcome else None
    told = problem.retry_after if isinstance(problem, ExchangeUnavailable) else None
    backoff = wait_random_exponential(multiplier=0.2, max=3)(state)
    return backoff if told is None else max(told, 1.0) + backoff


def _stop(state: RetryCallState) -> bool:
    problem = state.outcome.exception() if state.outcome else None
    told = problem.retry_after if isinstance(problem, ExchangeUnavailable) else None
    banned = isinstance(problem, ExchangeUnavailable) and "HTTP 418" in problem.reason
    return banned or (told or 0) > LONGEST_WAIT_S or stop_after_attempt(TRIES)(state)
