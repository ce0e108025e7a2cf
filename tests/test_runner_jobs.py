"""Jobs: typed parameters, records that are true however a run ends, tries, followers, and runs worked out again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from navbook import schemas
from navbook.errors import JobFailed, Locked, NavbookError, SettingsInvalid, StoreMismatch, UnknownParameter
from navbook.runner import jobs, kernels, ledger, locks, parameters, records, reproduce, running, scratch, stores
from navbook.runner.records import Record
from navbook.settings import NOTEBOOKS
from navbook.store import tables
from stores import configured, keep
from worlds import START, World


def notebook(place: Path, *cells: str) -> Path:
    """A notebook whose first cell is its parameters cell."""
    made = [{"cell_type": "code", "id": f"c{number}", "execution_count": None, "outputs": [], "source": source,
             "metadata": {"tags": ["parameters"]} if number == 0 else {}} for number, source in enumerate(cells)]
    place.write_text(json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}}), encoding="utf-8")
    return place


PARAMETERS = ('code: str = "all"    # words\nmany: int = 3\npart: float = 0.5\nsure: bool = False\n'
              'most: int = None\nwhich: list = []\ngrid: dict = {"a": 1}\nplain = "x"\ncount = 2')


@pytest.mark.parametrize(("name", "text", "value"), [
    ("code", "001", "001"), ("code", "true", "true"), ("code", "", ""), ("code", "a=b", "a=b"), ("many", "7", 7),
    ("part", "1", 1.0), ("part", "0.25", 0.25), ("sure", "true", True), ("sure", "false", False), ("most", "none", None),
    ("most", "4", 4), ("which", '["a", 1]', ["a", 1]), ("grid", '{"b": [1, 2]}', {"b": [1, 2]}), ("plain", "5", "5"),
    ("count", "5", 5),
])
def test_a_parameter_of_the_command_line_has_the_type_of_the_notebooks_cell(tmp_path, name, text, value):
    found = parameters.of_texts(notebook(tmp_path / "x.ipynb", PARAMETERS), {name: text})[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("name", "text", "said"), [
    ("many", "7.5", "many must be a whole number"), ("many", "", "many must be a whole number"),
    ("sure", "perhaps", "sure must be true or false"), ("part", "half", "part must be a number"),
    ("grid", "a=1", "grid must be a table"), ("which", "a,b", "which must be a list"),
])
def test_text_that_is_none_of_the_type_is_refused(tmp_path, name, text, said):
    with pytest.raises(SettingsInvalid, match=rf"x\.ipynb: {said}"):
        parameters.of_texts(notebook(tmp_path / "x.ipynb", PARAMETERS), {name: text})


@pytest.mark.parametrize(("name", "value"), [("many", True), ("many", 2.0), ("many", "2"), ("code", 1), ("sure", 1)])
def test_values_of_the_file_keep_their_types(tmp_path, name, value):
    file = notebook(tmp_path / "x.ipynb", PARAMETERS)
    assert parameters.checked(file, {"part": 1, "most": None}) == {"part": 1, "most": None}
    with pytest.raises(SettingsInvalid, match=name):
        parameters.checked(file, {name: value})


def test_unknown_parameters_and_strange_notebooks_are_refused(tmp_path):
    with pytest.raises(UnknownParameter, match="has no parameter acount; it takes account"):
        parameters.checked(NOTEBOOKS / "collect.ipynb", {"acount": "main"})
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        parameters.of(tmp_path / "none.ipynb")
    (tmp_path / "x.ipynb").write_text("[]")
    with pytest.raises(SettingsInvalid, match="is no notebook"):
        parameters.of(tmp_path / "x.ipynb")


class Notebooks:
    """Stands in for papermill: each run does what the next of `acts` says."""

    def __init__(self, *acts):
        self.acts, self.given = list(acts), []

    def execute(self, manager, notebook, result, given, timeout_minutes=None):
        self.given.append((notebook.stem, given))
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, BaseException):
            raise act
        if act:
            act()


@pytest.fixture
def fake(monkeypatch):
    def use(*acts) -> Notebooks:
        made = Notebooks(*acts)

        @contextmanager
        def kernel(*_):
            yield None

        monkeypatch.setattr(jobs, "kernels", SimpleNamespace(
            kernel=kernel, execute=made.execute, CellFailed=kernels.CellFailed, variables=lambda *_: {}))
        return made
    return use


RETRIED = '[jobs.weekly]\nnotebook = "weekly.ipynb"\nretries = 2\nretry_seconds = 0\nthen = ["benchmark"]\n'


@pytest.fixture
def config(tmp_path):
    notebook(tmp_path / "weekly.ipynb", "week: int = 1")
    return configured(tmp_path, more=RETRIED)


def record_of(config, job: str = "weekly") -> Record:
    return Record.read(records.folders(config, job)[-1])


def test_a_failed_run_is_tried_again_and_then_the_next_job_runs(config, fake):
    seen, said = fake(kernels.CellFailed("no network", 3)), []
    running.run(config, "weekly", {"week": "7"}, said.append)
    assert [name for name, _ in seen.given] == ["weekly", "weekly", "benchmark"]
    assert seen.given[0][1] == {"week": 7}
    assert "no network" in said[0]
    assert "Attempt 2 of 3" in said[0]
    assert ledger.runs(config)["status"].to_list() == ["failed", "ok", "ok"]


def test_a_run_that_fails_every_time_says_so_and_its_followers_run_all_the_same(config, fake):
    seen = fake(*[kernels.CellFailed("no network", 3)] * 3)
    with pytest.raises(JobFailed, match="weekly failed: no network See "):
        running.run(config, "weekly", {}, print)
    assert [name for name, _ in seen.given] == ["weekly"] * 3 + ["benchmark"]
    assert (record_of(config).failing_cell, record_of(config).reason) == (3, "no network")


def test_a_follower_that_is_busy_keeps_no_other_from_running_and_hides_no_failure(tmp_path, fake):
    notebook(tmp_path / "weekly.ipynb", "week: int = 1")
    config = configured(tmp_path, more=RETRIED.replace('["benchmark"]', '["benchmark", "publish"]'))
    for act, said in ((None, "benchmark is already being run"), (kernels.CellFailed("no network", 3), "weekly failed: no network")):
        seen = fake(*[act] * 3)
        with locks.hold(config, "benchmark"), pytest.raises(NavbookError, match=said) as trouble:
            running.run(config, "weekly", {}, print)
        assert seen.given[-1][0] == "publish"
        assert trouble.value.exit_code == (75 if act is None else 1)


def test_what_is_no_folder_of_a_run_is_left_alone(config, fake):
    fake()
    strange = config.runs_folder / "weekly" / "old-2026-01-01T000000Z_all_deadbeef"
    strange.mkdir(parents=True)
    (config.runs_folder / "weekly" / "2026-01-01T000000Z_my_main_deadbeef").mkdir()
    running.run(config, "weekly", {}, print)
    assert ledger.runs(config).select("account", "status").rows() == [("my_main", "killed"), ("all", "ok"), ("all", "ok")]
    assert strange.exists()


def test_two_notebooks_of_one_name_are_two(tmp_path):
    config = configured(tmp_path, more='[jobs.left]\nnotebook = "a/schedule.ipynb"\n[jobs.right]\nnotebook = "b/schedule.ipynb"\n')
    assert len({config.job("left").lock, config.job("right").lock, "schedule"}) == 3
    assert config.job("collect").lock == "collect"


def test_what_cannot_be_is_refused_before_anything_runs(config, fake):
    seen = fake()
    for name, texts, kind in (("weakly", {}, SettingsInvalid), ("weekly", {"weak": "1"}, UnknownParameter),
                              ("weekly", {"week": "one"}, SettingsInvalid)):
        with pytest.raises(kind):
            running.run(config, name, texts, print)
    assert seen.given == []
    assert not (config.runs_folder / "weekly").exists()


def test_a57_run_now_is_refused_while_the_job_is_being_run(config, fake):
    fake()
    with locks.hold(config, "notebook-weekly.ipynb"), pytest.raises(Locked) as refused:
        running.run(config, "weekly", {}, print)
    assert refused.value.exit_code == 75
    assert f"process {os.getpid()}" in str(refused.value)


def test_a_run_that_is_told_to_end_leaves_a_record(config, fake):
    fake(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        running.run(config, "weekly", {}, print)
    assert (record_of(config).status, record_of(config).reason) == ("failed", "it was stopped.")
    assert locks.holder(config, "weekly") is None


def killed(config, job: str = "weekly", *, wrote: bool = True) -> Path:
    """What a run leaves that was killed with -9 in the middle, or before its first word."""
    stores.claim(config)
    _, folder = records.begun(config, job, "all", {}, None)
    if not wrote:
        (folder / records.NAME).unlink()
    (folder / ".run.json.4711").write_text("{")
    return folder


@pytest.mark.parametrize("wrote", [True, False])
def test_a_killed_runner_is_told_by_the_next_command(config, wrote):
    folder = killed(config, wrote=wrote)
    shown = ledger.runs(config).row(0, named=True)
    assert (shown["run"], shown["status"], shown["reason"]) == (folder.name, "killed", records.KILLED)
    assert [file.name for file in folder.iterdir()] == ["run.json"]
    assert tables.read(config.location, schemas.RUNS)["status"].to_list() == ["killed"]


def test_a_run_that_is_going_on_is_not_called_killed(config):
    folder = killed(config)
    with locks.hold(config, "notebook-weekly.ipynb"):
        assert ledger.runs(config)["status"].to_list() == ["running"]
    assert Record.read(folder).status == "running"


def test_a_record_that_did_not_reach_the_table_does_with_the_next_run(config, fake, monkeypatch):
    fake()

    def full(config, ended):
        if ended:
            raise NavbookError("full")

    monkeypatch.setattr(records, "register", full)
    with pytest.raises(NavbookError, match="full"):
        jobs.run(config, "weekly")
    monkeypatch.undo()
    assert tables.read(config.location, schemas.RUNS).is_empty()
    assert ledger.runs(config)["run"].to_list() == [record_of(config).run]


def test_folders_are_kept_as_long_as_the_job_says(tmp_path, fake):
    notebook(tmp_path / "weekly.ipynb", "week: int = 1")
    config = configured(tmp_path, more='[jobs.weekly]\nnotebook = "weekly.ipynb"\nkeep_days = 7\n')
    fake()
    for days in (8, 6):
        begun = datetime.now(UTC) - timedelta(days=days)
        (config.runs_folder / "weekly" / f"{begun:{records.TIME_FORMAT}}_all_0000000{days}").mkdir(parents=True)
    running.run(config, "weekly", {}, print)
    assert records.folders(config, "weekly")[0].name.endswith("6")
    assert len(records.folders(config, "weekly")) == 2
    with pytest.raises(reproduce.InputsGone, match="retention has removed it"):
        reproduce.reproduce(config, str(tables.read(config.location, schemas.RUNS)["run"].min()), print)


def test_a_store_that_has_vanished_is_not_begun_anew_by_a_job(config, fake):
    """Its disk is not mounted, say: an empty store would look like a new account."""
    fake()
    keep(config, World())
    folder = killed(config, "collect")
    record = Record.read(folder)
    record.tables_written = {"snapshots": 0}
    record.write(folder)
    shutil.rmtree(config.location)
    with pytest.raises(StoreMismatch, match=r"is not there, but the run .* wrote into it: mount its disk"):
        running.run(config, "weekly", {}, print)


def test_folders_of_killed_kernels_are_cleaned_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("navbook-kernel-dead", "navbook-kernel-made", "navbook-pages-dead"):
        (tmp_path / name).mkdir()
    for name in ("navbook-kernel-dead", "navbook-pages-dead"):
        (tmp_path / name / scratch.HELD).touch()
    with scratch.folder("kernel") as first, scratch.folder("kernel") as second:
        assert first.exists()    # that the second left it alone
        assert second.exists()
    assert sorted(place.name for place in tmp_path.iterdir()) == ["navbook-kernel-made", "navbook-pages-dead"]


@pytest.fixture(scope="module")
def ran_for_real(tmp_path_factory):
    """Four runs through papermill: a rebuild that went well, a cell that kills its kernel, one that takes too long,
    one that fails."""
    folder = tmp_path_factory.mktemp("real")
    notebook(folder / "dies.ipynb", "x = 1", "y = x", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "z = 1")
    notebook(folder / "long.ipynb", "x = 1", "import time; time.sleep(600)")
    notebook(folder / "fails.ipynb", "x = 1", "first = 'shown before'", "raise ValueError('what went wrong')")
    config = configured(folder, more="".join(
        f'[jobs.{name}]\nnotebook = "{name}.ipynb"\nretries = 0\n' + ("timeout_minutes = 0.1\n" if name == "long" else "")
        for name in ("dies", "long", "fails")))
    world = World()
    world.snapshot(START, {"USDT": 1000})
    keep(config, world)
    stores.claim(config)
    jobs.run(config, "benchmark")
    for name in ("dies", "long", "fails"):
        with pytest.raises(JobFailed):
            running.run(config, name, {}, print)
    return config


@pytest.mark.parametrize(("job", "cell", "reason"), [
    ("dies", 2, "the kernel died, perhaps for lack of memory."),
    ("long", 1, "it took longer than its timeout of 0.1 minutes and was ended."),
    ("fails", 2, "ValueError: what went wrong")])
def test_a73_the_record_names_the_cell_and_the_reason(ran_for_real, job, cell, reason):
    record = record_of(ran_for_real, job)
    assert (record.status, record.reason) == ("failed", reason)
    assert record.failing_cell == cell or (job == "long" and record.failing_cell is None)    # a slow start took it all
    assert locks.holder(ran_for_real, job) is None


@pytest.mark.parametrize(("job", "first", "then"), [("dies", "os.kill", "y = x"), ("fails", "ValueError", "shown before")])
def test_a_failing_notebooks_page_shows_the_failing_cell_first(ran_for_real, job, first, then):
    page = (records.folders(ran_for_real, job)[-1] / "page.html").read_text()
    body = page[page.index("<body"):]
    assert record_of(ran_for_real, job).reason.split(":")[0] in body
    assert body.index(first) < body.index(then)


def test_n4_a_run_is_worked_out_again_from_what_it_read(ran_for_real):
    """Facts that came later change nothing; contents that were changed behind its back are named."""
    config, said = ran_for_real, []
    name = record_of(config, "benchmark").run
    later = World()
    later.snapshot(START + timedelta(hours=1), {"USDT": 5000})
    keep(config, later)
    reproduce.reproduce(config, name, said.append)
    assert "same; 11 tables come out with the same content hashes" in said[-1]
    folder = records.folders(config, "benchmark")[-1]
    record = Record.read(folder)
    Record(**{**vars(record), "hashes": {**record.hashes, "nav_history": "0" * 64}}).write(folder)
    with pytest.raises(reproduce.RunDiffers, match="nav_history: 1 rows with other contents"):
        reproduce.reproduce(config, str(folder), said.append)
    record.write(folder)
    with pytest.raises(SettingsInvalid, match="There is no run nowhere"):
        reproduce.reproduce(config, "nowhere", said.append)
    with pytest.raises(SettingsInvalid, match="is failed, there is nothing to compare: ValueError"):
        reproduce.reproduce(config, record_of(config, "fails").run, said.append)


def test_n4_a_run_whose_inputs_were_vacuumed_says_so(ran_for_real, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(ran_for_real.base, folder)
    config = ran_for_real.model_copy(update={"base": folder, "file": folder / "navbook.toml"})
    for file in Path(config.location, "facts", "balances").glob("*.parquet"):
        file.unlink()
    with pytest.raises(reproduce.InputsGone, match="retention has removed what it read"):
        reproduce.reproduce(config, record_of(config, "benchmark").run, print)


def test_the_room_for_the_record_is_given_back(ran_for_real):
    assert not list(ran_for_real.runs_folder.rglob(records.ROOM))
