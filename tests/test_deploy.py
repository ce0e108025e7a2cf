"""docs/DEPLOY.md and the Dockerfile, as far as they can be tried without docker: each line parses, names what
exists, and says what it promises."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from commands import CHECKOUT

DEPLOY = (CHECKOUT / "docs" / "DEPLOY.md").read_text(encoding="utf-8")
DOCKERFILE = re.sub(r"\\\n\s*", "", (CHECKOUT / "Dockerfile").read_text(encoding="utf-8"))
STEPS = [line.split(" ", 1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]


def block(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", DEPLOY, re.DOTALL)


def last(step: str) -> str:
    return [words for name, words in STEPS if name == step][-1]


def known(words: list[str]) -> bool:
    """Whether navbook has this command and these options."""
    import typer

    from navbook.cli import app
    command, context = typer.main.get_command(app), None
    for word in words:
        if word.startswith("-"):
            return all(option in {name for each in command.params for name in each.opts}
                       for option in words[words.index(word):] if option.startswith("-"))
        if not hasattr(command, "commands"):
            return True
        command = command.get_command(context, word)
        if command is None:
            return False
    return True


@pytest.mark.parametrize("lines", block("sh"))
def test_every_shell_line_parses(lines):
    subprocess.run(["/bin/sh", "-n", "-c", lines], check=True)


def test_every_navbook_command_in_it_exists():
    lines = [shlex.split(line, comments=True) for lines in block("sh") for line in lines.replace("\\\n", "").splitlines()]
    commands = [line[1:] for line in lines if line and line[0] == "navbook"]
    commands += [line[line.index("exec") + 3:] for line in lines if line[:2] == ["docker", "exec"]]
    commands += [json.loads(last(step).removeprefix(rest))[skip:] for step, rest, skip in (
        ("CMD", "", 0), ("HEALTHCHECK", last("HEALTHCHECK").split("CMD ")[0] + "CMD ", 1))]
    commands.append(shlex.split(re.search(r"ExecStart=\S+/navbook (.*)", DEPLOY)[1]))
    assert len(commands) >= 7
    assert [words for words in commands if not known(words)] == []
    assert not known(["schedule", "instal"])    # that the test can fail
    assert not known(["runs", "--lst", "3"])


def test_a76_the_service_unit_is_what_systemd_takes(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / "navbook.service"
    text = block("ini")[0].replace("/opt/navbook/.venv/bin/navbook", "/bin/true").replace("User=navbook\n", "")
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False,
                          env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    assert [line for line in done.stderr.splitlines() if "navbook" in line] == []
    assert "WantedBy=multi-user.target" in text    # what makes it run after a reboot, once enabled
    assert "Restart=always" in text


def test_the_container_is_no_root_and_has_a_health_check():
    assert [name for name, _ in STEPS] == [name for name, _ in STEPS if name in {
        "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"}]
    assert int(last("USER")) > 0
    assert last("HEALTHCHECK").endswith('CMD ["navbook", "check"]')
    assert all(re.search(r":\d+\.\d+-", words) for name, words in STEPS if name == "FROM")    # a version, never latest
    assert "--require-hashes" in DOCKERFILE
    assert json.loads(last("ENTRYPOINT")) == ["navbook"]
    assert f"--user {last('USER')}" in DEPLOY
    assert "--read-only --tmpfs /tmp" in DEPLOY


def test_what_the_image_copies_is_there_and_nothing_else_is_sent():
    copied = [source for name, words in STEPS if name == "COPY" and "--from" not in words for source in words.split()[:-1]]
    assert [source for source in copied if not (CHECKOUT / source).exists()] == []
    kept = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == set(copied)


def test_the_run_steps_of_the_image_parse():
    for name, words in STEPS:
        if name == "RUN":
            subprocess.run(["/bin/sh", "-n", "-c", words], check=True)


def test_a_run_needs_no_folder_but_tmp_and_data(tmp_path):
    """As in the container, whose HOME is /tmp: no history, no file of a kernel is left there."""
    from commands import NAVBOOK, clean_environment
    home = tmp_path / "home"
    home.mkdir()
    data = tmp_path / "data"
    data.mkdir()
    (data / "empty.ipynb").write_text((CHECKOUT / "notebooks" / "benchmark.ipynb").read_text())
    (data / "navbook.toml").write_text('[jobs.own]\nnotebook = "empty.ipynb"\nretries = 0\n[accounts.main]\n')
    done = subprocess.run([NAVBOOK, "run", "own"], cwd=data, capture_output=True, text=True, check=False,
                          env=clean_environment() | {"HOME": str(home)})
    assert (done.returncode, done.stderr) == (0, "")
    assert [place for place in home.rglob("*") if place.is_file() and place.name != "README"] == []
