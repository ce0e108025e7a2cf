"""The trading page as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from navbook.publish import trading_charts, trading_tables, trading_words
from navbook.publish.markup import Html, join
from navbook.publish.trading import Look


def page(look: Look, every: timedelta) -> Html:
    """Everything that `look` shows; the page is made again `every` so often."""
    return _rows((
        ((trading_words.header(look, every), trading_words.banners(look), trading_words.verdict(look),
          trading_words.key_figures(look)), ()),
        ((trading_charts.positions(look),),
         (trading_tables.waiting(look), trading_tables.orders(look), trading_tables.rules(look))),
        ((trading_tables.history(look), trading_tables.footer(look)), ())))


def unconfigured(environment: str, missing: str) -> Html:
    """How to begin, where there is nothing to show yet."""
    return trading_words.unconfigured(environment, missing)


def _rows(rows: Sequence[tuple[Sequence[Html], Sequence[Html]]]) -> Html:
    """(main, aside) side by side, (all, ()) over the full width."""
    return join(join(main) if not aside else
                Html('<div class="columns"><div>{}</div><div>{}</div></div>').format(join(main), join(aside))
                for main, aside in rows)
