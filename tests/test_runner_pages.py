"""What `navbook publish` writes, what it keeps because nothing has changed, and what it takes away."""

from __future__ import annotations

import pytest

from navbook import settings
from navbook.errors import SettingsInvalid
from navbook.runner import overview, pages
from stores import configured, grown
from worlds import World, at

GROUP = '[groups.both]\naccounts = ["main", "other"]\n'


def world(snapshots: int = 3) -> World:
    made = World(accounts=("main", "other"))
    for n in range(snapshots):
        for account in made.accounts:
            made.snapshot(at(4 * n), {"BTC": "0.1", "USDT": 1000 + n}, account=account)
    return made


def names(paths) -> set[str]:
    return {path.stem for path in paths}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    config = configured(tmp_path_factory.mktemp("store"), "main", "other", more=GROUP)
    grown(config, world())
    return config, pages.publish(config, share="both")


def test_a_page_of_every_account_and_group_a_share_page_and_the_index(published):
    config, done = published
    (share,) = overview.shared(config)
    assert names(done.written) == {"portfolio-main", "portfolio-other", "portfolio-both", share, "operations", "index"}
    assert done.kept == []
    assert overview.shared(config) == {share: "both"}
    assert "both" not in share
    assert {"log.ipynb"} == {file.name for file in pages.published_folder(config).glob("log.*")}, "never executed"
    both = (pages.published_folder(config) / "portfolio-both.html").read_text(encoding="utf-8")
    assert "both (main + other)" in both


def test_only_what_has_changed_is_published_again(published):
    config, _ = published
    before = {file.name: file.read_bytes() for file in pages.published_folder(config).glob("portfolio-*")}
    (share,) = overview.shared(config)
    done = pages.publish(config)
    assert names(done.written) == {"operations", "index"}    # they show how the machine itself runs
    assert names(done.kept) == {"portfolio-main", "portfolio-other", "portfolio-both", share}
    assert {name: (pages.published_folder(config) / name).read_bytes() for name in before} == before


def test_a_page_is_made_anew_when_its_facts_its_settings_or_its_rendering_change(published):
    config, _ = published
    wanted = pages.Page("portfolio", "portfolio-main", (("account", "main"),))
    assert pages.fingerprint(config, wanted) == pages._mark(config, wanted)
    other_tolerance = config.model_copy(update={"tolerance": 0.01})
    assert pages.fingerprint(other_tolerance, wanted) != pages._mark(config, wanted)
    html = pages.published_folder(config) / "portfolio-main.html"
    whole = html.read_text(encoding="utf-8")
    html.write_text("cut off", encoding="utf-8")
    assert pages._mark(config, wanted) is None
    html.write_text(whole, encoding="utf-8")
    grown(config, world(snapshots=4))
    assert pages.fingerprint(config, wanted) != pages._mark(config, wanted)


def test_pages_of_what_is_no_more_are_taken_away(published):
    config, _ = published
    gone = pages.published_folder(config) / "strategy-gone-0000.html"
    gone.write_text("x")
    pages._forget(config, {"portfolio-main"})
    assert not gone.exists()
    assert {file.stem for file in pages.published_folder(config).glob("portfolio-*")} == {"portfolio-main"}


def test_nobody_can_be_published(published):
    with pytest.raises(SettingsInvalid, match="There is nothing to publish of nobody; there are main, other, both"):
        pages.publish(published[0], "nobody")
    assert isinstance(published[0], settings.Settings)
