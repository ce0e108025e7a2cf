"""Buttons for a trader, for JupyterLab: each runs the `navbook trade` command that it names, and shows what that said.

A running trader does what is asked of it with its own key. Where none runs, the command needs one: `unlock` asks for
the vault's secret, which stays in this kernel's memory. Under Voila there are no buttons at all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from navbook import vault
from navbook.publish import live
from navbook.publish.markup import Html
from navbook.runner import trading_view
from navbook.settings import Settings
from navbook.trader import plans
from navbook.trader.plans import Plan

NONE = Html("<p>There are no buttons here: this page runs under Voila, where looking must never trade. Open "
            "<code>notebooks/trade.ipynb</code> in JupyterLab (<code>navbook lab</code>).</p>")
ANSWER_S = 90.0    # how long a command may take
LOOK_S = 0.1
STARTED: dict[str, subprocess.Popen[bytes]] = {}    # by account: kept, so that one that ends leaves nothing behind
WIDE, NARROW = ipywidgets.Layout(width="170px"), ipywidgets.Layout(width="110px")


def unlock(config: Settings) -> None:
    """Ask for the vault's secret, unseen, where keys are in the vault and nobody gave it yet; it is not stored."""
    if not live.is_voila() and vault.kept(config) and not vault.is_open():
        os.environ[vault.SECRET] = getpass(f"{vault.SECRET}, to trade without a running trader (Enter: not now): ")


def panel(config: Settings, account: str = "") -> Any:
    """Start and stop; for each position open, close, other levels, price; below, what the last command said.

    account  whose positions; none: of every account that has some. Raises `SettingsInvalid`.
    """
    if live.is_voila():
        return NONE
    positions = [plan for plan in plans.plans(config) if account in ("", plan.account)]
    if not positions:
        return trading_view.shown(config, account)
    said = ipywidgets.Textarea(value="What a command said stands here.", disabled=True,
                               layout=ipywidgets.Layout(width="100%", height="110px"))
    do = _does(config, said)
    accounts = dict.fromkeys(plan.account for plan in positions)
    rows = [_trader_row(config, each, do, said) for each in accounts] + [_position_row(config, plan, do, said)
                                                                        for plan in positions]
    return ipywidgets.VBox([*rows, said])


Do = Callable[..., None]


def _does(config: Settings, said: Any) -> Do:
    """What runs `navbook trade …` and shows its words."""
    def do(*arguments: str) -> None:
        said.value = f"navbook trade {' '.join(arguments)} …"
        said.value = command(config, *arguments)

    return do


def command(config: Settings, *arguments: str) -> str:
    """What `navbook trade …` says, good or bad, and when."""
    try:
        done = subprocess.run(_words(config, *arguments), capture_output=True, text=True, timeout=ANSWER_S, check=False,
                              cwd=config.base, stdin=subprocess.DEVNULL)
        words = (done.stdout + done.stderr).strip()
    except subprocess.TimeoutExpired:
        words = f"No answer within {ANSWER_S:.0f} s; navbook trade status shows how the trader is."
    return f"{datetime.now(UTC):%H:%M:%S} UTC  navbook trade {' '.join(arguments)}\n{words}"


def start(config: Settings, account: str) -> str:
    """Start a trader that goes on when this notebook is closed; what it says goes into a log beside the runs."""
    log = config.runs_folder / f"trader-{account}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    before = log.stat().st_size if log.exists() else 0
    if account in STARTED:
        STARTED[account].poll()
    with log.open("a", encoding="utf-8") as words:
        STARTED[account] = process = subprocess.Popen(
            _words(config, "start", "--account", account), stdout=words, stderr=words, stdin=subprocess.DEVNULL,
            cwd=config.base, start_new_session=True)
    until, said = time.monotonic() + ANSWER_S, ""
    while process.poll() is None and "Trading " not in said and time.monotonic() < until:
        time.sleep(LOOK_S)
        said = _since(log, before)
    if process.poll() is not None:
        return f"The trader of {account} did not start: {(_since(log, before) or 'it said nothing').splitlines()[-1]}"
    return f"The trader of {account} runs (process {process.pid}); it writes to {log}."


def _words(config: Settings, *arguments: str) -> list[str]:
    place = ["--config", str(config.file)] if config.file else []
    return [sys.executable, "-m", "navbook.cli", "trade", *arguments, *place]


def _since(log: Path, start: int) -> str:
    with log.open(encoding="utf-8") as words:
        words.seek(start)
        return words.read().strip()


def _trader_row(config: Settings, account: str, do: Do, said: Any) -> Any:
    def begin() -> None:
        said.value = start(config, account)

    return ipywidgets.HBox([
        ipywidgets.Label(f"Trader of {account}", layout=WIDE), _button("Start", begin),
        _button("Stop", lambda: do("stop", "--account", account)),
        _button("Status", lambda: do("status", "--account", account))])


def _position_row(config: Settings, plan: Plan, do: Do, said: Any) -> Any:
    profit, stop = (ipywidgets.FloatText(value=float(value), description=name, layout=WIDE,
                                         style={"description_width": "60px"})
                    for name, value in (("TP USDT", plan.rules.tp_usdt), ("SL USDT", plan.rules.sl_usdt)))
    sure = ipywidgets.Checkbox(value=False, description="sure", indent=False, layout=ipywidgets.Layout(width="60px"))

    def close() -> None:
        if sure.value:
            sure.value = False
            do("close", plan.name)
        else:
            said.value = "Nothing was closed: tick the box beside the button first."

    def edit() -> None:
        do("edit", plan.name, "--tp", str(profit.value), "--sl", str(stop.value))

    def price() -> None:
        said.value = trading_view.price(config, plan)

    return ipywidgets.HBox([
        ipywidgets.Label(f"{plan.name}: {plan.symbol} {plan.side}", layout=WIDE),
        _button("Open", lambda: do("open", plan.name)), _button("Close", close), sure, profit, stop,
        _button("Set TP/SL", edit), _button("Price", price)])


def _button(words: str, act: Callable[[], None]) -> Any:
    button = ipywidgets.Button(description=words, layout=NARROW)
    button.on_click(lambda _: act())
    return button
