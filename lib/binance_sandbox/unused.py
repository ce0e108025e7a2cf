"""Reads of products that nobody here has used: loans, staking, auto-invest, margin orders, the travel rule, …

A program that looks through an account asks for them too; they answer as to an account that never used them.
Sources of the shapes: ../shared/data/api/documented, and what python-binance, ccxt and the SDKs parse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import WireError
from .ledger import opened_margin
from .margin import NO_ACCOUNT
from .wire import Call

Answer = Callable[[Call], Any]
PAGE: dict[str, Any] = {"rows": [], "total": 0}
LIST: list[Any] = []
NO_PLANS = {"planValueInUSD": "0", "planValueInBTC": "0", "pnlInUSD": "0", "roi": "0", "plans": []}
NO_ETH = {"holdingInETH": "0", "holdings": {"wbethAmount": "0", "bethAmount": "0"}, "thirtyDaysProfitInETH": "0",
          "profit": {"amountFromWBETH": "0", "amountFromBETH": "0"}}
NO_SOL = {"bnsolAmount": "0", "holdingInSOL": "0", "thirtyDaysProfitInSOL": "0"}
RETIRED = WireError(-1016, "This service is no longer available.")

# What an account gets that never used the product.
SAPI: dict[str, Any] = {
    "/sapi/v1/addressVerify/list": LIST,
    "/sapi/v1/algo/futures/historicalOrders": {"total": 0, "orders": []},
    "/sapi/v1/algo/futures/openOrders": {"total": 0, "orders": []},
    "/sapi/v1/algo/spot/historicalOrders": {"total": 0, "orders": []},
    "/sapi/v1/algo/spot/openOrders": {"total": 0, "orders": []},
    "/sapi/v1/asset/custody/transfer-history": PAGE,
    "/sapi/v1/asset/ledger-transfer/cloud-mining/queryByPage": PAGE,
    "/sapi/v1/bfusd/history/redemptionHistory": PAGE,
    "/sapi/v1/bfusd/history/rewardsHistory": PAGE,
    "/sapi/v1/bfusd/history/subscriptionHistory": PAGE,
    "/sapi/v1/convert/limit/queryOpenOrders": {"list": []},
    "/sapi/v1/dci/product/accounts": {"totalAmountInBTC": "0", "totalAmountInUSDT": "0"},
    "/sapi/v1/dci/product/positions": {"total": 0, "list": []},
    "/sapi/v1/eth-staking/eth/history/redemptionHistory": PAGE,
    "/sapi/v1/eth-staking/eth/history/stakingHistory": PAGE,
    "/sapi/v1/eth-staking/eth/history/wbethRewardsHistory": PAGE,
    "/sapi/v2/eth-staking/account": NO_ETH,
    "/sapi/v1/lending/auto-invest/history/list": {"total": 0, "list": []},
    "/sapi/v1/lending/auto-invest/plan/list": NO_PLANS,
    "/sapi/v1/loan/borrow/history": PAGE,
    "/sapi/v1/loan/income": LIST,
    "/sapi/v1/loan/ltv/adjustment/history": PAGE,
    "/sapi/v1/loan/repay/history": PAGE,
    "/sapi/v1/loan/vip/ongoing/orders": PAGE,
    "/sapi/v1/loan/vip/repay/history": PAGE,
    "/sapi/v2/loan/flexible/borrow/history": PAGE,
    "/sapi/v2/loan/flexible/ltv/adjustment/history": PAGE,
    "/sapi/v2/loan/flexible/ongoing/orders": PAGE,
    "/sapi/v2/loan/flexible/repay/history": PAGE,
    "/sapi/v1/localentity/deposit/history": LIST,
    "/sapi/v2/localentity/deposit/history": LIST,
    "/sapi/v1/localentity/country/list": {"countries": [], "lastUpdated": 0},
    "/sapi/v1/localentity/questionnaire-requirements": {"questionnaireCountryCode": "NIL"},
    "/sapi/v1/localentity/vasp": LIST,
    "/sapi/v1/localentity/withdraw/history": LIST,
    "/sapi/v2/localentity/withdraw/history": LIST,
    "/sapi/v1/managed-subaccount/info": {"total": 0, "managerSubUserInfoVoList": []},
    "/sapi/v1/rwusd/history/redemptionHistory": PAGE,
    "/sapi/v1/rwusd/history/rewardsHistory": PAGE,
    "/sapi/v1/rwusd/history/subscriptionHistory": PAGE,
    "/sapi/v1/simple-earn/flexible/history/collateralRecord": {"rows": [], "total": "0"},
    "/sapi/v1/sol-staking/account": NO_SOL,
    "/sapi/v1/sol-staking/sol/history/bnsolRewardsHistory": PAGE,
    "/sapi/v1/sol-staking/sol/history/redemptionHistory": PAGE,
    "/sapi/v1/sol-staking/sol/history/stakingHistory": PAGE,
    "/sapi/v1/staking/position": RETIRED,
    "/sapi/v1/staking/stakingRecord": RETIRED,
}
# The same, where an account without margin is told that it has none (-3003).
MARGIN: dict[str, Any] = {
    "/sapi/v1/margin/allOrderList": LIST,
    "/sapi/v1/margin/allOrders": LIST,
    "/sapi/v1/margin/capital-flow": LIST,
    "/sapi/v1/margin/forceLiquidationRec": PAGE,
    "/sapi/v1/margin/myTrades": LIST,
    "/sapi/v1/margin/openOrderList": LIST,
    "/sapi/v1/margin/openOrders": LIST,
    "/sapi/v1/margin/tradeCoeff": {"normalBar": "1.50000000", "marginCallBar": "1.30000000",
                                   "forceLiquidationBar": "1.10000000"},
}


def always(content: Any) -> Answer:
    """An endpoint that says `content`, or refuses with it, whoever asks."""
    def answer(call: Call) -> Any:
        if isinstance(content, WireError):
            raise content
        return content

    return answer


def of_margin(content: Any) -> Answer:
    """The same for those who opened margin."""
    def answer(call: Call) -> Any:
        if not opened_margin(call.account, call.holdings):
            raise NO_ACCOUNT
        return content

    return answer
