"""`/sapi`: Simple Earn, and the dollar coins that earn by themselves. Source: BINANCE.md section 5.2.

Flexible and locked positions are the wallets earn_flexible and earn_locked; BFUSD and RWUSD lie in the former.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .clock import DAY
from .errors import WireError
from .events import Reward, Transfer
from .ledger import Amounts
from .money import ZERO, fixed, plain
from .spot_account import NOT_LENT
from .valuation import held, wallet_value
from .wire import Call

DAYS = 30
TOO_LONG = WireError(-6021, "Query time range must not exceed 30 days.")
LOCKED_DAYS = 60    # of every locked product
RATE = "0.02599895"
FLEXIBLE, LOCKED = "earn_flexible", "earn_locked"


def _pages(call: Call, rows: list[Any]) -> dict[str, Any]:
    return {"rows": call.page(rows, 10, 100), "total": len(rows)}


# -- positions -------------------------------------------------------------------------------------------------
def flexible_positions(call: Call) -> dict[str, Any]:
    asked, product = call.params.get("asset"), call.params.get("productId")
    rows = [_flexible(call, asset, amounts) for asset, amounts in _held(call, FLEXIBLE)
            if asked in (None, "", asset) and product in (None, "", f"{asset}001")]
    return _pages(call, rows)


def _held(call: Call, wallet: str) -> list[tuple[str, Amounts]]:
    return [(asset, amounts) for asset, amounts in sorted(held(call.holdings, wallet).items()) if asset not in NOT_LENT]


def _flexible(call: Call, asset: str, amounts: Amounts) -> dict[str, Any]:
    rewards = [reward for reward in call.state.ledger.of(Reward, call.account.name, 0, call.seen)
               if reward.asset == asset and reward.product == "flexible"]
    real_time = _sum(rewards, "REALTIME")
    recent = [reward for reward in rewards if reward.time // DAY == call.seen // DAY - 1]
    return {"totalAmount": fixed(amounts.total), "tierAnnualPercentageRate": {}, "latestAnnualPercentageRate": RATE,
            "yesterdayAirdropPercentageRate": "0", "asset": asset, "airDropAsset": "", "canRedeem": True,
            "collateralAmount": "0", "productId": f"{asset}001",
            "yesterdayRealTimeRewards": fixed(_sum(recent, "REALTIME")),
            "cumulativeBonusRewards": fixed(_sum(rewards, "BONUS")), "cumulativeRealTimeRewards": fixed(real_time),
            "cumulativeTotalRewards": fixed(sum((reward.amount for reward in rewards), ZERO)), "autoSubscribe": False}


def _sum(rewards: list[Reward], kind: str) -> Decimal:
    return sum((reward.amount for reward in rewards if reward.kind == kind), ZERO)


def locked_positions(call: Call) -> dict[str, Any]:
    """One position per asset."""
    asked, project = call.params.get("asset"), call.params.get("projectId")
    number = call.integer("positionId")
    rows = [_locked(call, asset, amounts) for asset, amounts in _held(call, LOCKED)
            if asked in (None, "", asset) and project in (None, "", _project(asset))]
    return _pages(call, [row for row in rows if number in (None, row["positionId"])])


def _project(asset: str) -> str:
    return f"{asset.capitalize()}*{LOCKED_DAYS}"


def _locked(call: Call, asset: str, amounts: Amounts) -> dict[str, Any]:
    bought = call.holdings.updated.get(LOCKED, call.account.created)
    ends = (bought // DAY + LOCKED_DAYS) * DAY
    number = int.from_bytes(asset.encode()[:5], "big")
    return {
        "positionId": number, "parentPositionId": 0, "projectId": _project(asset), "asset": asset,
        "amount": fixed(amounts.total), "purchaseTime": bought, "duration": str(LOCKED_DAYS),
        "accrualDays": str((call.seen - bought) // DAY), "rewardAsset": asset, "APY": "0.0412", "rewardAmt": "0",
        "extraRewardAsset": "", "extraRewardAPR": "0", "estExtraRewardAmt": "0", "boostRewardAsset": "",
        "boostApr": "0", "totalBoostRewardAmt": "0", "nextPay": "0", "nextPayDate": (call.seen // DAY + 1) * DAY,
        "payPeriod": "1",
        "redeemAmountEarly": fixed(amounts.total), "rewardsEndDate": ends, "deliverDate": ends + DAY,
        "redeemPeriod": "1",
        "redeemingAmt": "0", "redeemTo": "SPOT", "partialAmtDeliverDate": 0, "canRedeemEarly": True,
        "canFastRedemption": True, "autoSubscribe": False, "type": "NORMAL", "status": "HOLDING", "canReStake": False}


def account(call: Call) -> dict[str, str]:
    """What all positions are worth; agrees with the wallet totals."""
    values: dict[str, str] = {}
    for target in ("BTC", "USDT"):
        flexible, locked = (wallet_value(call.market, call.holdings, wallet, target, call.seen)
                            for wallet in (FLEXIBLE, LOCKED))
        values |= {f"totalAmountIn{target}": fixed(flexible + locked),
                   f"totalFlexibleAmountIn{target}": fixed(flexible), f"totalLockedIn{target}": fixed(locked)}
    return values


def bfusd_account(call: Call) -> dict[str, str]:
    return {"bfusdAmount": plain(_amount(call, "BFUSD")), "usdtProfit": "0", "bfusdProfit": "0"}


def rwusd_account(call: Call) -> dict[str, str]:
    return {"rwusdAmount": plain(_amount(call, "RWUSD")), "totalProfit": "0"}


def _amount(call: Call, asset: str) -> Decimal:
    return call.holdings.wallets.get(FLEXIBLE, {}).get(asset, Amounts()).total


# -- products --------------------------------------------------------------------------------------------------
def flexible_products(call: Call) -> dict[str, Any]:
    rows = [{"asset": asset, "latestAnnualPercentageRate": RATE, "tierAnnualPercentageRate": {},
             "airDropPercentageRate": "0", "canPurchase": True, "canRedeem": True, "isSoldOut": False, "hot": False,
             "minPurchaseAmount": "0.00000001", "productId": f"{asset}001", "subscriptionStartTime": 1_646_182_276_000,
             "status": "PURCHASING"} for asset in _assets(call)]
    return _pages(call, rows)


def locked_products(call: Call) -> dict[str, Any]:
    rows = [{"projectId": _project(asset),
             "detail": {"asset": asset, "rewardAsset": asset, "duration": LOCKED_DAYS, "renewable": True,
                        "isSoldOut": False, "apr": "0.0412", "status": "CREATED",
                        "subscriptionStartTime": 1_646_182_276_000, "extraRewardAsset": "", "extraRewardAPR": "0"},
             "quota": {"totalPersonalQuota": "1000000", "minimum": "0.001"}} for asset in _assets(call)]
    return _pages(call, rows)


def _assets(call: Call) -> list[str]:
    assets = {asset for pair in call.market.trading(call.now) for asset in (pair.base, pair.quote)}
    return [asset for asset in sorted(assets) if call.params.get("asset") in (None, "", asset)]


# -- histories -------------------------------------------------------------------------------------------------
def flexible_rewards(call: Call) -> dict[str, Any]:
    kind = call.params.get("type") or "ALL"
    rows = [{"asset": reward.asset, "rewards": fixed(reward.amount), "projectId": f"{reward.asset}001",
             "type": reward.kind, "time": reward.time} for reward in _rewards(call, "flexible")
            if kind in ("ALL", reward.kind)]
    return _pages(call, rows)


def locked_rewards(call: Call) -> dict[str, Any]:
    rows = [{"positionId": int.from_bytes(reward.asset.encode()[:5], "big"), "time": reward.time, "asset": reward.asset,
             "lockPeriod": str(LOCKED_DAYS), "amount": fixed(reward.amount), "type": "Locked Rewards"}
            for reward in _rewards(call, "locked")]
    return _pages(call, rows)


def _rewards(call: Call, product: str) -> list[Reward]:
    start, end = call.window(DAYS, TOO_LONG, including=True)
    return [reward for reward in call.state.ledger.of(Reward, call.account.name, start, min(end, call.seen))
            if reward.product == product and call.params.get("asset") in (None, "", reward.asset)]


def flexible_subscriptions(call: Call) -> dict[str, Any]:
    rows = [{"amount": fixed(move.amount), "asset": move.asset, "time": move.time, "purchaseId": move.number,
             "productId": f"{move.asset}001", "type": "NORMAL", **_source(move), "status": "SUCCESS"}
            for move in _moves(call, into=FLEXIBLE)]
    return _pages(call, rows)


def flexible_redemptions(call: Call) -> dict[str, Any]:
    rows = [{"amount": fixed(move.amount), "asset": move.asset, "time": move.time, "projectId": f"{move.asset}001",
             "redeemId": move.number, "destAccount": move.to_wallet.upper(), "status": "PAID"}
            for move in _moves(call, out_of=FLEXIBLE)]
    return _pages(call, rows)


def locked_subscriptions(call: Call) -> dict[str, Any]:
    rows = [{"positionId": int.from_bytes(move.asset.encode()[:5], "big"), "purchaseId": str(move.number),
             "projectId": _project(move.asset), "time": move.time, "asset": move.asset, "amount": fixed(move.amount),
             "lockPeriod": str(LOCKED_DAYS), "type": "NORMAL", **_source(move), "status": "SUCCESS"}
            for move in _moves(call, into=LOCKED)]
    return _pages(call, rows)


def locked_redemptions(call: Call) -> dict[str, Any]:
    rows = [{"positionId": int.from_bytes(move.asset.encode()[:5], "big"), "redeemId": move.number, "time": move.time,
             "asset": move.asset, "lockPeriod": str(LOCKED_DAYS), "amount": fixed(move.amount),
             "originalAmount": fixed(move.amount), "type": "MATURE", "deliverDate": move.time, "lossAmount": "0",
             "isComplete": True, "rewardAsset": move.asset, "rewardAmt": "0", "extraRewardAsset": "",
             "estExtraRewardAmt": "0", "status": "PAID"} for move in _moves(call, out_of=LOCKED)]
    return _pages(call, rows)


def _source(move: Transfer) -> dict[str, str]:
    amount, spot = fixed(move.amount), move.from_wallet == "spot"
    return {"sourceAccount": move.from_wallet.upper(), "amtFromSpot": amount if spot else "0",
            "amtFromFunding": "0" if spot else amount}


def _moves(call: Call, into: str = "", out_of: str = "") -> list[Transfer]:
    start, end = call.window(DAYS, TOO_LONG, including=True)
    return [move for move in call.state.ledger.of(Transfer, call.account.name, start, min(end, call.seen))
            if move.to_wallet == into or move.from_wallet == out_of
            if call.params.get("asset") in (None, "", move.asset)]
