"""`/sapi`: rights, state of the account, and what each wallet holds. Source: BINANCE.md sections 5.1 and 5.2."""

from __future__ import annotations

from typing import Any

from .accounts import Account
from .errors import WireError, invalid_symbol
from .ledger import Amounts, Holdings, opened_futures, opened_margin
from .money import ZERO, fixed, plain
from .valuation import converted, held, usdt_price, wallet_value
from .wire import Call

# Binance's names for its wallets, with the wallets of ours that they show (BINANCE.md section 5.2).
WALLET_NAMES: dict[str, tuple[str, ...]] = {
    "Spot": ("spot",), "Funding": ("funding",), "Cross Margin": ("margin",), "Isolated Margin": ("isolated_margin",),
    "USDⓈ-M Futures": ("futures",), "COIN-M Futures": ("coin_futures",), "Earn": ("earn_flexible", "earn_locked"),
    "Options": (), "Trading Bots": (), "Copy Trading": (),
}
ALWAYS_ACTIVE = ("Spot", "Funding")
ASSET_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDT": "TetherUS", "USDC": "USD Coin", "SOL": "Solana"}
NOT_UNIFIED = WireError(-21001, "Request ID is not a Portfolio Margin Account.")


# -- rights ----------------------------------------------------------------------------------------------------
def api_restrictions(call: Call) -> dict[str, Any]:
    return {**call.account.permissions, "createTime": call.account.created}


def account_info(call: Call) -> dict[str, Any]:
    """Which products the account has opened; agrees with what they answer."""
    return {"vipLevel": 0, "isMarginEnabled": opened_margin(call.account, call.holdings),
            "isFutureEnabled": opened_futures(call.account, call.holdings), "isOptionsEnabled": False,
            "isPortfolioMarginRetailEnabled": call.account.permissions["enablePortfolioMarginTrading"]}


def account_status(call: Call) -> dict[str, Any]:
    return {"data": "Normal"}


def trading_status(call: Call) -> dict[str, Any]:
    return {"data": {"isLocked": False, "plannedRecoverTime": 0,
                     "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300}, "updateTime": call.account.created}}


def system_status(call: Call) -> dict[str, Any]:
    return {"status": 0, "msg": "normal"}


def portfolio_account(call: Call) -> dict[str, Any]:
    """A unified account's equity; a key without enablePortfolioMarginTrading belongs to no such account."""
    if not call.account.permissions["enablePortfolioMarginTrading"]:
        raise NOT_UNIFIED
    equity = sum((wallet_value(call.market, call.holdings, wallet, "USDT", call.seen)
                  for wallet in ("margin", "futures", "coin_futures")), ZERO)
    return {"uniMMR": "99999999", "accountEquity": fixed(equity), "actualEquity": fixed(equity),
            "accountInitialMargin": "0", "accountMaintMargin": "0", "accountStatus": "NORMAL",
            "virtualMaxWithdrawAmount": fixed(max(equity, ZERO)), "totalAvailableBalance": "",
            "totalMarginOpenLoss": "", "updateTime": call.now, "accountType": "PM_1"}


def not_unified(call: Call) -> None:
    """What belongs to unified accounts alone."""
    raise NOT_UNIFIED


def delist_schedule(call: Call) -> list[Any]:
    return []


def trade_fee(call: Call) -> list[dict[str, str]]:
    asked = call.params.get("symbol")
    return [{"symbol": pair.symbol, "makerCommission": "0.001", "takerCommission": "0.001"}
            for pair in call.market.listed(call.now) if asked in (None, "", pair.symbol)]


def asset_detail(call: Call) -> dict[str, Any]:
    """`withdrawFee` is a number."""
    assets = {asset for pair in call.market.listed(call.now) for asset in (pair.base, pair.quote)}
    return {asset: {"minWithdrawAmount": "0.001", "depositStatus": True, "withdrawFee": 0.0001, "withdrawStatus": True}
            for asset in sorted(assets) if call.params.get("asset") in (None, "", asset)}


def dust_assets(call: Call) -> dict[str, Any]:
    """Nothing here is small enough."""
    return {"details": [], "totalTransferBtc": "0", "totalTransferBNB": "0", "dribbletPercentage": "0.02"}


def bnb_burn(call: Call) -> dict[str, bool]:
    return {"spotBNBBurn": False, "interestBNBBurn": False}


# -- wallets ---------------------------------------------------------------------------------------------------
def wallet_balance(call: Call) -> list[dict[str, Any]]:
    """What each wallet is worth in `quoteAsset`, BTC unless asked otherwise."""
    target = call.params.get("quoteAsset") or "BTC"
    if usdt_price(call.market, target, call.now) is None:
        raise invalid_symbol()
    detailed = call.flag("needBalanceDetail")
    return [_wallet(call, name, wallets, target, detailed) for name, wallets in WALLET_NAMES.items()]


def _wallet(call: Call, name: str, wallets: tuple[str, ...], target: str, detailed: bool) -> dict[str, Any]:
    values = [wallet_value(call.market, call.holdings, wallet, target, call.seen) for wallet in wallets]
    active = _active(name, wallets, call.account, call.holdings)
    row: dict[str, Any] = {"activate": active, "balance": plain(sum(values, ZERO)), "walletName": name}
    if detailed:
        row["assetBalances"] = [_asset_balance(call, asset, amounts) for wallet in wallets
                                for asset, amounts in sorted(held(call.holdings, wallet).items())]
    return row


def _active(name: str, wallets: tuple[str, ...], account: Account, holdings: Holdings) -> bool:
    """Whether a wallet was ever opened; says the same as account/info."""
    if name in ("USDⓈ-M Futures", "COIN-M Futures"):
        return opened_futures(account, holdings)
    if name == "Cross Margin":
        return opened_margin(account, holdings)
    return name in ALWAYS_ACTIVE or bool(set(wallets) & set(holdings.wallets))


def _asset_balance(call: Call, asset: str, amounts: Amounts) -> dict[str, Any]:
    row = _amounts(call, asset, amounts, valued=True)
    return {"asset": asset, "assetName": ASSET_NAMES.get(asset, asset), **{key: row[key] for key in list(row)[1:]}}


def _amounts(call: Call, asset: str, amounts: Amounts, valued: bool) -> dict[str, str]:
    worth = converted(call.market, asset, amounts.total, "BTC", call.seen) if valued else ZERO
    return {"asset": asset, "free": plain(amounts.free), "locked": plain(amounts.locked), "freeze": "0",
            "withdrawing": plain(amounts.withdrawing), "btcValuation": fixed(worth) if valued else "0"}


def funding_asset(call: Call) -> list[dict[str, str]]:
    return _positive_assets(call, "funding")


def user_asset(call: Call) -> list[dict[str, str]]:
    """Spot assets above zero, with what is being withdrawn, which /api/v3/account does not tell."""
    rows = _positive_assets(call, "spot")
    return [{**row, "ipoable": "0", "btcValuation": row.pop("btcValuation")} for row in rows]


def _positive_assets(call: Call, wallet: str) -> list[dict[str, str]]:
    asked, valued = call.params.get("asset"), call.flag("needBtcValuation")
    return [_amounts(call, asset, amounts, valued) for asset, amounts in sorted(held(call.holdings, wallet).items())
            if asked in (None, "", asset)]
