"""The sandbox's routes: its table of contents. One app per state, no globals."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import control, fapi, sapi, spot, sub_accounts
from .endpoints import Endpoint, Weight, served
from .errors import unknown_path
from .limits import Pool
from .state import State
from .wire import error_reply

API, FAPI, SAPI_IP, SAPI_UID = Pool.API, Pool.FAPI, Pool.SAPI_IP, Pool.SAPI_UID

# method, path, what answers, whose weight. Weights: BINANCE.md sections 4 to 6.
PUBLIC: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("GET", "/api/v3/ping", spot.ping, API, 1),
    ("GET", "/api/v3/time", spot.time, API, 1),
    ("GET", "/api/v3/exchangeInfo", spot.exchange_info, API, 20),
    ("GET", "/api/v3/ticker/price", spot.ticker_price, API, spot.ticker_weight),
    ("GET", "/api/v3/klines", spot.klines, API, 2),
    ("GET", "/fapi/v1/ping", spot.ping, FAPI, 1),
    ("GET", "/fapi/v1/time", spot.time, FAPI, 1),
    ("GET", "/fapi/v1/exchangeInfo", fapi.exchange_info, FAPI, 1),
    ("GET", "/fapi/v1/klines", fapi.klines, FAPI, fapi.klines_weight),
    ("GET", "/fapi/v1/premiumIndex", fapi.premium_index, FAPI, fapi.premium_weight),
    ("GET", "/fapi/v1/ticker/price", fapi.ticker_price, FAPI, fapi.ticker_weight),
    ("GET", "/fapi/v2/ticker/price", fapi.ticker_price, FAPI, fapi.ticker_weight),
]
SIGNED: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("GET", "/api/v3/account", spot.account, API, 20),
    ("GET", "/sapi/v1/account/apiRestrictions", sapi.api_restrictions, SAPI_IP, 1),
    ("GET", "/sapi/v1/account/info", sapi.account_info, SAPI_IP, 1),
    ("GET", "/sapi/v1/asset/wallet/balance", sapi.wallet_balance, SAPI_IP, 60),
    ("POST", "/sapi/v1/asset/get-funding-asset", sapi.funding_asset, SAPI_IP, 1),
    ("POST", "/sapi/v3/asset/getUserAsset", sapi.user_asset, SAPI_IP, 5),
    ("GET", "/sapi/v1/capital/deposit/hisrec", sapi.deposit_history, SAPI_IP, 1),
    ("GET", "/sapi/v1/capital/withdraw/history", sapi.withdraw_history, SAPI_UID, 18_000),
    ("GET", "/sapi/v1/sub-account/list", sub_accounts.sub_account_list, SAPI_IP, 1),
    ("GET", "/sapi/v1/sub-account/universalTransfer", sub_accounts.universal_transfers, SAPI_IP, 1),
    ("GET", "/sapi/v1/sub-account/transfer/subUserHistory", sub_accounts.sub_user_history, SAPI_IP, 1),
    ("GET", "/fapi/v2/account", fapi.account_v2, FAPI, 5),
    ("GET", "/fapi/v3/account", fapi.account_v3, FAPI, 5),
    ("GET", "/fapi/v2/balance", fapi.balance, FAPI, 5),
    ("GET", "/fapi/v3/balance", fapi.balance, FAPI, 5),
    ("GET", "/fapi/v2/positionRisk", fapi.position_risk_v2, FAPI, 5),
    ("GET", "/fapi/v3/positionRisk", fapi.position_risk_v3, FAPI, 5),
]
CONTROL: list[tuple[str, str, control.Control]] = [
    ("GET", "/sandbox/state", control.show_state),
    ("GET", "/sandbox/requests", control.show_requests),
    ("POST", "/sandbox/clock", control.set_clock),
    ("POST", "/sandbox/accounts", control.add_account),
    ("POST", "/sandbox/events", control.add_event),
    ("POST", "/sandbox/prices", control.set_price),
    ("POST", "/sandbox/faults", control.add_fault),
    ("DELETE", "/sandbox/faults", control.clear_faults),
]


def create_app(state: State) -> Starlette:
    """The exchange of `state` as an ASGI app."""
    routes = [Route(path, served(state, endpoint, pool, weight, signed=signed), methods=[method])
              for table, signed in ((SIGNED, True), (PUBLIC, False)) for method, path, endpoint, pool, weight in table]
    routes += [Route(path, partial(control.answer, state, call), methods=[method]) for method, path, call in CONTROL]
    return Starlette(routes=routes, exception_handlers={404: no_such_path, 405: no_such_path})


async def no_such_path(request: Request, error: Exception) -> Response:
    """Binance knows no 405: a wrong method is a wrong path."""
    assert isinstance(error, HTTPException)
    return error_reply(unknown_path(request.method, request.url.path))
