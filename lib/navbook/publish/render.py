"""An executed notebook as one HTML file that needs nothing else: no server, no network, no kernel.

A dashboard (metadata.navbook.page = "dashboard", no failed cell) becomes a page: the outputs of the cells
tagged `full`, `main` and `aside` in its grid, no code. Every other notebook becomes a plain account of the
run: prose, code, outputs; the failing cell first. The page carries its charts' library only when it has
charts, forbids itself any request by a Content-Security-Policy, and names the notebook that it was made
from by its hash, so that the server can tell a page from an older one (stamp.py).
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import vl_convert
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters import ansi2html, markdown2html

from navbook.publish import palette, periods, stamp
from navbook.publish.markup import Html, join

TEMPLATE = Path(__file__).with_name("template")
BUNDLES = Path(__file__).with_name("__pycache__")
FIRST_SCRIPT = ("try{const theme=localStorage.getItem('theme');if(theme==='dark'||theme==='light')"
                "document.documentElement.dataset.theme=theme}catch{}")    # before anything is painted
AREAS = ("full", "main", "aside")
Cell = Any    # nbformat.NotebookNode


@dataclass
class Row:
    """Cells of a dashboard that stand side by side, or one stretch over the full width."""

    full: list[str] = field(default_factory=list)
    main: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)


@dataclass
class Shown:
    """A cell in the plain account of a run."""

    number: int
    failed: bool
    prose: str
    code: str
    outputs: list[str]


@dataclass
class Page:
    """What the template needs."""

    title: str
    source: str
    problem: str | None
    css: str
    first_script: str
    policy: str = ""
    failed_cell: int | None = None
    every_s: float | None = None    # a live page asks again so often
    rows: list[Row] = field(default_factory=list)
    cells: list[Shown] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)


def page(notebook: Path, problem: str | None = None, failed_cell: int | None = None) -> str:
    """The page of an executed notebook. `problem` is a sentence on what went wrong, shown above a plain account.

    failed_cell  the position of the cell to show first, where its outputs do not tell, as after a killed kernel
    """
    content = notebook.read_bytes()
    executed = nbformat.reads(content.decode("utf-8"), as_version=4)    # type: ignore[no-untyped-call]
    made = _page(_title(executed, notebook), stamp.of(content), problem)
    made.failed_cell = failed_cell
    return _html(executed, made)


def live(executed: Cell, name: str, every_s: float) -> str:
    """The page of a dashboard that was just executed and is kept nowhere; it asks its server again."""
    made = _page(_title(executed, Path(name)), "", None)
    made.every_s = every_s
    made.css += _template(f"{name}.css") if (TEMPLATE / f"{name}.css").exists() else ""
    return _html(executed, made)


def _page(title: str, source: str, problem: str | None) -> Page:
    return Page(title=title, source=source, problem=problem, first_script=FIRST_SCRIPT,
                css=palette.css_variables() + f":root{{--font:{palette.FONT}}}" + _template("page.css"))


def _html(executed: Cell, made: Page) -> str:
    is_dashboard = executed.metadata.get("navbook", {}).get("page") in ("dashboard", "live")
    if is_dashboard and not made.problem and not _failed(executed):
        made.rows = _rows(executed)
    else:
        made.cells = _account_of_run(executed, made.failed_cell)
    charts = any(palette.CHART_MIME in output.get("data", {}) for cell in executed.cells
                 for output in cell.get("outputs", []))
    ours = "".join(_template(name) for name in ("page.js", "periods.js", "log.js", "live.js"))
    made.scripts = [*([_vega()] if charts else []), f"(()=>{{{ours}}})();"]
    made.policy = _policy([made.first_script, *made.scripts]) + ("; connect-src 'self'" if made.every_s else "")
    body, _ = _exporter().from_notebook_node(executed, resources={"navbook": made})
    return str(body)


def _rows(executed: Cell) -> list[Row]:
    """The grid: stretches of full-width cells, and of main cells with the asides that follow them."""
    rows: list[Row] = []
    for cell in executed.cells:
        area = next((tag for tag in cell.metadata.get("tags", []) if tag in AREAS), None)
        shown = [] if area is None else [_output(output) for output in cell.get("outputs", [])]
        if area is None or not any(shown):
            continue
        last = rows[-1] if rows else None
        is_full = area == "full"
        if last is None or bool(last.full) is not is_full or (area == "main" and last.aside):
            rows.append(last := Row())
        getattr(last, area).extend(shown)
    return rows


def _account_of_run(executed: Cell, failed_cell: int | None) -> list[Shown]:
    known = any(_cell_failed(cell) for cell in executed.cells)
    cells = [Shown(number, failed=_cell_failed(cell) if known else number == failed_cell,
                   prose=markdown2html(cell.source) if cell.cell_type == "markdown" else "",
                   code=cell.source if cell.cell_type == "code" else "",
                   outputs=[_output(output) for output in cell.get("outputs", [])])
             for number, cell in enumerate(executed.cells)
             if not any(tag.startswith("papermill-error") for tag in cell.metadata.get("tags", []))]
    return sorted(cells, key=lambda cell: not cell.failed)    # stable: the rest stays in order


def _output(output: Cell) -> str:
    """One output as HTML. What a program printed is text; HTML is what our own functions or a frame made."""
    if output.output_type == "stream":
        return _printed(output.text)
    if output.output_type == "error":
        lines = output.get("traceback") or [f"{output.ename}: {output.evalue}"]
        return _printed("\n".join(lines))
    data = output.get("data", {})
    if palette.CHART_MIME in data:
        specs = periods.variants(data)
        return "".join(_chart(spec) if not name else periods.shown(name, Html(_chart(spec, name)))
                       for name, spec in specs.items())
    if "text/html" in data:
        return str(data["text/html"])
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{data["image/png"].strip()}">'
    return str(Html("<pre>{}</pre>").format(data["text/plain"])) if data.get("text/plain") else ""


def _printed(text: str) -> str:
    """Escaped, with the terminal's colours."""
    return f"<pre>{ansi2html(text)}</pre>"    # type: ignore[no-untyped-call]


def _chart(spec: dict[str, Any], period: str = "") -> str:
    """A figure whose heading and note are text of the page; the script draws the rest.

    Our own charts come compiled to Vega: the browser is spared a third of its work. The one of all time also comes as
    it was written, without its rows: a custom period is cut from it (template/periods.js).
    """
    about = spec.get("usermeta", {}).get("navbook", {})
    if about.get("empty"):
        return ""
    drawn = palette.follow_page({key: value for key, value in spec.items() if key != "title" or not about})
    height = sum((spec.get("height", 0), *(about["padding"]["wide"][side] for side in ("top", "bottom")))
                 ) if about else 0
    scripts = [_json(vl_convert.vegalite_to_vega(drawn) if about else drawn)]
    if period == "inception":
        heads = {name: rows.split("\n", 1)[0] if isinstance(rows, str) else rows
                 for name, rows in drawn["datasets"].items()}
        scripts.append(_json({**drawn, "datasets": heads}))
    return Html('<figure><h2>{}</h2><p class="note">{}</p><div class="chart" role="img" aria-label="{}" '
                'style="min-height:{}px"></div>{}</figure>').format(
        Html(about.get("heading", "")), Html(about.get("note", "")), about.get("label", "Chart"), height, join(scripts))


def _json(spec: dict[str, Any]) -> Html:
    text = json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c")
    return Html('<script type="application/json">{}</script>').format(Html(text))


def warm_up() -> None:
    """Start what compiles charts: half a second that another thread can take while nothing is to be drawn yet."""
    vl_convert.vegalite_to_vega({"mark": "point"})


def _failed(executed: Cell) -> bool:
    return any(_cell_failed(cell) for cell in executed.cells)


def _cell_failed(cell: Cell) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _title(executed: Cell, notebook: Path) -> str:
    papermill = executed.metadata.get("papermill", {})
    named = executed.metadata.get("navbook", {}).get("title") or Path(papermill.get("input_path") or notebook).stem
    given = papermill.get("parameters", {})
    about = given.get("name") or given.get("account", "all")
    if about == "all" or executed.metadata.get("navbook", {}).get("anonymous"):
        return f"navbook {named}"
    return f"navbook {named}: {about}"


def _policy(scripts: list[str]) -> str:
    """No request to anywhere, and no script but ours. Vega turns expressions into functions: unsafe-eval."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
            f"script-src 'unsafe-eval' {hashes}")


@cache
def _vega() -> str:
    """The library that draws charts, 0.9 MB; in a function, because it leaks short global names."""
    return "(()=>{" + _bundle().replace("</script", "<\\/script") + "})();"


def _bundle() -> str:
    """What vl-convert takes two seconds to put together: kept for its version, where Python keeps its own."""
    kept = BUNDLES / f"vega-{version('vl-convert-python')}.js"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle()    # type: ignore[call-arg]
    with suppress(OSError):    # an installation that nobody may write to makes it each time
        kept.parent.mkdir(exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_text(bundle, encoding="utf-8")
        beside.replace(kept)    # two processes that write at once leave a whole file
    return bundle


@cache
def _template(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")


@cache
def _exporter() -> TemplateExporter:
    return TemplateExporter(    # type: ignore[no-untyped-call]
        template_name=TEMPLATE.name, extra_template_basedirs=[str(TEMPLATE.parent)],
        template_file=str(TEMPLATE / "index.html.j2"))
