"""The positions of navbook.toml: `[trade.NAME]`, each a leg of a symbol with the rules of `BracketRules`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from navbook.compute.brackets import RULE_NAMES, BracketRules
from navbook.errors import BracketInvalid, SettingsInvalid
from navbook.exchange.contracts import Contract
from navbook.settings import Settings
from navbook.types import Side

FROM_THE_HOST = {"step_size", "tick_size", "wallet_usdt", "brackets"}    # not the user's to say
OWN = {"account", "symbol"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
LEAST_USDT = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One position: its leg, and how it is opened, protected and reopened."""

    name: str
    account: str
    symbol: str
    rules: BracketRules

    @property
    def side(self) -> Side:
        return self.rules.side

    @property
    def leg(self) -> tuple[str, Side]:
        return self.symbol, self.side

    def on(self, contract: Contract) -> BracketRules:
        """The rules with the steps, ticks and brackets of the host."""
        return replace(self.rules, step_size=float(contract.step), tick_size=float(contract.tick),
                       brackets=contract.brackets or None)


def plans(config: Settings) -> list[Plan]:
    """Every position of the settings. Raises `SettingsInvalid` naming the one at fault."""
    found = [_plan(config, name, section) for name, section in config.trade.items()]
    for index, plan in enumerate(found):
        for other in found[:index]:
            _check_together(plan, other)
    return found


def of_account(config: Settings, account: str) -> list[Plan]:
    """The positions of one account. Raises `SettingsInvalid`."""
    return [plan for plan in plans(config) if plan.account == account]


def account_of(config: Settings, account: str | None) -> str:
    """The account to trade with: the one named, else the only one that has positions. Raises `SettingsInvalid`."""
    if account is not None:
        return config.names(account)[0]
    traded = list(dict.fromkeys(plan.account for plan in plans(config)))
    if not traded:
        raise SettingsInvalid("No position is configured: add a section such as [trade.btc_long] with account, symbol "
                              "and side to navbook.toml.")
    if len(traded) > 1:
        raise SettingsInvalid(f"Positions are configured for {', '.join(traded)}: say which, with --account NAME.")
    return traded[0]


def named(config: Settings, name: str) -> Plan:
    """Raises `SettingsInvalid` where no position has that name."""
    every = plans(config)
    for plan in every:
        if plan.name == name:
            return plan
    known = ", ".join(plan.name for plan in every) or "none"
    raise SettingsInvalid(f"No position {name} is configured; there are {known}.")


def _plan(config: Settings, name: str, section: Mapping[str, Any]) -> Plan:
    def wrong(reason: str) -> SettingsInvalid:
        return SettingsInvalid(f"[trade.{name}] cannot be used: {reason.rstrip('.')}.")

    if not NAME.fullmatch(name):
        raise wrong("its name is 1 to 40 letters, digits, - or _")
    if unknown := section.keys() - (set(RULE_NAMES) - FROM_THE_HOST) - OWN:
        raise wrong(f"{min(unknown)} is not one of its settings")
    account, symbol = section.get("account"), section.get("symbol")
    if not isinstance(account, str) or account not in config.accounts:
        raise wrong(f"account = {account!r} is none of {', '.join(config.accounts) or 'the accounts'}")
    if not isinstance(symbol, str) or not re.fullmatch(r"[A-Z0-9]{5,20}", symbol):
        raise wrong(f"symbol = {symbol!r} is no symbol such as BTCUSDT")
    try:
        rules = BracketRules(**{key: value for key, value in section.items() if key not in OWN})
    except (BracketInvalid, TypeError) as problem:
        raise wrong(str(problem)) from None
    if rules.leverage != int(rules.leverage):
        raise wrong(f"leverage = {rules.leverage} must be a whole number, as the exchange takes no other")
    if rules.amount_usdt < LEAST_USDT:
        raise wrong(f"amount_usdt = {rules.amount_usdt} is less than {LEAST_USDT} USDT")
    return Plan(name=name, account=account, symbol=symbol, rules=rules)


def _check_together(plan: Plan, other: Plan) -> None:
    if (plan.account, plan.symbol) != (other.account, other.symbol):
        return
    both = f"[trade.{other.name}] and [trade.{plan.name}]"
    if plan.side is other.side:
        raise SettingsInvalid(f"{both} are the same leg, {plan.symbol} {plan.side} of {plan.account}; it can hold one.")
    for key in ("leverage", "margin_type"):
        if getattr(plan.rules, key) != getattr(other.rules, key):
            raise SettingsInvalid(f"{both} name two values of {key}; both sides of {plan.symbol} share one.")
