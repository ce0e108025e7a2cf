"""N15: the page for others says percent only; no amount, name, id or path is anywhere in it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import pytest

from navbook.publish import render, share
from test_publish_frames import NAMES, executed, world, written
from test_publish_render import Outline

GROUP = '[groups.family]\naccounts = ["main", "sub"]\n'


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("share")
    frames = world(rolling=True, hostile="SECRETCOIN", unpriced=True)
    return render.page(written(executed("share", frames, account="main", more=GROUP), folder / "share-0f0f0f0f.ipynb"))


def numbers(page: str) -> set[float]:
    """Every number of the page's own data and words; not of the library that draws."""
    outline = Outline(page)
    texts = [outline.text, *itertools.chain(*(strings(json.loads(script)) for script in outline.scripts
                                              if script.startswith('{"')))]
    return {abs(float(found)) for text in texts
            for found in re.findall(r"(?<![\w.#-])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w-])", text)}


def strings(value: object) -> Iterator[str]:
    """Every value of a specification as text; names of data sets are hashes."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from () if name == "data" and "name" in inside else strings(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from strings(inside)
    else:
        yield str(value)


def test_n15_no_amount_of_the_account_is_in_the_page_its_data_included(page):
    frames = world(rolling=True, hostile="SECRETCOIN", unpriced=True)
    own = {name: frame.filter(account="main") for name, frame in frames.items() if "account" in frame.columns}
    amounts = {value for name, column in (("nav_history", "nav"), ("nav_history", "benchmark_value"),
                                          ("flow_values", "value_usd"), ("holdings", "quantity"), ("holdings", "price"),
                                          ("holdings", "value_usd"), ("performance", "gain_usd"), ("nav_history", "btc_price"))
               for value in own[name][column].drop_nulls().to_list()}
    said = numbers(page)
    rounded = {round(abs(amount), places) for amount in amounts for places in (0, 2) if abs(amount) > 1500}
    assert not rounded & said
    ours = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "$" not in re.sub(r'"\$schema"', "", ours)
    assert "USD" not in ours
    assert max(number for number in said if number < 1e12) < 1000    # growth, percent, pixels: nothing has a price's size


def test_n15_no_name_id_or_path_is_in_the_page(page):
    ours = Outline(page).text + "".join(script for script in Outline(page).scripts if script.startswith('{"'))
    for word in (*NAMES, "family", "SECRETCOIN", "LUNAX", "PEPEX", "wallet", "/tmp", "navbook.toml", "run-", "tables"):
        assert not re.search(rf"\b{re.escape(word)}\b", ours), word
    assert not any(value for _, attributes in Outline(page).tags for name, value in attributes.items()
                   if name == "href" and not str(value).startswith("data:"))
    assert re.search(r"<title>navbook portfolio in percent</title>", page)


def test_the_same_returns_are_told(page):
    frames = world(rolling=True)
    row = frames["performance"].filter(account="main", period="inception").row(0, named=True)
    told = Outline(page).text
    assert f"{100 * row['twr']:+.1f}".replace("-", "\u2212") in told
    assert f"{abs(100 * row['max_drawdown']):.1f}" in told


def test_growth_begins_at_one_and_has_no_reason():
    history = world(incomplete=True)["nav_history"].filter(account="main")
    (grown,) = share.percent_only({"inception": history}).values()
    assert grown["nav"][0] == grown["benchmark_value"][0] == 1
    assert grown["reason"].null_count() == grown.height
    assert grown["account"].unique().to_list() == ["account"]
    assert grown["nav"][-1] is None
    assert json.dumps(grown["nav"].to_list(), allow_nan=False)
