"""python-binance on the hosts of one environment. Every URL comes from here; nothing else knows a host.

python-binance's own testnet switches leave /sapi on production, so they are never used: a place that
does not exist in an environment points to a name that cannot resolve.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Never
from urllib.parse import urlsplit

import aiohttp
from binance.async_client import AsyncClient
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from navbook.errors import (
    AnswerUnreadable,
    ExchangeUnavailable,
    OrdersForbidden,
    OutcomeUnknown,
    RequestRejected,
    SettingsInvalid,
    one_line,
)
from navbook.exchange.budget import LONGEST_WAIT_S, Budget, Turn
from navbook.settings import Keys
from navbook.types import Environment, Purpose

NOWHERE = "https://not-in-this-environment.invalid"
HOSTS = {    # api, sapi, fapi, dapi, papi
    Environment.LIVE: ("https://api.binance.com", "https://api.binance.com", "https://fapi.binance.com",
                       "https://dapi.binance.com", "https://papi.binance.com"),
    Environment.TESTNET: ("https://demo-api.binance.com", NOWHERE, "https://demo-fapi.binance.com",
                          "https://demo-dapi.binance.com", NOWHERE),
}
BINANCES_OWN = re.compile(r"(^|\.)binance(future|ops)?\.[a-z]+$")    # no sandbox lives there
BASE_OF = {"sapi": "MARGIN_API_URL", "fapi": "FUTURES_URL", "dapi": "FUTURES_COIN_URL", "papi": "PAPI_URL",
           "futures": "FUTURES_DATA_URL"}
TRIES = 3
TIMEOUT_S = 10
SLOW_S = 1.0
NOTHING_HAPPENED = frozenset({-1000, -1001, -1003, -1008})
NOBODY_KNOWS = frozenset({-1006, -1007})    # of a read: as good as no answer
UNSURE = NOBODY_KNOWS | {-1000, -1001}      # of a write: it may have happened
NOT_EXECUTED = "Service Unavailable."       # the one 503 of futures that says so
READS_BY_POST = "/sapi/v1/asset/get-funding-asset"
TIME = "GET /api/v3/time"
MOVED_MS = 60_000    # a sandbox so far from our clock has one of its own


@dataclass(frozen=True)
class Answer:
    """What the exchange said: the text as it came, and the same parsed with exact numbers."""

    body: str
    payload: Any


def base_urls(environment: Environment, sandbox_url: str | None) -> dict[str, str]:
    """Every attribute of python-binance that holds a URL, each decided by the environment.

    Raises `SettingsInvalid` when the sandbox's address is missing, or is one of Binance's own hosts.
    """
    if environment is Environment.SANDBOX:
        api, sapi, fapi, dapi, papi = [_sandbox(sandbox_url)] * 5
    else:
        api, sapi, fapi, dapi, papi = HOSTS[environment]
    others = dict.fromkeys((name for name in dir(AsyncClient) if name.endswith("_URL")), NOWHERE)
    return {**others, "API_URL": f"{api}/api", "MARGIN_API_URL": f"{sapi}/sapi", "FUTURES_URL": f"{fapi}/fapi",
            "FUTURES_DATA_URL": f"{fapi}/futures/data", "FUTURES_COIN_URL": f"{dapi}/dapi",
            "FUTURES_COIN_DATA_URL": f"{dapi}/futures/data", "PAPI_URL": f"{papi}/papi"}


def _sandbox(address: str | None) -> str:
    try:
        host = urlsplit(address or "").hostname
    except ValueError:
        host = None
    if not address or not host:
        raise SettingsInvalid(f"The sandbox environment needs the address of a sandbox, not {address!r}.")
    if BINANCES_OWN.search(host):
        raise SettingsInvalid(f"sandbox_url names {host}, a host of Binance; set environment = \"live\" to read it.")
    return address.rstrip("/")


class _Refused(Exception):
    """An answer that is no success, as it came."""

    def __init__(self, status: int, text: str, retry_after: str) -> None:
        super().__init__(status)
        try:
            said = json.loads(text)
            self.code, self.message = int(said["code"]), str(said.get("msg") or "")
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            self.code, self.message = 0, ""    # a page of a proxy or firewall
        self.status, self.retry_after = status, float(retry_after) if retry_after.isdecimal() else None

    @property
    def leaves_open(self) -> bool:
        """Whether a write may have been carried out all the same. Source: BINANCE documentation, "Error codes"."""
        if self.code in (-1003, -1008, -1015) or self.status in (418, 429, 451) or self.status // 100 == 3:
            return False
        if self.code in UNSURE or self.code == 0:
            return self.message != NOT_EXECUTED
        return self.status >= 500 or self.status == 408


class _Garbled(Exception):
    """A success that is not JSON: cut off on its way, or somebody else's page."""


_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)    # of the request that this task has under way


class _Wire(AsyncClient):    # type: ignore[misc]    # python-binance carries no types
    """AsyncClient that answers with `Answer`; amounts that came as numbers stay exact.

    orders_to  the one origin that anything but reads may go to; `orders.allow` names it, until then nothing leaves
    """

    orders_to = ""

    async def _request(self, method: str, uri: str, signed: bool, force_params: bool = False, **kwargs: Any) -> Answer:
        where = urlsplit(uri)
        if method != "get" and where.path != READS_BY_POST and f"{where.scheme}://{where.netloc}" != self.orders_to:
            raise OrdersForbidden(f"No order was sent: {where.netloc} is neither a sandbox nor Binance's testnet that "
                                  "was checked; set environment = \"sandbox\" or \"testnet\".")
        answer: Answer = await super()._request(method, uri, signed, force_params, **kwargs)
        return answer

    budget: Budget

    async def _handle_response(self, response: aiohttp.ClientResponse) -> Answer:
        if turn := _turn.get():
            self.budget.answered(turn, response.status, response.headers)
            _turn.set(None)
        if response.status // 100 != 2:
            refusal = await response.text(errors="replace")
            raise _Refused(response.status, refusal, response.headers.get("Retry-After", ""))
        try:
            text = await response.text()
            return Answer(text, json.loads(text, parse_float=Decimal) if text else {})
        except (ValueError, RecursionError) as problem:
            raise _Garbled(str(problem)) from None


class Exchange:
    """One key's way to one exchange; made by `connect`."""

    def __init__(self, environment: Environment, sandbox_url: str | None, keys: Keys | None,
                 purpose: Purpose = Purpose.COLLECT) -> None:
        wire = type("Wire", (_Wire,), base_urls(environment, sandbox_url))    # never production by default
        key, secret = (keys.api_key.get_secret_value(), keys.api_secret.get_secret_value()) if keys else ("", "")
        self.environment = environment
        self.heard: Callable[[str, Answer], None] = lambda endpoint, answer: None    # told of every answer to `ask`
        self.stumbled: Callable[[str], None] = lambda told: None    # told, in a sentence, of what is tried again
        self.wire: AsyncClient = wire(key, secret, requests_params={"timeout": TIMEOUT_S,
                                                                    "allow_redirects": False})
        self.wire.budget = Budget(key, purpose)

    async def ask(self, endpoint: str, call: Callable[..., Awaitable[Any]], **params: Any) -> Answer:
        """The answer to a read, tried again while nothing happened.

        Raises `ExchangeUnavailable` or `RequestRejected`, naming `endpoint`.
        """
        return await self._again(lambda: self._once(endpoint, call, params, writes=False))

    async def send(self, endpoint: str, call: Callable[..., Awaitable[Any]], **params: Any) -> Answer:
        """The answer to a write, sent again only where it is known that nothing happened.

        Raises as `ask` does, and `OutcomeUnknown` where it may have been carried out.
        """
        return await self._again(lambda: self._once(endpoint, call, params, writes=True))

    async def _again(self, attempt_of: Callable[[], Awaitable[Answer]]) -> Answer:
        """What comes of it, tried again while nothing happened."""
        async for attempt in AsyncRetrying(retry=retry_if_exception_type(ExchangeUnavailable), wait=_wait,
                                           stop=_stop, reraise=True, before_sleep=self._tell):
            with attempt:
                began = time.monotonic()
                answer = await attempt_of()
                if (took := time.monotonic() - began) > SLOW_S:
                    self.stumbled(f"An answer took {took:.1f} s.")
                return answer
        raise AssertionError("tenacity either returns or raises")

    def _tell(self, state: RetryCallState) -> None:
        self.stumbled(f"{state.outcome and state.outcome.exception()} It is tried again.")

    async def _once(self, endpoint: str, call: Callable[..., Awaitable[Any]], params: dict[str, Any], *,
                    writes: bool) -> Answer:
        """One request. What went wrong under way means that nothing happened, but of a write that nobody knows."""
        lost = OutcomeUnknown if writes else ExchangeUnavailable
        try:
            async with self._turn(endpoint):
                answer: Answer = await call(**params)
            self.heard(endpoint, answer)
            return answer
        except _Refused as problem:
            if problem.code == -1021 and endpoint != TIME:
                await self.synchronise()
                raise ExchangeUnavailable(endpoint, "its clock and ours still disagree (-1021)") from None
            if writes and problem.leaves_open:
                raise OutcomeUnknown(endpoint, self._plain(f"HTTP {problem.status} ({problem.code}) "
                                                           f"{problem.message}")) from None
            self._refuse(endpoint, problem)
        except _Garbled as problem:
            raise lost(endpoint, f"its answer is not JSON ({self._plain(str(problem))})") from None
        except aiohttp.ClientConnectorError as problem:    # it never left
            raise ExchangeUnavailable(endpoint, self._plain(str(problem)) or "no connection") from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            reason = "no answer in time" if isinstance(problem, TimeoutError) else self._plain(str(problem))
            raise lost(endpoint, reason or type(problem).__name__) from None

    @asynccontextmanager
    async def _turn(self, endpoint: str) -> AsyncIterator[None]:
        """One request, when the machine's budget has room for it."""
        in_time = self.environment is not Environment.SANDBOX or abs(self.wire.timestamp_offset) < MOVED_MS
        turn = await self.wire.budget.turn(endpoint, self._host(endpoint), in_time=in_time)
        _turn.set(turn)
        try:
            yield
        finally:
            if _turn.get() is turn:    # no answer came
                self.wire.budget.answered(turn)

    def _host(self, endpoint: str) -> str:
        """Where `endpoint` ("GET /sapi/v1/…") is asked."""
        product = endpoint.split(" ")[-1].split("/")[1]
        address: str = getattr(self.wire, BASE_OF.get(product, "API_URL"))
        return urlsplit(address).netloc

    def sapi(self, path: str) -> Callable[..., Awaitable[Any]]:
        """A signed GET below /sapi/v1 that python-binance has no method for."""
        async def call(**params: Any) -> Any:
            return await self.wire._request_margin_api("get", path, signed=True, data=params)

        return call

    def _refuse(self, endpoint: str, problem: _Refused) -> Never:
        status, code = problem.status, problem.code
        told = self._plain(problem.message)
        not_here = status == 451 or (status == 403 and code in (0, -1000))    # retrying does not move us elsewhere
        if not not_here and (status in (408, 418, 429) or status >= 500 or code in NOTHING_HAPPENED | NOBODY_KNOWS):
            reason = f"HTTP {status}{f' ({code})' if code else ''}{f', {told}' if told else ''}"
            raise ExchangeUnavailable(endpoint, reason, problem.retry_after) from None
        if not_here:
            told = f"HTTP {status}: Binance does not serve this network or region"
        elif status // 100 == 3:
            told = f"HTTP {status}: redirects are not followed"
        raise RequestRejected(endpoint, code, f"{told or f'HTTP {status}'}.", status) from None

    def _plain(self, text: str) -> str:
        """`text` of somebody else as a part of our sentence: short, on one line, without what signs a request."""
        for secret in (self.wire.API_KEY, self.wire.API_SECRET):
            text = text.replace(secret, "…") if secret else text
        text = re.sub(r"\?[^\s'\"]*|signature=\w*", "", text)
        return " ".join(one_line(text).split())[:200].rstrip(". ")

    async def synchronise(self) -> datetime:
        """The exchange's time now; later signatures carry the offset to it. Raises as `ask` does."""
        asked = time.time() * 1000
        answer = await self.ask(TIME, self.wire.get_server_time)
        try:
            server_ms = int(answer.payload["serverTime"])
            now = datetime.fromtimestamp(server_ms / 1000, UTC)
        except (LookupError, TypeError, ValueError, ArithmeticError, OSError) as problem:
            raise AnswerUnreadable(TIME, f"serverTime: {problem}") from None
        self.wire.timestamp_offset = server_ms - int((asked + time.time() * 1000) / 2)
        return now


@asynccontextmanager
async def connect(environment: Environment, sandbox_url: str | None = None, keys: Keys | None = None,
                  purpose: Purpose = Purpose.COLLECT) -> AsyncIterator[Exchange]:
    """An `Exchange`, closed at the end of the block. Sends nothing by itself."""
    exchange = Exchange(environment, sandbox_url, keys, purpose)
    try:
        yield exchange
    finally:
        exchange.wire.budget.close()
        await exchange.wire.close_connection()
        await asyncio.sleep(0)    # aiohttp closes its sockets in the loop's next turn


def _wait(state: RetryCallState) -> float:
    problem = state.outcome.exception() if state.outcome else None
    told = problem.retry_after if isinstance(problem, ExchangeUnavailable) else None
    backoff = wait_random_exponential(multiplier=0.2, max=3)(state)
    return backoff if told is None else max(told, 1.0) + backoff


def _stop(state: RetryCallState) -> bool:
    problem = state.outcome.exception() if state.outcome else None
    told = problem.retry_after if isinstance(problem, ExchangeUnavailable) else None
    banned = isinstance(problem, ExchangeUnavailable) and problem.reason.startswith("HTTP 418")
    return banned or (told or 0) > LONGEST_WAIT_S or stop_after_attempt(TRIES)(state)
