"""The trading page as a whole."""

from __future__ import annotations

from datetime import timedelta

from navbook.publish import live, trading_charts, trading_tables, trading_words
from navbook.publish.markup import Html
from navbook.publish.trading import Look

STYLE = "trading.css"


def page(look: Look, every: timedelta) -> Html:
    """Everything that `look` shows; the page is made again `every` so often."""
    return live.layout((
        ((trading_words.header(look, every), trading_words.banners(look), trading_words.verdict(look),
          trading_words.key_figures(look)), ()),
        ((trading_charts.positions(look),),
         (trading_tables.waiting(look), trading_tables.orders(look), trading_tables.rules(look))),
        ((trading_tables.history(look), trading_tables.footer(look)), ())), STYLE)


def unconfigured(environment: str, missing: str) -> Html:
    """How to begin, where there is nothing to show yet."""
    return live.layout(((((trading_words.unconfigured(environment, missing)),), ()),), STYLE)
