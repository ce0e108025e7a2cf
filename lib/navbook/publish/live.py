"""A page that is made anew while somebody looks at it: for live dashboards, which run in a kernel of Voila.

The browser asks for the next reading (a hidden `Play` widget counts there), not the kernel. So a kernel that nobody
looks at any more falls silent and is culled.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import ipywidgets  # type: ignore[import-untyped]

from navbook.publish import palette
from navbook.publish.markup import Html, join

TRIES, TRY_S = 30, 6.0    # a browser that has not come after minutes does not come; longer apart than a count takes
BEGINNING: set[asyncio.Task[None]] = set()    # asyncio itself forgets tasks that nobody keeps
TEMPLATE = Path(__file__).with_name("template")
OF_VOILA = ("body,.jp-Notebook,.jp-Cell,.jp-OutputArea,.jp-OutputArea-child,.jp-OutputArea-output,#rendered_cells"
            "{padding:0!important;margin:0!important;background:var(--bg)!important;overflow:visible!important}"
            ".widget-html,.widget-html-content,.jupyter-widgets{margin:0!important;overflow:visible!important;"
            "font:inherit!important;color:inherit!important;line-height:inherit!important}"
            ".jp-OutputPrompt,.jp-InputPrompt,.jp-MarkdownCell{display:none!important}")


def is_voila() -> bool:
    """Whether this kernel was started by Voila, for a page that anybody may look at."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila") or any(
        name.startswith("VOILA_") for name in os.environ)


def page(make: Callable[[], Html], every: timedelta) -> ipywidgets.Widget:
    """A widget that shows what `make` returns, and shows it again `every` so often as long as a browser is there."""
    shown = ipywidgets.HTML(value=str(make()))
    ticks = ipywidgets.Play(interval=int(every / timedelta(milliseconds=1)), max=2**30,
                            layout=ipywidgets.Layout(display="none"))

    def again(change: object) -> None:
        shown.value = str(make())

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


def layout(rows: Sequence[tuple[Sequence[Html], Sequence[Html]]], css: str = "") -> Html:
    """A page of `rows`: (main, aside) side by side, (all, ()) over the full width; with the pages' style.

    css  a further style sheet of the template folder
    """
    style = palette.css_variables() + f":root{{--font:{palette.FONT}}}" + "".join(
        (TEMPLATE / name).read_text(encoding="utf-8") for name in ("page.css", css) if name)
    style = style + OF_VOILA if is_voila() else _within(style)
    shown = (Html('<div class="full">{}</div>').format(join(main)) if not aside else
             Html('<div class="columns"><div>{}</div><div>{}</div></div>').format(join(main), join(aside))
             for main, aside in rows)
    return Html("<style>{}</style><main class=\"page\">{}</main>").format(Html(style), join(shown))


def _within(style: str) -> str:
    """The same for this page alone: in JupyterLab it stands among others."""
    own = re.sub(r":root|(?<![\w.-])body(?=\{)|\.page(?=\{)", ":scope", style)
    return f"@scope (main.page){{{own}}}"
