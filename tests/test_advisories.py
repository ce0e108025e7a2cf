"""`make advisories` never takes silence for safety."""

from __future__ import annotations

import json
import stat

import advisories

FINE = {"name": "polars", "version": "2.1.0", "vulns": []}
HOLE = {"name": "tornado", "version": "6.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["6.5"]}]}
SKIPPED = {"name": "voila", "version": "0.5", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def verdict(*packages: dict[str, object]) -> tuple[int, str]:
    code, lines = advisories.verdict(json.dumps({"dependencies": packages, "fixes": []}), "")
    return code, "\n".join(lines)


def test_none_known():
    assert verdict(FINE) == (0, "advisories: none known for the 1 packages of requirements.lock.")


def test_a_known_hole_is_named_with_the_version_that_mends_it():
    code, told = verdict(FINE, HOLE, SKIPPED)
    assert code == advisories.KNOWN
    assert "tornado 6.0: PYSEC-1, mended in 6.5" in told


def test_a_package_that_nobody_answered_for_is_not_one_without_a_hole():
    code, told = verdict(FINE, SKIPPED)
    assert code == advisories.UNREACHED
    assert "NOT CHECKED for 1 of 2" in told


def test_no_service_is_one_clear_line():
    code, lines = advisories.verdict("", "WARNING: x\nConnectionError: no route to host")
    assert code == advisories.UNREACHED
    assert lines == ["advisories: NOT CHECKED, the advisory service could not be reached (ConnectionError: no route to host)."]


def test_pip_audit_is_asked_of_the_lock_and_installs_nothing(tmp_path):
    program = tmp_path / "pip-audit"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    said, _ = advisories.asked(str(program))
    assert f"--requirement {advisories.LOCK} --disable-pip --require-hashes --format json" in said
