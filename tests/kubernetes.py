"""What Kubernetes takes, as far as deploy/kubernetes.yaml uses it: a JSON schema that refuses every other field.

Written from the API reference, https://kubernetes.io/docs/reference/kubernetes-api/ (v1.31): CronJob v1, Deployment v1,
Service v1, PersistentVolumeClaim v1, ConfigMap v1, PodSpec. `name!` is a required field; the rest may be left out.
"""

from __future__ import annotations

from typing import Any

NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"    # a DNS label, RFC 1123
QUANTITY = r"^\d+(\.\d+)?(m|k|M|G|Ki|Mi|Gi)?$"
LINE = {"type": "string"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
DNS = {"type": "string", "pattern": NAME}
LABELS = {"type": "object", "additionalProperties": LINE, "minProperties": 1}
QUANTITIES = {"type": "object", "propertyNames": {"enum": ["cpu", "memory", "storage"]},
              "additionalProperties": {"type": "string", "pattern": QUANTITY}}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PORT_OR_NAME = {"anyOf": [PORT, DNS]}


def table(**fields: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    return {"type": "object", "additionalProperties": False, "properties": {name.rstrip("_"): kind for name, kind in fields.items()},
            "required": [name.rstrip("_") for name in fields if name.endswith("_")]}


def rows(kind: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": kind, "minItems": 1}


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


METADATA = table(name_=DNS, labels=LABELS)
POD_METADATA = table(labels_=LABELS)
SELECTOR = table(matchLabels_=LABELS)
SECRET_KEY = table(name_=DNS, key_={"type": "string", "pattern": r"^[-._a-zA-Z0-9]+$"}, optional=FLAG)
VARIABLE = {"anyOf": [table(name_=LINE, value_=LINE), table(name_=LINE, valueFrom_=table(secretKeyRef_=SECRET_KEY))]}
PROBE = table(tcpSocket_=table(port_=PORT_OR_NAME), initialDelaySeconds=COUNT, periodSeconds=COUNT, failureThreshold=COUNT)
CONTAINER = table(
    name_=DNS, image_={"type": "string", "pattern": r"^[a-z0-9./:_-]+:(?!latest$)[\w.-]+$"}, args=rows(LINE), env=rows(VARIABLE),
    ports=rows(table(name=DNS, containerPort_=PORT)), readinessProbe=PROBE, livenessProbe=PROBE,
    securityContext_=table(allowPrivilegeEscalation_=FLAG, readOnlyRootFilesystem_=FLAG, capabilities_=table(drop_=rows(LINE))),
    resources_=table(requests_=QUANTITIES, limits_=QUANTITIES),
    volumeMounts=rows(table(name_=DNS, mountPath_={"type": "string", "pattern": "^/"}, readOnly=FLAG)))
VOLUME = {"anyOf": [table(name_=DNS, persistentVolumeClaim_=table(claimName_=DNS)), table(name_=DNS, configMap_=table(name_=DNS)),
                    table(name_=DNS, emptyDir_=table(sizeLimit={"type": "string", "pattern": QUANTITY}))]}
AFFINITY = table(podAffinity_=table(requiredDuringSchedulingIgnoredDuringExecution_=rows(
    table(labelSelector_=SELECTOR, topologyKey_=LINE))))
POD_SECURITY = table(runAsNonRoot_=FLAG, runAsUser_=COUNT, runAsGroup=COUNT, fsGroup=COUNT,
                     seccompProfile_=table(type_=one_of("RuntimeDefault", "Unconfined")))


def pod(**more: Any) -> dict[str, Any]:
    return table(metadata_=POD_METADATA, spec_=table(
        automountServiceAccountToken=FLAG, enableServiceLinks=FLAG, terminationGracePeriodSeconds=COUNT, affinity=AFFINITY,
        securityContext_=POD_SECURITY, containers_=rows(CONTAINER), volumes=rows(VOLUME), **more))


KINDS = {
    "ConfigMap": ("v1", {"data_": LABELS}),
    "PersistentVolumeClaim": ("v1", {"spec_": table(
        accessModes_=rows(one_of("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")),
        resources_=table(requests_=QUANTITIES), storageClassName=DNS)}),
    "CronJob": ("batch/v1", {"spec_": table(
        schedule_=LINE, timeZone=LINE, concurrencyPolicy=one_of("Allow", "Forbid", "Replace"), startingDeadlineSeconds=COUNT,
        successfulJobsHistoryLimit=COUNT, failedJobsHistoryLimit=COUNT, suspend=FLAG,
        jobTemplate_=table(spec_=table(backoffLimit=COUNT, activeDeadlineSeconds=COUNT, ttlSecondsAfterFinished=COUNT,
                                       template_=pod(restartPolicy_=one_of("Never", "OnFailure")))))}),
    "Deployment": ("apps/v1", {"spec_": table(
        replicas=COUNT, strategy=table(type_=one_of("Recreate", "RollingUpdate")), selector_=SELECTOR,
        template_=pod(restartPolicy=one_of("Always")))}),
    "Service": ("v1", {"spec_": table(
        type=one_of("ClusterIP", "NodePort", "LoadBalancer"), selector_=LABELS,
        ports_=rows(table(name=DNS, port_=PORT, targetPort=PORT_OR_NAME)))})}
SCHEMA = table(apiVersion_={"const": "v1"}, kind_={"const": "List"}, items_=rows({"anyOf": [
    table(apiVersion_={"const": version}, kind_={"const": kind}, metadata_=METADATA, **fields)
    for kind, (version, fields) in KINDS.items()]}))
