"""How everything looks: colours by name, light and dark, and the Altair theme. LOOK.md has the numbers.

Charts are drawn with the light colours as hex, which any viewer understands. A published page swaps each
hex for `var(--name, #hex)` (`follow_page`), so that its charts follow light and dark without redrawing.
"""

from __future__ import annotations

import json
from typing import Any

import altair as alt

LIGHT = {
    "bg": "#FFFFFF", "gap": "#EBEEF3", "grid": "#ECEEF2", "rule": "#DDE1E7", "faint": "#C3C9D2",
    "text": "#14181F", "muted": "#5A6270",
    "account": "#0B62B0", "benchmark": "#985300", "strategy": "#4A1D75",
    "positive": "#006F66", "negative": "#B5261E",
    "warning": "#6B5200", "warning-ground": "#FFF3C7", "error-ground": "#FCE9E6",
}
DARK = {
    "bg": "#12151A", "gap": "#232A33", "grid": "#222832", "rule": "#2E3540", "faint": "#4A5361",
    "text": "#E7EAEE", "muted": "#9BA4B1",
    "account": "#62B3FF", "benchmark": "#F0A24A", "strategy": "#E3CCFF",
    "positive": "#5FE3C0", "negative": "#FF7563",
    "warning": "#F2D65C", "warning-ground": "#322B0E", "error-ground": "#3A1B17",
}
SERIES_COLOURS = {name: LIGHT[name] for name in ("account", "benchmark", "strategy")}
FONT = ('-apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans Condensed", system-ui, sans-serif')
CHART_MIME = "application/vnd.vegalite.v5+json"    # JupyterLab 4.6 draws v5 keys only (STACK.md section 4)


def enable() -> None:
    """Use navbook's theme and renderer for the charts of this notebook."""
    alt.theme.enable("navbook")
    alt.renderers.enable("navbook")


@alt.theme.register("navbook", enable=False)    # importing changes nothing
def navbook_theme() -> alt.theme.ThemeConfig:
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


def follow_page(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` with the theme's colours as CSS variables. Only the svg renderer understands them."""
    text = json.dumps(spec, separators=(",", ":"))
    for name, colour in LIGHT.items():
        text = text.replace(f'"{colour}"', f'"var(--{name}, {colour})"')
    followed: dict[str, Any] = json.loads(text)
    return followed


def css_variables() -> str:
    """Both palettes as CSS: the system's choice, unless the page's switch says otherwise."""
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return (f":root{{color-scheme:light;{light}}}\n"
            f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
            f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n")
