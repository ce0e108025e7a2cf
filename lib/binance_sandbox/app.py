"""The sandbox's routes: its table of contents. One app per state, no globals."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import (
    capital,
    control,
    convert,
    dapi,
    earn,
    fapi,
    fapi_account,
    fapi_algo,
    fapi_batch,
    fapi_history,
    fapi_modes,
    fapi_orders,
    fapi_stream,
    futures_control,
    futures_data,
    margin,
    moves,
    payments,
    sapi,
    snapshots,
    spot,
    spot_account,
    sub_accounts,
    sub_wallets,
    trades_wire,
    unused,
)
from .endpoints import KEY_ALONE, Endpoint, Served, Weight, served
from .errors import unknown_path
from .guard import Guard
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
    ("GET", "/api/v3/ticker/bookTicker", spot.book_ticker, API, spot.ticker_weight),
    ("GET", "/api/v3/ticker/24hr", spot.ticker_24h, API, spot.ticker_24h_weight),
    ("GET", "/api/v3/ticker/tradingDay", spot.ticker_day, API, 4),
    ("GET", "/api/v3/ticker", spot.ticker_window, API, 4),
    ("GET", "/api/v3/avgPrice", spot.average_price, API, 2),
    ("GET", "/api/v3/depth", spot.depth, API, spot.depth_weight),
    ("GET", "/api/v3/klines", spot.klines, API, 2),
    ("GET", "/api/v3/uiKlines", spot.klines, API, 2),
    ("GET", "/api/v3/aggTrades", trades_wire.agg_trades, API, 4),
    ("GET", "/api/v3/trades", trades_wire.trades, API, 25),
    ("GET", "/api/v3/historicalTrades", trades_wire.trades, API, 25),
    ("GET", "/api/v3/historicalBlockTrades", unused.always([]), API, 25),
    ("GET", "/api/v3/executionRules", unused.always({"symbolRules": []}), API, 2),
    ("GET", "/api/v3/referencePrice", unused.always(spot.NO_REFERENCE), API, 2),
    ("GET", "/api/v3/referencePrice/calculation", unused.always(spot.NO_REFERENCE), API, 2),
    ("GET", "/sapi/v1/spot/asset/tags", unused.always([]), SAPI_IP, 1),
    ("GET", "/sapi/v1/spot/open-symbol-list", unused.always([]), SAPI_IP, 100),
    ("GET", "/sapi/v1/convert/exchangeInfo", convert.pairs, SAPI_IP, 3000),
    ("GET", "/sapi/v1/system/status", sapi.system_status, SAPI_IP, 1),
    ("GET", "/dapi/v1/ping", spot.ping, FAPI, 1),
    ("GET", "/dapi/v1/time", spot.time, FAPI, 1),
    ("GET", "/dapi/v1/exchangeInfo", dapi.exchange_info, FAPI, 1),
    ("GET", "/dapi/v1/depth", dapi.on_pair(spot.futures_depth), FAPI, 5),
    ("GET", "/dapi/v1/trades", dapi.on_pair(trades_wire.futures_trades), FAPI, 5),
    ("GET", "/dapi/v1/aggTrades", dapi.on_pair(trades_wire.futures_agg_trades), FAPI, 20),
    ("GET", "/dapi/v1/klines", dapi.klines, FAPI, fapi.klines_weight),
    ("GET", "/dapi/v1/continuousKlines", dapi.klines, FAPI, fapi.klines_weight),
    ("GET", "/dapi/v1/indexPriceKlines", dapi.klines, FAPI, fapi.klines_weight),
    ("GET", "/dapi/v1/markPriceKlines", dapi.klines, FAPI, fapi.klines_weight),
    ("GET", "/dapi/v1/fundingRate", dapi.funding_rates, FAPI, 1),
    ("GET", "/dapi/v1/premiumIndex", dapi.premium_index, FAPI, 10),
    ("GET", "/dapi/v1/premiumIndexKlines", dapi.on_pair(fapi.premium_klines), FAPI, fapi.klines_weight),
    ("GET", "/dapi/v1/fundingInfo", unused.always([]), FAPI, 1),
    ("GET", "/dapi/v1/openInterest", dapi.open_interest, FAPI, 1),
    ("GET", "/dapi/v1/constituents", dapi.on_pair(fapi.constituents), FAPI, 2),
    ("GET", "/dapi/v1/historicalTrades", dapi.on_pair(trades_wire.futures_trades), FAPI, 20),
    ("GET", "/dapi/v1/ticker/price", dapi.ticker_price, FAPI, fapi.ticker_weight),
    ("GET", "/dapi/v1/ticker/bookTicker", dapi.book_ticker, FAPI, fapi.book_weight),
    ("GET", "/dapi/v1/ticker/24hr", dapi.ticker_24h, FAPI, fapi.day_weight),
    ("GET", "/fapi/v1/depth", spot.futures_depth, FAPI, 5),
    ("GET", "/fapi/v1/trades", trades_wire.futures_trades, FAPI, 5),
    ("GET", "/fapi/v1/historicalTrades", trades_wire.futures_trades, FAPI, 20),
    ("GET", "/fapi/v1/aggTrades", trades_wire.futures_agg_trades, FAPI, 20),
    ("GET", "/fapi/v1/ping", spot.ping, FAPI, 1),
    ("GET", "/fapi/v1/time", spot.time, FAPI, 1),
    ("GET", "/fapi/v1/exchangeInfo", fapi.exchange_info, FAPI, 1),
    ("GET", "/fapi/v1/klines", fapi.klines, FAPI, fapi.klines_weight),
    ("GET", "/fapi/v1/premiumIndex", fapi.premium_index, FAPI, fapi.premium_weight),
    ("GET", "/fapi/v1/ticker/price", fapi.ticker_price, FAPI, fapi.ticker_weight),
    ("GET", "/fapi/v2/ticker/price", fapi.ticker_price, FAPI, fapi.ticker_weight),
    ("GET", "/fapi/v1/ticker/bookTicker", fapi.book_ticker, FAPI, fapi.book_weight),
    ("GET", "/fapi/v1/ticker/24hr", fapi.ticker_24h, FAPI, fapi.day_weight),
    ("GET", "/fapi/v1/markPriceKlines", fapi.mark_klines, FAPI, fapi.klines_weight),
    ("GET", "/fapi/v1/continuousKlines", fapi.pair_klines, FAPI, fapi.klines_weight),
    ("GET", "/fapi/v1/indexPriceKlines", fapi.index_klines, FAPI, fapi.klines_weight),
    ("GET", "/fapi/v1/openInterest", fapi.open_interest, FAPI, 1),
    ("GET", "/fapi/v1/assetIndex", fapi.asset_index, FAPI, fapi.asset_index_weight),
    ("GET", "/fapi/v1/premiumIndexKlines", fapi.premium_klines, FAPI, fapi.klines_weight),
    ("GET", "/fapi/v1/rpiDepth", spot.futures_depth, FAPI, 20),
    ("GET", "/fapi/v1/constituents", fapi.constituents, FAPI, 2),
    ("GET", "/fapi/v1/indexInfo", unused.always([]), FAPI, 1),
    ("GET", "/fapi/v1/insuranceBalance", fapi.insurance_fund, FAPI, 1),
    ("GET", "/fapi/v1/symbolAdlRisk", fapi.adl_risk, FAPI, 1),
    ("GET", "/fapi/v1/tradingSchedule", fapi.trading_schedule, FAPI, 5),
    ("GET", "/fapi/v1/convert/exchangeInfo", convert.pairs, FAPI, 20),
    *(("GET", f"/futures/data/{name}", read, FAPI, 0) for name, read in futures_data.READS.items()),
    ("GET", "/futures/data/delivery-price", unused.always([]), FAPI, 0),
    ("GET", "/fapi/v1/fundingRate", fapi.funding_rates, Pool.FUNDING, 1),
    ("GET", "/fapi/v1/fundingInfo", fapi.funding_info, Pool.FUNDING, 1),
]
SIGNED: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("GET", "/api/v3/account", spot_account.account, API, 20),
    ("GET", "/api/v3/account/commission", spot_account.commission, API, 20),
    ("GET", "/api/v3/myTrades", spot_account.my_trades, API, spot_account.trades_weight),
    ("GET", "/api/v3/order", spot_account.order, API, 4),
    ("GET", "/api/v3/allOrders", spot_account.all_orders, API, 20),
    ("GET", "/api/v3/openOrders", spot_account.nothing, API, spot_account.nothing_weight),
    ("GET", "/api/v3/orderList", spot_account.no_list, API, 4),
    ("GET", "/api/v3/order/amendments", spot_account.nothing, API, 4),
    ("GET", "/api/v3/myFilters", spot_account.my_filters, API, 40),
    ("GET", "/api/v3/openOrderList", spot_account.nothing, API, 6),
    ("GET", "/api/v3/allOrderList", spot_account.nothing, API, 20),
    ("GET", "/api/v3/myAllocations", spot_account.nothing, API, 20),
    ("GET", "/api/v3/myPreventedMatches", spot_account.nothing, API, 20),
    ("GET", "/api/v3/rateLimit/order", spot_account.order_limits, API, 40),
    ("GET", "/sapi/v1/account/apiRestrictions", sapi.api_restrictions, SAPI_IP, 1),
    ("GET", "/sapi/v1/account/info", sapi.account_info, SAPI_IP, 1),
    ("GET", "/sapi/v1/account/status", sapi.account_status, SAPI_IP, 1),
    ("GET", "/sapi/v1/account/apiTradingStatus", sapi.trading_status, SAPI_IP, 1),
    ("GET", "/sapi/v1/accountSnapshot", snapshots.account_snapshots, SAPI_IP, 2400),
    ("GET", "/sapi/v1/asset/wallet/balance", sapi.wallet_balance, SAPI_IP, 60),
    ("POST", "/sapi/v1/asset/get-funding-asset", sapi.funding_asset, SAPI_IP, 1),
    ("POST", "/sapi/v3/asset/getUserAsset", sapi.user_asset, SAPI_IP, 5),
    ("GET", "/sapi/v1/asset/assetDetail", sapi.asset_detail, SAPI_IP, 1),
    ("POST", "/sapi/v1/asset/dust-btc", sapi.dust_assets, SAPI_IP, 1),
    ("GET", "/sapi/v1/asset/tradeFee", sapi.trade_fee, SAPI_IP, 1),
    ("GET", "/sapi/v1/asset/transfer", moves.transfers, SAPI_IP, 1),
    ("GET", "/sapi/v1/asset/assetDividend", moves.dividends, SAPI_IP, 10),
    ("GET", "/sapi/v1/asset/dribblet", moves.dust, SAPI_IP, 1),
    ("GET", "/sapi/v1/convert/tradeFlow", convert.trade_flow, SAPI_UID, 3000),
    ("GET", "/sapi/v1/convert/assetInfo", convert.precisions, SAPI_IP, 100),
    ("GET", "/sapi/v1/convert/orderStatus", convert.order_status, SAPI_UID, 100),
    ("GET", "/sapi/v1/bnbBurn", sapi.bnb_burn, SAPI_IP, 1),
    ("GET", "/sapi/v1/capital/config/getall", capital.coins, SAPI_IP, 10),
    ("GET", "/sapi/v1/capital/deposit/hisrec", capital.deposit_history, SAPI_IP, 1),
    ("GET", "/sapi/v1/capital/deposit/address", capital.deposit_address, SAPI_IP, 10),
    ("GET", "/sapi/v1/capital/deposit/address/list", capital.deposit_addresses, SAPI_IP, 10),
    ("GET", "/sapi/v1/capital/withdraw/history", capital.withdraw_history, SAPI_UID, 18_000),
    ("GET", "/sapi/v1/capital/withdraw/address/list", capital.withdraw_addresses, SAPI_IP, 10),
    ("GET", "/sapi/v1/capital/withdraw/quota", capital.withdraw_quota, SAPI_IP, 10),
    ("GET", "/sapi/v1/fiat/orders", payments.fiat_orders, SAPI_UID, 45_000),
    ("GET", "/sapi/v1/fiat/payments", payments.fiat_payments, SAPI_IP, 1),
    ("GET", "/sapi/v1/c2c/orderMatch/listUserOrderHistory", payments.c2c_orders, SAPI_IP, 1),
    ("GET", "/sapi/v1/pay/transactions", payments.pay_transactions, SAPI_UID, 3000),
    ("GET", "/sapi/v1/simple-earn/account", earn.account, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/flexible/list", earn.flexible_products, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/flexible/position", earn.flexible_positions, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/flexible/history/rewardsRecord", earn.flexible_rewards, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/flexible/history/subscriptionRecord", earn.flexible_subscriptions, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/flexible/history/redemptionRecord", earn.flexible_redemptions, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/locked/list", earn.locked_products, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/locked/position", earn.locked_positions, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/locked/history/rewardsRecord", earn.locked_rewards, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/locked/history/subscriptionRecord", earn.locked_subscriptions, SAPI_IP, 150),
    ("GET", "/sapi/v1/simple-earn/locked/history/redemptionRecord", earn.locked_redemptions, SAPI_IP, 150),
    ("GET", "/sapi/v1/bfusd/account", earn.bfusd_account, SAPI_IP, 150),
    ("GET", "/sapi/v1/rwusd/account", earn.rwusd_account, SAPI_IP, 150),
    ("GET", "/sapi/v1/margin/account", margin.account, SAPI_IP, 10),
    ("GET", "/sapi/v1/margin/isolated/account", margin.isolated_account, SAPI_IP, 10),
    ("GET", "/sapi/v1/margin/interestHistory", margin.interest_history, SAPI_IP, 1),
    ("GET", "/sapi/v1/margin/crossMarginData", margin.cross_data, SAPI_IP, 1),
    ("GET", "/sapi/v1/margin/isolatedMarginData", margin.isolated_data, SAPI_IP, 1),
    ("GET", "/sapi/v1/margin/interestRateHistory", margin.interest_rates, SAPI_IP, 1),
    ("GET", "/sapi/v1/margin/borrow-repay", margin.borrow_repay, SAPI_IP, 10),
    ("GET", "/sapi/v1/portfolio/account", sapi.portfolio_account, SAPI_IP, 1),
    ("GET", "/sapi/v2/portfolio/account", sapi.portfolio_account, SAPI_IP, 1),
    ("GET", "/sapi/v1/portfolio/balance", sapi.not_unified, SAPI_IP, 1),
    ("GET", "/fapi/v1/pmAccountInfo", sapi.not_unified, FAPI, 5),
    ("GET", "/dapi/v1/pmAccountInfo", sapi.not_unified, FAPI, 5),
    *(("GET", path, unused.always(content), SAPI_IP, 1) for path, content in unused.SAPI.items()),
    *(("GET", path, unused.of_margin(content), SAPI_IP, 10) for path, content in unused.MARGIN.items()),
    ("GET", "/sapi/v1/sub-account/list", sub_accounts.sub_account_list, SAPI_IP, 1),
    ("GET", "/sapi/v1/sub-account/universalTransfer", sub_accounts.universal_transfers, SAPI_IP, 1),
    ("GET", "/sapi/v1/sub-account/sub/transfer/history", sub_accounts.spot_transfers, SAPI_IP, 1),
    ("GET", "/sapi/v1/sub-account/transfer/subUserHistory", sub_accounts.sub_user_history, SAPI_IP, 1),
    ("GET", "/sapi/v1/sub-account/spotSummary", sub_accounts.spot_summary, SAPI_IP, 1),
    ("GET", "/sapi/v3/sub-account/assets", sub_accounts.sub_assets(as_number=True), SAPI_UID, 60),
    ("GET", "/sapi/v4/sub-account/assets", sub_accounts.sub_assets(as_number=False), SAPI_UID, 60),
    ("GET", "/sapi/v1/sub-account/status", sub_wallets.status, SAPI_IP, 10),
    ("GET", "/sapi/v1/sub-account/margin/account", sub_wallets.margin_account, SAPI_IP, 10),
    ("GET", "/sapi/v1/sub-account/margin/accountSummary", sub_wallets.margin_summary, SAPI_IP, 10),
    ("GET", "/sapi/v2/sub-account/futures/account", sub_wallets.futures_account, SAPI_IP, 1),
    ("GET", "/sapi/v2/sub-account/futures/accountSummary", sub_wallets.futures_summary, SAPI_IP, 10),
    ("GET", "/sapi/v2/sub-account/futures/positionRisk", sub_wallets.futures_positions, SAPI_IP, 1),
    ("GET", "/dapi/v1/account", dapi.account, FAPI, 5),
    ("GET", "/dapi/v1/balance", dapi.balance, FAPI, 1),
    ("GET", "/dapi/v1/positionRisk", dapi.position_risk, FAPI, 1),
    ("GET", "/dapi/v1/positionSide/dual", fapi_modes.position_mode, FAPI, 30),
    ("GET", "/dapi/v1/leverageBracket", dapi.brackets("pair"), FAPI, 1),
    ("GET", "/dapi/v2/leverageBracket", dapi.brackets("symbol"), FAPI, 1),
    ("GET", "/dapi/v1/commissionRate", dapi.commission, FAPI, 20),
    ("GET", "/dapi/v1/income", dapi.nothing, FAPI, 20),
    ("GET", "/dapi/v1/openOrders", dapi.nothing, FAPI, 1),
    ("GET", "/dapi/v1/order", dapi.no_order, FAPI, 1),
    ("GET", "/dapi/v1/openOrder", dapi.no_order, FAPI, 1),
    ("GET", "/dapi/v1/algoOrder", dapi.no_order, FAPI, 1),
    ("GET", "/dapi/v1/openAlgoOrders", dapi.nothing, FAPI, 1),
    ("GET", "/dapi/v1/allAlgoOrders", dapi.nothing, FAPI, 5),
    ("GET", "/dapi/v1/orderAmendment", dapi.nothing, FAPI, 1),
    ("GET", "/dapi/v1/adlQuantile", dapi.nothing, FAPI, 5),
    ("GET", "/dapi/v1/positionMargin/history", dapi.nothing, FAPI, 1),
    ("GET", "/dapi/v1/allOrders", dapi.nothing, FAPI, 20),
    ("GET", "/dapi/v1/userTrades", dapi.nothing, FAPI, 20),
    ("GET", "/dapi/v1/forceOrders", dapi.nothing, FAPI, 20),
    ("GET", "/fapi/v2/account", fapi_account.account_v2, FAPI, 5),
    ("GET", "/fapi/v3/account", fapi_account.account_v3, FAPI, 5),
    ("GET", "/fapi/v2/balance", fapi_account.balance, FAPI, 5),
    ("GET", "/fapi/v3/balance", fapi_account.balance, FAPI, 5),
    ("GET", "/fapi/v2/positionRisk", fapi_account.position_risk_v2, FAPI, 5),
    ("GET", "/fapi/v3/positionRisk", fapi_account.position_risk_v3, FAPI, 5),
    ("GET", "/fapi/v1/positionSide/dual", fapi_modes.position_mode, FAPI, 30),
    ("GET", "/fapi/v1/multiAssetsMargin", fapi_modes.asset_mode, FAPI, 30),
    ("GET", "/fapi/v1/leverageBracket", fapi_modes.leverage_brackets, FAPI, 1),
    ("GET", "/fapi/v1/accountConfig", fapi_modes.account_config, FAPI, 5),
    ("GET", "/fapi/v1/symbolConfig", fapi_modes.symbol_config, FAPI, 5),
    ("GET", "/fapi/v1/commissionRate", fapi_modes.commission_rate, FAPI, 20),
    ("GET", "/fapi/v1/rateLimit/order", fapi_modes.order_limits, FAPI, 1),
    ("GET", "/fapi/v1/feeBurn", fapi_modes.fee_burn, FAPI, 30),
    ("GET", "/fapi/v1/apiTradingStatus", fapi_modes.trading_status, FAPI, 1),
    ("GET", "/fapi/v1/adlQuantile", fapi_modes.adl_quantile, FAPI, 5),
    ("GET", "/fapi/v1/positionMargin/history", fapi_modes.position_margin_history, FAPI, 1),
    ("GET", "/fapi/v1/order", fapi_orders.get_order, FAPI, 1),
    ("GET", "/fapi/v1/openOrder", fapi_orders.open_order, FAPI, 1),
    ("GET", "/fapi/v1/openOrders", fapi_orders.open_orders, FAPI, fapi_orders.open_orders_weight),
    ("GET", "/fapi/v1/allOrders", fapi_orders.all_orders, FAPI, 5),
    ("GET", "/fapi/v1/forceOrders", fapi_orders.force_orders, FAPI, fapi_orders.force_weight),
    ("GET", "/fapi/v1/orderAmendment", fapi_orders.amendments, FAPI, 1),
    ("GET", "/fapi/v1/algoOrder", fapi_algo.get_algo, FAPI, 1),
    ("GET", "/fapi/v1/openAlgoOrders", fapi_algo.open_algos, FAPI, fapi_orders.open_orders_weight),
    ("GET", "/fapi/v1/allAlgoOrders", fapi_algo.all_algos, FAPI, 5),
    ("GET", "/fapi/v1/userTrades", fapi_history.user_trades, FAPI, 5),
    ("GET", "/fapi/v1/income", fapi_history.income, FAPI, 30),
]
# As SIGNED; the key must have the right enableFutures, too.
FUTURES_ORDERS: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("POST", "/fapi/v1/order", fapi_orders.new_order, FAPI, 0),
    ("PUT", "/fapi/v1/order", fapi_orders.modify_order, FAPI, 0),
    ("DELETE", "/fapi/v1/order", fapi_orders.cancel_order, FAPI, 1),
    ("POST", "/fapi/v1/order/test", fapi_orders.test_order, FAPI, 0),
    ("DELETE", "/fapi/v1/allOpenOrders", fapi_orders.cancel_all, FAPI, 1),
    ("POST", "/fapi/v1/batchOrders", fapi_batch.new_batch, FAPI, 0),
    ("PUT", "/fapi/v1/batchOrders", fapi_batch.modify_batch, FAPI, 0),
    ("DELETE", "/fapi/v1/batchOrders", fapi_batch.cancel_batch, FAPI, 1),
    ("POST", "/fapi/v1/countdownCancelAll", fapi_orders.countdown, FAPI, 10),
    ("POST", "/fapi/v1/algoOrder", fapi_algo.new_algo, FAPI, 0),
    ("DELETE", "/fapi/v1/algoOrder", fapi_algo.cancel_algo, FAPI, 1),
    ("DELETE", "/fapi/v1/algoOpenOrders", fapi_algo.cancel_all_algos, FAPI, 1),
    ("POST", "/fapi/v1/positionSide/dual", fapi_modes.set_position_mode, FAPI, 1),
    ("POST", "/dapi/v1/positionSide/dual", fapi_modes.set_position_mode, FAPI, 1),    # one for both families
    ("POST", "/fapi/v1/multiAssetsMargin", fapi_modes.set_asset_mode, FAPI, 1),
    ("POST", "/fapi/v1/leverage", fapi_modes.set_leverage, FAPI, 1),
    ("POST", "/fapi/v1/marginType", fapi_modes.set_margin_type, FAPI, 1),
    ("POST", "/fapi/v1/positionMargin", fapi_modes.change_position_margin, FAPI, 1),
    ("POST", "/fapi/v1/feeBurn", fapi_modes.set_fee_burn, FAPI, 1),
]
# As SIGNED, with the right permitsUniversalTransfer or enableInternalTransfer.
TRANSFERS: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("POST", "/sapi/v1/asset/transfer", moves.transfer, SAPI_UID, 900),
]
SUB_TRANSFERS: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("POST", "/sapi/v1/sub-account/universalTransfer", sub_accounts.universal_transfer, SAPI_UID, 360),
]
# Their header is enough.
KEYED: list[tuple[str, str, Endpoint, Pool, Weight]] = [
    ("POST", "/fapi/v1/listenKey", fapi_stream.start, FAPI, 1),
    ("PUT", "/fapi/v1/listenKey", fapi_stream.keep_alive, FAPI, 1),
    ("DELETE", "/fapi/v1/listenKey", fapi_stream.close, FAPI, 1),
    ("GET", "/sapi/v1/spot/delist-schedule", sapi.delist_schedule, SAPI_IP, 100),
    ("GET", "/sapi/v1/margin/allPairs", margin.all_pairs, SAPI_IP, 1),
    ("GET", "/sapi/v1/margin/allAssets", margin.all_assets, SAPI_IP, 1),
    ("GET", "/sapi/v1/margin/isolated/allPairs", margin.isolated_all_pairs, SAPI_IP, 10),
    ("GET", "/sapi/v1/margin/priceIndex", margin.price_index, SAPI_IP, 10),
]
GUARDED = ((PUBLIC, None), (SIGNED, "enableReading"), (KEYED, KEY_ALONE), (FUTURES_ORDERS, "enableFutures"),
           (TRANSFERS, "permitsUniversalTransfer"), (SUB_TRANSFERS, "enableInternalTransfer"))
CONTROL: list[tuple[str, str, control.Control]] = [
    ("GET", "/sandbox/state", control.show_state),
    ("GET", "/sandbox/requests", control.show_requests),
    ("POST", "/sandbox/clock", control.set_clock),
    ("POST", "/sandbox/accounts", control.add_account),
    ("POST", "/sandbox/events", control.add_event),
    ("POST", "/sandbox/prices", control.set_price),
    ("GET", "/sandbox/futures", futures_control.show_futures),
    ("POST", "/sandbox/futures", futures_control.set_futures),
    ("POST", "/sandbox/funding", futures_control.set_funding),
    ("POST", "/sandbox/symbols", control.set_symbol),
    ("POST", "/sandbox/limits", control.set_limits),
    ("GET", "/sandbox/faults", control.show_faults),
    ("POST", "/sandbox/faults", control.add_fault),
    ("DELETE", "/sandbox/faults", control.clear_faults),
]


class Table(BaseRoute):
    """All routes at once, found by method and path: trying 250 of them in turn would cost more than an answer."""

    def __init__(self, calls: dict[tuple[str, str], Served]) -> None:
        self.apps: dict[tuple[str, str], ASGIApp] = {key: request_response(call) for key, call in calls.items()}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        method = "GET" if scope.get("method") == "HEAD" else scope.get("method", "")
        found = self.apps.get((method, scope["path"]))
        return (Match.FULL, {"endpoint": found}) if found else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):    # gone before it had said everything: nobody is left to answer
            await scope["endpoint"](scope, receive, send)


def create_app(state: State) -> Starlette:
    """The exchange of `state` as an ASGI app."""
    served_calls = {(method, path): served(state, endpoint, pool, weight, guard=guard)
                    for table, guard in GUARDED for method, path, endpoint, pool, weight in table}
    state.calls |= {f"{method} {path}": call for method, path, call in CONTROL}
    state.calls |= {f"{method} {path}": endpoint for table, _ in GUARDED for method, path, endpoint, _, _ in table}
    served_calls |= {(method, path): partial(control.answer, state, call) for method, path, call in CONTROL}
    app = Starlette(routes=[Table(served_calls)], exception_handlers={404: no_such_path, 405: no_such_path},
                    middleware=[Middleware(Guard)])
    app.router.redirect_slashes = False    # Binance knows no other spelling of a path
    return app


async def no_such_path(request: Request, error: Exception) -> Response:
    """Binance knows no 405: a wrong method is a wrong path."""
    assert isinstance(error, HTTPException)
    return error_reply(unknown_path(request.method, request.url.path))
