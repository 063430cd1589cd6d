"""No cluster runs here, so every name in deploy/kubernetes is compared with the code that must know it."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from django.conf import settings
from django.urls import resolve

from config.env import Env
from config.stack.nginx import PIECES, RATES, fill_in
from config.stack.processes import AUTOSCALER, GROUPS, PREPARE, processes
from queueing import keys
from queueing.conf import subscriptions, topics

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
HOUSE = {process.name: process for process in processes(host="0.0.0.0", port=8000, static="/data/static")}
SECRET = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "METRICS_TOKEN"}


def documents(*files: str) -> list[dict[str, Any]]:
    return list(chain.from_iterable(yaml.safe_load_all((FOLDER / file).read_text()) for file in files))


ALL = documents(*KUSTOMIZATION["resources"])
NAMED = {(one["kind"], one["metadata"]["name"]): one for one in ALL}
PODS = {name: one["spec"]["template"]["spec"] for (kind, name), one in NAMED.items() if kind in ("Deployment", "Job")}
SCALED = {name: one["spec"] for (kind, name), one in NAMED.items() if kind == "ScaledObject"}
CONSUMERS = {group: ("manage.py", "consume", group) for group in GROUPS}
COMMANDS = {PREPARE.name: PREPARE.arguments} | {
    name: process.arguments for name, process in HOUSE.items() if name != AUTOSCALER
}


def test_every_file_is_used_or_the_other_way_to_scale() -> None:
    files = {path.name for path in FOLDER.iterdir()}

    assert files == {*KUSTOMIZATION["resources"], "kustomization.yml", "keda-redis-streams.yml"}
    assert len(NAMED) == len(ALL), "two things have one name"


def test_the_pods_are_the_processes_with_consumers_instead_of_their_autoscaler() -> None:
    assert set(PODS) == {*COMMANDS, *CONSUMERS, "gateway"}
    assert set(SCALED) == set(CONSUMERS) == set(subscriptions())


@pytest.mark.parametrize(("name", "arguments"), [*COMMANDS.items(), *CONSUMERS.items()])
def test_each_pod_runs_the_command_of_its_process(name: str, arguments: tuple[str, ...]) -> None:
    [container] = PODS[name]["containers"]

    assert container["args"] == ["python", *arguments]
    assert container["image"] == "sluice"
    assert {"configMapRef": {"name": "sluice"}} in container["envFrom"]
    assert {"secretRef": {"name": "sluice"}} in container["envFrom"]


@pytest.mark.parametrize("name", sorted(PODS))
def test_what_selects_a_pod_is_what_it_bears_and_what_it_mounts_is_there(name: str) -> None:
    volumes = {volume["name"] for volume in PODS[name].get("volumes", [])}
    mounts = [mount for one in PODS[name]["containers"] for mount in one.get("volumeMounts", [])]

    assert {mount["name"] for mount in mounts} <= volumes
    if ("Deployment", name) in NAMED:
        spec = NAMED["Deployment", name]["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"app": name}


def test_the_house_is_told_only_what_it_reads_and_all_that_it_must_know(monkeypatch: pytest.MonkeyPatch) -> None:
    told = NAMED["ConfigMap", "sluice"]["data"]
    known = {name.upper() for name in Env.model_fields}
    documented = re.findall(r"--from-literal=(\w+)=", (ROOT / "docs" / "operations.md").read_text())

    assert set(told) | SECRET <= known
    assert not set(told) & SECRET
    assert set(documented) == SECRET
    with_defaults = {name.upper() for name, field in Env.model_fields.items() if field.default != ""}
    assert set(COMPOSE["services"]["web"]["environment"]) - set(told) - SECRET <= {
        *with_defaults,
        "SECRET_KEY_FALLBACKS",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    env = Env(_env_file=None)
    assert (env.gateway, env.log_format, env.behind_https) == ("nginx", "json", True)


def test_services_lead_to_the_pods_and_ports_that_the_others_name() -> None:
    told = NAMED["ConfigMap", "sluice"]["data"]
    web = NAMED["Service", "web"]["spec"]
    [container] = PODS["web"]["containers"]
    arguments = HOUSE["web"].arguments

    assert web["selector"] == {"app": "web"}
    assert [port["port"] for port in web["ports"]] == [port["containerPort"] for port in container["ports"]] == [8000]
    assert arguments[arguments.index("--port") + 1] == "8000"
    assert told["SELF_URL"] == "http://web:8000"
    assert {"web", "web.sluice.svc"} <= set(told["ALLOWED_HOSTS"].split(",")), "the demo bank's, and Prometheus's"
    probe = container["readinessProbe"]["httpGet"]
    assert resolve(probe["path"]).func.__name__ == "readyz", (
        "not /healthz: a silent consumer must not take the web away"
    )
    assert probe["httpHeaders"] == [{"name": "Host", "value": "web"}]


def test_the_gateway_is_composes_with_the_same_blanks_and_files() -> None:
    [nginx], [files] = PODS["gateway"]["containers"], PODS["gateway"]["initContainers"]
    given = {one["name"]: one["value"] for one in nginx["env"]}
    compose = COMPOSE["services"]["nginx"]

    assert nginx["image"] == compose["image"]
    assert given == {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in compose["environment"].items()
    }
    conf = fill_in((ROOT / "deploy/nginx/nginx.conf.template").read_text(), given)
    listens = re.search(r"listen (\d+) ", conf)
    assert listens
    ports = {port["name"]: port["containerPort"] for port in nginx["ports"]}
    assert ports == {"http": int(listens[1]), "status": int(given["NGINX_STATUS"])}
    asked = urlsplit(NAMED["ConfigMap", "sluice"]["data"]["GATEWAY_STATUS"])
    assert NAMED["Service", asked.hostname]["spec"]["ports"] == [
        {"name": "status", "port": asked.port, "targetPort": "status"}
    ]
    assert asked.path == urlsplit(COMPOSE["services"]["web"]["environment"]["GATEWAY_STATUS"]).path
    assert "type" not in NAMED["Service", "gateway-status"]["spec"], "never for the public"
    assert [port["targetPort"] for port in NAMED["Service", "gateway"]["spec"]["ports"]] == ["http"]
    for name in RATES:
        assert given[name.upper()] == str(Env.model_fields[name].default)
    [script] = files["args"]
    copied = dict(re.findall(r"cp (\S+) /data/(\S+)", script))
    assert all((ROOT / name).exists() for name in copied)
    mounts = {mount["mountPath"]: mount.get("subPath") for mount in nginx["volumeMounts"]}
    assert mounts["/etc/nginx/templates"] == "templates"
    assert mounts[given["NGINX_RUN"]] is None
    composed = {volume.split(":")[0]: volume.split(":")[1] for volume in compose["volumes"]}
    for source, target in copied.items():
        there = composed[f"./{source}"]
        assert there == f"/etc/nginx/{target}"
    assert {Path(source).name for source in copied} == {"nginx.conf.template", *PIECES}
    assert "collectstatic" in script


@pytest.mark.parametrize("group", GROUPS)
def test_keda_scales_by_the_rule_of_the_autoscaler(group: str) -> None:
    limits, scaled = subscriptions()[group].scaling, SCALED[group]
    [trigger] = scaled["triggers"]
    query = trigger["metadata"]["query"]

    assert scaled["scaleTargetRef"] == {"name": group}
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (limits.least, limits.most)
    assert set(re.findall(r'group="(\w+)"', query)) == {group}
    assert [float(n) for n in re.findall(r"[<>] (\d+)", query)] == [limits.up, limits.down]
    assert re.search(r"2 \* max\(.* > \d+\)", query)
    assert re.search(r"\) / 2 and .* < \d+\)", query)
    assert trigger["metadata"]["threshold"] == "1"
    assert "replicas" not in NAMED["Deployment", group]["spec"], "or each `apply` would undo the scaling"
    behaviour = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    [up], [down] = behaviour["scaleUp"]["policies"], behaviour["scaleDown"]["policies"]
    assert (up["value"], up["periodSeconds"]) == (100, limits.up_pause_s)
    assert (down["value"], down["periodSeconds"]) == (50, limits.down_pause_s)
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == limits.down_pause_s


def test_keda_by_redis_streams_names_the_streams_and_splits_the_threshold() -> None:
    found = {one["metadata"]["name"]: one["spec"] for one in documents("keda-redis-streams.yml")}
    partitions = int(settings.QUEUEING["TOPICS"]["orders.events"]["partitions"])

    dynamic = {name for name, topic in topics().items() if topic.dynamic}
    assert set(found) == {group for group in GROUPS if group != "orders"}
    assert set(subscriptions()["orders"].topics) & dynamic
    for group, spec in found.items():
        limits = subscriptions()[group].scaling
        assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (limits.least, limits.most)
        streams = [trigger["metadata"]["stream"] for trigger in spec["triggers"]]
        assert streams == [keys.log("orders.events", str(number)) for number in range(partitions)]
        assert {trigger["metadata"]["consumerGroup"] for trigger in spec["triggers"]} == {group}
        assert sum(int(trigger["metadata"]["lagCount"]) for trigger in spec["triggers"]) == limits.up
        assert "orders.events" in subscriptions()[group].topics


def test_what_cannot_be_two_is_one() -> None:
    assert NAMED["Deployment", "beat"]["spec"]["replicas"] == 1
    assert NAMED["Deployment", "beat"]["spec"]["strategy"] == {"type": "Recreate"}
    assert NAMED["Deployment", "gateway"]["spec"]["replicas"] == 1
