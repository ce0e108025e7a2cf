"""The colours by name, light and dark, as LOOK.md measured them; how a page and its charts come by them.

Charts are drawn with the light colours as hex, which any viewer understands. A published page swaps each
hex for `var(--name, #hex)`, so that its charts follow light and dark without redrawing.
"""

from __future__ import annotations

import json
from typing import Any

LIGHT = {
    "bg": "#FFFFFF", "gap": "#EBEEF3", "grid": "#ECEEF2", "rule": "#DDE1E7", "faint": "#C3C9D2",
    "text": "#14181F", "muted": "#5A6270",
    "account": "#0B62B0", "benchmark": "#985300", "strategy": "#4A1D75",
    "positive": "#006F66", "negative": "#B5261E",
    "warning": "#6B5200", "warning-ground": "#FFF3C7", "error-ground": "#FCE9E6",
    "loss-3": "#E9A79C", "loss-2": "#F3CBC4", "loss-1": "#FAE6E2",    # cells of a sweep, with `text` on them
    "gain-1": "#E3F1EF", "gain-2": "#BFDFDB", "gain-3": "#8FC7C1", "gain-4": "#55A79F",
}
DARK = {
    "bg": "#12151A", "gap": "#232A33", "grid": "#222832", "rule": "#2E3540", "faint": "#4A5361",
    "text": "#E7EAEE", "muted": "#9BA4B1",
    "account": "#62B3FF", "benchmark": "#F0A24A", "strategy": "#E3CCFF",
    "positive": "#5FE3C0", "negative": "#FF7563",
    "warning": "#F2D65C", "warning-ground": "#322B0E", "error-ground": "#3A1B17",
    "loss-3": "#7A3229", "loss-2": "#542821", "loss-1": "#33211F",
    "gain-1": "#1A2B2A", "gain-2": "#1C3F3C", "gain-3": "#1F544F", "gain-4": "#236B63",
}
FONT = '-apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans Condensed", system-ui, sans-serif'
CHART_MIME = "application/vnd.vegalite.v5+json"    # JupyterLab 4.6 draws v5 keys only (STACK.md section 4)


def css_variables() -> str:
    """Both palettes as CSS: the system's choice, unless the page's switch says otherwise."""
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return (f":root{{color-scheme:light;{light}}}\n"
            f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
            f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n")


def follow_page(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` with the theme's colours as CSS variables. Only the svg renderer understands them."""
    text = json.dumps(spec, separators=(",", ":"))
    for name, colour in LIGHT.items():
        text = text.replace(f'"{colour}"', f'"var(--{name}, {colour})"')
    followed: dict[str, Any] = json.loads(text)
    return followed
