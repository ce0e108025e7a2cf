"""`make advisories`: does anybody know of a hole in the packages of requirements.lock? pip-audit asks PyPI; nothing is installed.

Ends with 0 when none is known, 1 when some are, and 3 when nobody answered: a package that could not be looked up is not
one without a known hole, though pip-audit itself ends with 0 then.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
PIP_AUDIT = str(Path(sys.executable).with_name("pip-audit"))
KNOWN, UNREACHED = 1, 3
PATIENCE_S = 90


def asked(program: str = PIP_AUDIT) -> tuple[str, str]:
    """What pip-audit says of the lock: JSON, and its complaints."""
    command = [program, "--requirement", str(LOCK), "--disable-pip", "--require-hashes", "--format", "json",
               "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:    # without a network each package takes its time
        return "", f"no answer for all packages in {PATIENCE_S} s"
    return done.stdout, done.stderr


def verdict(said: str, complaints: str) -> tuple[int, list[str]]:
    """The exit code and what to print, of pip-audit's answer."""
    try:
        packages: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        last = (complaints.strip().splitlines() or ["no answer"])[-1]
        return UNREACHED, [f"advisories: NOT CHECKED, the advisory service could not be reached ({last[:120]})."]
    answered = [package for package in packages if "skip_reason" not in package]
    holes = [f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
             for package in answered for hole in package["vulns"]]
    if holes:
        return KNOWN, [*holes, f"advisories: {len(holes)} known; raise these versions in pyproject.toml and lock anew."]
    if len(answered) < len(packages):
        return UNREACHED, [f"advisories: NOT CHECKED for {len(packages) - len(answered)} of {len(packages)} packages, the advisory "
                           "service did not know or answer for them."]
    return 0, [f"advisories: none known for the {len(packages)} packages of requirements.lock."]


if __name__ == "__main__":
    code, lines = verdict(*asked())
    print("\n".join(lines))
    sys.exit(code)
