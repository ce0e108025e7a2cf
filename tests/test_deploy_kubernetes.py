"""deploy/kubernetes.yaml, without a cluster: each field exists, names fit together, and what it runs is ours."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess

import jsonschema
import pytest
import yaml

from commands import CHECKOUT
from kubernetes import SCHEMA
from navbook import settings, timing
from navbook.settings import BUCKET_KEYS, SECRET
from test_deploy import known, last

TEXT = (CHECKOUT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8")
GROWING = (CHECKOUT / "docs" / "GROWING.md").read_text(encoding="utf-8")
LIST = yaml.safe_load(TEXT)
OBJECTS = {(each["kind"], each["metadata"]["name"]): each for each in LIST["items"]}
JOBS = [each for (kind, _), each in OBJECTS.items() if kind == "CronJob"]
DASHBOARDS = OBJECTS["Deployment", "navbook-dashboards"]["spec"]
PODS = [*(each["spec"]["jobTemplate"]["spec"]["template"] for each in JOBS), DASHBOARDS["template"]]


def container(pod):
    [only] = pod["spec"]["containers"]
    return only


def secrets(pod) -> dict[str, str]:
    """The variables that come from the secret, and its keys."""
    return {each["name"]: each["valueFrom"]["secretKeyRef"]["key"] for each in container(pod)["env"] if "valueFrom" in each}


def test_it_is_what_the_api_reference_says():
    jsonschema.validate(LIST, SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("find", "instead"), [
    ("concurrencyPolicy", "concurrencypolicy"), ("backoffLimit: 0", "backoffLimit: none"), ("restartPolicy: Never", "restartPolicy: Always"),
    ("batch/v1", "batch/v1beta1"), ("image: navbook:0.1.0", "image: navbook:latest"), ("secretKeyRef", "secretRef"),
    ("readOnlyRootFilesystem", "readOnlyFilesystem"), ("memory: 2Gi", "memory: 2GB"), ("mountPath: /data", "mountPath: data")])
def test_the_schema_refuses_what_kubernetes_would(find, instead):
    assert find in TEXT
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(TEXT.replace(find, instead)), SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: " ".join(container(pod)["args"]))
def test_a_pod_may_do_nothing_but_its_work(pod):
    user, inside = pod["spec"]["securityContext"], container(pod)["securityContext"]
    assert user["runAsNonRoot"] is True
    assert str(user["runAsUser"]) == last("USER")    # of the image
    assert inside == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert container(pod)["resources"]["limits"]["memory"]
    assert {each["name"] for each in container(pod)["volumeMounts"]} == {each["name"] for each in pod["spec"]["volumes"]}
    assert {"/data", "/tmp"} <= {each["mountPath"] for each in container(pod)["volumeMounts"]}
    assert known(container(pod)["args"])


def test_names_fit_together():
    for pod in PODS:
        for volume in pod["spec"]["volumes"]:
            claim, configuration = volume.get("persistentVolumeClaim"), volume.get("configMap")
            assert not claim or ("PersistentVolumeClaim", claim["claimName"]) in OBJECTS
            assert not configuration or ("ConfigMap", configuration["name"]) in OBJECTS
    labels = DASHBOARDS["template"]["metadata"]["labels"]
    assert DASHBOARDS["selector"]["matchLabels"] == labels
    assert OBJECTS["Service", "navbook-dashboards"]["spec"]["selector"] == labels
    for job in JOBS:
        [rule] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["affinity"]["podAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"]
        assert rule["labelSelector"]["matchLabels"] == labels


def test_its_settings_are_ours_and_its_schedules_theirs(tmp_path, monkeypatch):
    file = tmp_path / "navbook.toml"
    file.write_text(OBJECTS["ConfigMap", "navbook"]["data"]["navbook.toml"])
    config = settings.load(file)
    collect = OBJECTS["CronJob", "navbook-collect"]["spec"]
    assert collect["schedule"] == config.jobs["collect"].cron
    assert collect["concurrencyPolicy"] == "Forbid"
    assert collect["startingDeadlineSeconds"] <= 300    # a slot is `ran` when its run began within five minutes
    tries = config.jobs["collect"]
    longest = 60 * tries.timeout_minutes * (tries.retries + 1) * (1 + len(tries.then)) + 300
    assert collect["jobTemplate"]["spec"]["activeDeadlineSeconds"] >= longest
    for job in JOBS:
        timing.trigger(job["spec"]["schedule"])
        assert job["spec"]["timeZone"] == "Etc/UTC"
    assert str(config.runs_folder).startswith("/data/")
    assert str(config.vault_file).startswith("/data/")


def test_secrets_come_by_reference_and_only_to_those_who_need_them():
    for pod in PODS:
        assert [each["name"] for each in container(pod)["env"] if "value" in each and SECRET.fullmatch(each["name"])] == []
        assert set(BUCKET_KEYS[:2]) <= secrets(pod).keys()
    exchange = {name for pod in PODS for name in secrets(pod) if name.endswith(("_API_KEY", "_API_SECRET"))}
    assert [exchange <= secrets(pod).keys() for pod in PODS] == [True, False, False]
    assert settings.DASHBOARDS_TOKEN in secrets(PODS[-1])
    made = set(re.findall(r"--from-literal=([\w-]+)=", GROWING))
    assert made == {key for pod in PODS for key in secrets(pod).values()}


@pytest.mark.parametrize("lines", re.findall(r"```sh\n(.*?)```", GROWING, re.DOTALL))
def test_every_line_of_the_page_parses_and_names_what_exists(lines):
    subprocess.run(["/bin/sh", "-n", "-c", lines], check=True)
    words = [shlex.split(line, comments=True) for line in lines.replace("\\\n", "").splitlines()]
    assert [line for line in words if line[0] == "navbook" and not known(line[1:])] == []


def test_it_can_fail():
    broken = copy.deepcopy(LIST)
    broken["items"].append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "navbook"}})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA, jsonschema.Draft202012Validator)


def test_the_dashboards_take_their_token_from_the_environment_and_show_it_to_nobody(monkeypatch):
    from navbook.runner.commands import _shown
    token = settings.dashboards_token({settings.DASHBOARDS_TOKEN: "a-token-of-the-cluster\n"})
    assert token == "a-token-of-the-cluster"
    assert _shown(f"http://0.0.0.0:8866/?token={token}", token) == "http://0.0.0.0:8866/"
    assert _shown("http://0.0.0.0:8866/?token=made-up-now", settings.dashboards_token({})) == "http://0.0.0.0:8866/?token=made-up-now"
    with pytest.raises(settings.SettingsInvalid, match="NAVBOOK_DASHBOARDS_TOKEN is too short: take 16 letters at least"):
        settings.dashboards_token({settings.DASHBOARDS_TOKEN: "short"})
