"""The operations page, the log and the index: states in words, and nothing that is not known is told as well."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from navbook import schemas
from navbook.publish import log, operations, operations_charts, render, theme
from navbook.publish.operations import Age, Want
from navbook.runner import logs, overview
from test_publish_charts import spec_of
from test_publish_frames import executed, stored, world, written
from test_publish_render import HOSTILE, Outline

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def slots(*fates: tuple[str, str | None]) -> pl.DataFrame:
    """A slot an hour, the last one at NOW."""
    rows = [("collect", NOW - (len(fates) - 1 - n) * HOUR, fate, reason, None) for n, (fate, reason) in enumerate(fates)]
    return pl.DataFrame(rows, schema={name: dtype for name, dtype in schemas.SLOTS.columns.items() if name != "seen_at"}, orient="row")


def runs(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    """Job, status, reason; an hour apart, each took ten seconds."""
    return schemas.RUNS.rows([
        (f"2026-06-10T{n:02}0000Z_all_{n:08x}", job, "all", NOW + n * HOUR, NOW + n * HOUR + timedelta(seconds=10), status,
         reason, NOW + n * HOUR) for n, (job, status, reason) in enumerate(rows)])


def test_counts_of_slots_add_up():
    said = operations.slot_counts(slots(*[("ran", None)] * 20, ("caught_up", "asleep"), ("skipped", "off"),
                                        ("failed", "HTTP 503")))
    assert said.startswith("Of 23 slots since 9 Jun, 20 ran on time")
    assert "1 were caught up, 1 missed for good, 1 failed." in said


def test_every_slot_has_a_cell_and_the_worst_of_an_hour_is_seen():
    theme.enable()
    ledger = slots(*[("ran", None)] * 30, ("failed", "HTTP 503: busy"), ("ran", None))
    twice = ledger.with_columns(time=pl.col("time") + timedelta(minutes=30), fate=pl.lit("ran"))
    spec = spec_of(operations_charts.every_slot(pl.concat([ledger, twice])))
    cells = [row for rows in spec["datasets"].values() if isinstance(rows, list) for row in rows if "fate" in row]
    assert sum(cell["b"] - cell["a"] for cell in cells) == 32
    assert [cell["fate"] for cell in cells].count("failed") == 1
    assert "HTTP 503" in json.dumps(spec)


def test_a55_a_dead_exchange_turns_the_status_red(tmp_path):
    frames = {**world(snapshots=40, gap=False), "runs": runs(("collect", "ok", None), ("benchmark", "ok", None))}
    told = Outline(render.page(written(executed("operations", frames, account="all"), tmp_path / "x.ipynb")))
    assert "Collecting works." in told.text
    down = {**frames, "runs": runs(("collect", "ok", None), ("collect", "failed", "GET /api/v3/time could not be reached"))}
    html = render.page(written(executed("operations", down, account="all"), tmp_path / "y.ipynb"))
    assert "The last collection failed." in Outline(html).text
    tiles = [attributes for tag, attributes in Outline(html).tags if str(attributes.get("class", "")).startswith("tile ")]
    assert {tile["class"] for tile in tiles[:2]} == {"tile fail"}
    assert "could not be reached" in str(tiles[0]["title"])
    assert tiles[2]["class"] == "tile ok"
    assert "last run" in Outline(html).text


def test_the_next_run_is_the_next_due_time_of_any_job(tmp_path):
    frames = world(snapshots=3, gap=False)
    with stored(frames, more='[jobs.collect]\ncron = "0 * * * *"\n[jobs.backtest]\ncron = "30 3 * * *"\n') as config:
        assert overview.next_run(config, NOW + timedelta(minutes=5)) == NOW + HOUR
    with stored(frames) as config:
        assert overview.next_run(config, NOW) is None


def test_without_runs_slots_and_quarantine_each_part_says_so(tmp_path):
    frames = world(snapshots=2, gap=False)
    frames = {**frames, "runs": frames["runs"].clear()}
    told = Outline(render.page(written(executed("operations", frames, account="all"), tmp_path / "x.ipynb"))).text
    for words in ("Nothing was collected yet.", "No slot is known yet", "No run yet", "Empty: every row"):
        assert words in told


def test_runs_say_how_they_ended_and_link_to_their_pages():
    ended = runs(("collect", "ok", None), ("collect", "failed", HOSTILE), ("publish", "running", None))
    html = str(operations.recent_runs(ended, frozenset({ended["run"][1]})))
    outline = Outline(html)
    links = [attributes["href"] for tag, attributes in outline.tags if tag == "a"]
    assert links == [f"../collect/{ended['run'][1]}/page.html"]
    assert "script" not in {tag for tag, _ in outline.tags}
    assert all(word in outline.text for word in ("done", "failed", "running", "10.0 s"))


def test_quarantined_words_from_outside_are_text():
    rows = schemas.QUARANTINE.rows([("main", "GET /sapi/v1/pay/transactions", "x", NOW, f"amount {HOSTILE} is no number",
                                     "{}", NOW)])
    assert HOSTILE in Outline(str(operations.quarantine(rows))).text


def test_residuals_outside_the_tolerance_are_named():
    theme.enable()
    rows = [("main", NOW - n * timedelta(days=1), "total", 1000.0 + (6.5 if n == 3 else 0.1), 1000.0,
             6.5 if n == 3 else 0.1, n != 3, None) for n in range(10)]
    spec = spec_of(operations_charts.residuals(schemas.RECONCILIATION.rows(rows), 0.005))
    assert "main +0.65" in json.dumps(spec, ensure_ascii=False)
    assert "1 outside the tolerance" in json.dumps(spec)


def test_wants_are_listed_with_their_next_step():
    html = str(operations.what_to_do([Want(state="fail", what="A wallet failed.", step="Run navbook collect.")]))
    assert "Run navbook collect." in Outline(html).text
    assert "Nothing: all checks pass." in str(operations.what_to_do([]))


def test_ages_carry_what_the_browser_needs_to_call_them_late():
    html = str(operations.ages([Age(what="Snapshots", due="hourly", at=NOW, late_after=HOUR)]))
    assert 'data-at="2026-06-10T14:00:00Z" data-late="3600"' in html


LINES = pl.DataFrame([
    (NOW, "info", "collect", "main", "account read", "r1", None, 1.2),
    (NOW - HOUR, "error", "backup", "all", HOSTILE, "r2", "access denied", None),
    (NOW - 2 * HOUR, "warning", "collect", "main", "=HYPERLINK(1)", "r3", None, None)], schema=overview.LOG, orient="row")


def test_a56_counts_of_the_logs_filters_add_up():
    outline = Outline(str(log.view(LINES)))
    options = [attributes for tag, attributes in outline.tags if tag == "option"]
    assert [option["value"] for option in options] == ["", "error", "info", "warning", "", "backup", "collect", "", "all",
                                                       "main"]
    assert "any 3" in outline.text
    assert HOSTILE in outline.text
    assert "script" not in {tag for tag, _ in outline.tags}
    assert "<b class=\"negative\">one error</b> and <b class=\"warning\">one warning</b>" in str(log.verdict(LINES))


def test_the_log_shows_the_lines_of_all_runs_newest_first(tmp_path):
    with stored(world(snapshots=2, gap=False)) as config:
        for account, failed in (("main", False), ("sub", True)):
            with suppress(ValueError), logs.session(config, "collect", account):
                if failed:
                    raise ValueError("no answer")
        lines = overview.log(config)
    assert lines.select("event", "account", "level").rows() == [
        ("failed", "sub", "error"), ("started", "sub", "info"), ("ended", "main", "info"), ("started", "main", "info")]
    assert lines["reason"].to_list() == ["no answer", None, None, None]
    assert lines["seconds"].is_not_null().to_list() == [True, False, True, False]


@pytest.mark.parametrize("name", ["index", "operations"])
def test_pages_of_a_group_and_its_members(tmp_path, name):
    """A group is a row of its own, and its members are not counted twice."""
    frames = world(snapshots=40, gap=False)
    history = frames["nav_history"].filter(pl.col("account").is_in(["main", "sub"]))
    group = (history.group_by("time", maintain_order=True).agg(
        pl.col("nav", "benchmark_value").sum(), pl.col("twr_index", "benchmark_index").mean(), members=pl.len().cast(pl.Int64))
        .with_columns(account=pl.lit("family"), grade=pl.lit("complete"), reason=pl.lit(None, pl.String))
        .select(list(schemas.GROUP_HISTORY.columns)))
    more = '[groups.family]\naccounts = ["main", "sub"]\n'
    html = render.page(written(executed(name, {**frames, "group_history": group}, more=more, account="all"), tmp_path / "x.ipynb"))
    text = Outline(html).text
    if name == "index":
        assert "Three accounts, $" in text
        assert "moves between main and sub cancel out" in text
        assert "portfolio-family.html" in html
