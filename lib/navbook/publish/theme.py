"""How every chart looks; charts.py decides only what they show. LOOK.md has the numbers."""

from __future__ import annotations

from typing import Any

import altair as alt

from navbook.publish.palette import CHART_MIME, FONT, LIGHT


def enable() -> None:
    """Use navbook's theme and renderer for the charts of this notebook."""
    alt.theme.enable("navbook")
    alt.renderers.enable("navbook")


@alt.theme.register("navbook", enable=False)    # importing changes nothing
def navbook_theme() -> alt.theme.ThemeConfig:
    """How every chart looks, as Vega's configuration."""
    return {"config": {
        "font": FONT,
        "background": LIGHT["bg"],
        "aria": False,    # the page puts one sentence on the whole chart instead of a label on each mark
        "view": {"stroke": None},
        "axis": {"grid": False, "ticks": False, "domainColor": LIGHT["rule"], "gridColor": LIGHT["grid"],
                 "labelColor": LIGHT["muted"], "labelFontSize": 12, "labelPadding": 8, "title": None},
        "title": {"color": LIGHT["text"], "subtitleColor": LIGHT["muted"], "anchor": "start", "frame": "group",
                  "fontSize": 15, "fontWeight": "bold", "subtitleFontSize": 12, "offset": 20},
        "line": {"strokeWidth": 1.5, "strokeJoin": "round"},
        "text": {"fontSize": 12, "color": LIGHT["text"]},
    }}


def render(spec: dict[str, Any], **_: object) -> dict[str, Any]:
    """The renderer: the specification itself, which works offline and in notebooks nobody has trusted."""
    label = spec.get("usermeta", {}).get("navbook", {}).get("label", "A chart.")
    return {CHART_MIME: spec, "text/plain": label}


alt.renderers.register("navbook", render)
