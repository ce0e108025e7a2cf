"""A page that is made anew while somebody looks at it in JupyterLab.

The browser asks for the next reading (a hidden `Play` widget counts there), not the kernel: when nobody looks any
more, nothing is asked of the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import ipywidgets  # type: ignore[import-untyped]

from navbook.publish import palette
from navbook.publish.markup import Html

TRIES, TRY_S = 30, 6.0    # a browser that has not come after minutes does not come; longer apart than a count takes
BEGINNING: set[asyncio.Task[None]] = set()    # asyncio itself forgets tasks that nobody keeps
TEMPLATE = Path(__file__).with_name("template")
FRAME = Html('<iframe title="{}" sandbox srcdoc="{}" style="width:100%;height:1000px;border:0"></iframe>')


def page(make: Callable[[], Html], every: timedelta, css: str) -> ipywidgets.Widget:
    """A widget that shows what `make` returns, and shows it again `every` so often as long as a browser is there.

    css  the style sheet of the template folder that the page has beside that of all pages
    """
    shown = ipywidgets.HTML(value=_framed(make(), css))
    ticks = ipywidgets.Play(interval=int(every / timedelta(milliseconds=1)), max=2**30,
                            layout=ipywidgets.Layout(display="none"))

    def again(change: object) -> None:
        shown.value = _framed(make(), css)

    ticks.observe(again, "value")
    _begin(ticks)
    return ipywidgets.VBox([shown, ticks])


def _begin(ticks: ipywidgets.Play) -> None:
    """Let the browser count. It begins when it sees `playing` become true, so that is done until a count comes."""
    async def until_it_counts() -> None:
        for _ in range(TRIES):
            if ticks.value:
                return
            ticks.playing = False
            ticks.playing = True
            await asyncio.sleep(TRY_S)

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:    # no kernel: nobody looks
        return
    BEGINNING.add(task := loop.create_task(until_it_counts()))
    task.add_done_callback(BEGINNING.discard)


def _framed(shown: Html, css: str) -> str:
    """In a frame of its own: neither our styles nor what is shown can touch JupyterLab."""
    style = palette.css_variables() + f":root{{--font:{palette.FONT}}}" + "".join(
        (TEMPLATE / name).read_text(encoding="utf-8") for name in ("page.css", css))
    page = Html('<!doctype html><meta charset="utf-8"><style>{}</style><main class="page">{}</main>').format(
        Html(style), shown)
    return str(FRAME.format("Trading", str(page)))
