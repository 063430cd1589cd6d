"""No Docker engine runs here, so every name in the containers' files is compared with the code that must know it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.urls import resolve

from config.env import Env
from config.stack.nginx import PIECES, RATES, fill_in
from config.stack.postgres import MAJOR
from config.stack.processes import PREPARE, processes
from config.stack.valkey import Valkey

BASE = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((BASE / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (BASE / "deploy" / "Dockerfile").read_text()
NGINX = (BASE / "deploy" / "nginx" / "nginx.conf.template").read_text()
STRANGERS = {"postgres", "redis", "nginx"}
HOUSE = {process.name: process for process in processes(host="0.0.0.0", port=8000, static="/data/static")}
KNOWN = {name.upper() for name in Env.model_fields}


def words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else command


def test_the_containers_are_the_processes_of_the_local_stack() -> None:
    assert set(SERVICES) - STRANGERS == {PREPARE.name, *HOUSE}


@pytest.mark.parametrize("name", [PREPARE.name, *HOUSE])
def test_each_container_runs_the_command_of_its_process(name: str) -> None:
    process = HOUSE.get(name, PREPARE)

    assert words(SERVICES[name]["command"]) == ["python", *process.arguments]


def test_the_image_by_itself_is_the_web() -> None:
    command = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)

    assert command
    assert json.loads(command[1]) == ["python", *HOUSE["web"].arguments]


@pytest.mark.parametrize("name", [PREPARE.name, *HOUSE])
def test_each_container_sets_only_variables_that_are_read_and_all_that_must_be(name: str) -> None:
    environment = SERVICES[name]["environment"]

    assert set(environment) <= KNOWN
    assert {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DATA_DIR"} <= set(environment)


def test_the_environments_values_name_containers_and_ports_that_exist() -> None:
    environment = SERVICES["web"]["environment"]

    assert re.search(r"@(\w+)/postgres$", environment["DATABASE_URL"])[1] == "postgres"  # type: ignore[index]
    assert environment["REDIS_URL"] == "redis://redis:6379/0"
    assert environment["SELF_URL"] == "http://web:8000"
    assert environment["ALLOWED_HOSTS"].endswith(",web"), "Django refuses the demo bank's webhook otherwise"


def test_the_environments_values_are_ones_the_code_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["web"]["environment"].items():
        filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "given", filled))

    env = Env(_env_file=None)

    assert env.database_url == "postgresql://postgres:given@postgres/postgres"
    assert env.allowed_hosts == "localhost,127.0.0.1,[::1],web"
    assert env.payment_due_s == Env.model_fields["payment_due_s"].default
    assert env.carrier_step_s == Env.model_fields["carrier_step_s"].default


def test_every_variable_to_fill_in_stands_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (BASE / "docker-compose.yml").read_text()))

    assert asked
    assert asked <= set(example())


def example() -> dict[str, str]:
    lines = (BASE / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_example_has_every_variable_with_its_meaning_and_default() -> None:
    text = (BASE / ".env.example").read_text()
    given = example()

    assert set(given) - {"POSTGRES_PASSWORD"} == KNOWN
    for name, field in Env.model_fields.items():
        assert f"# {field.description}\n{name.upper()}=" in text
        default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        assert given[name.upper()] == default


def test_every_file_that_is_mounted_built_or_copied_exists() -> None:
    build = SERVICES["web"]["build"]
    mounted = [volume.split(":")[0] for volume in SERVICES["nginx"]["volumes"] if volume.startswith("./")]
    copied = [name for names in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for name in names.split()]

    for name in [build["dockerfile"], *mounted, *copied]:
        assert (BASE / name).exists(), name
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {name for name in used if not name.startswith("./")} == set(COMPOSE["volumes"])


def test_the_data_folder_is_one_everywhere() -> None:
    assert SERVICES["web"]["environment"]["DATA_DIR"] == "/data"
    assert "data:/data" in SERVICES["web"]["volumes"]
    assert "data:/data:ro" in SERVICES["nginx"]["volumes"]
    assert "DATA_DIR=/data" in DOCKERFILE
    assert re.search(r"^VOLUME /data$", DOCKERFILE, re.MULTILINE)


def test_everybody_waits_for_the_schema_and_the_schema_for_the_servers() -> None:
    for name in HOUSE:
        assert SERVICES[name]["depends_on"] == {PREPARE.name: {"condition": "service_completed_successfully"}}
    for name in ("postgres", "redis"):
        assert SERVICES[PREPARE.name]["depends_on"][name] == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[name]


def test_redis_keeps_what_it_acknowledged_as_it_does_locally(tmp_path: Path) -> None:
    server, *options = words(SERVICES["redis"]["command"])
    given = dict(zip(options[::2], options[1::2], strict=True))
    local = Valkey(tmp_path).settings

    assert server == "valkey-server"
    for name in ("appendonly", "appendfsync", "save", "auto-aof-rewrite-min-size", "maxmemory-policy"):
        assert given[f"--{name}"] == local[name]


def test_postgresql_is_the_version_that_runs_locally() -> None:
    assert SERVICES["postgres"]["image"].split(":")[1].split("-")[0] == str(MAJOR)
    # From 18 on, the image keeps its data one folder higher than before.
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_whether_the_web_is_ready_is_asked_where_the_code_answers() -> None:
    question = " ".join(SERVICES["web"]["healthcheck"]["test"])
    url = re.search(r"http://127\.0\.0\.1:8000(/\w+)", question)

    assert url
    assert resolve(url[1]).func.__name__ == "readyz"


def test_the_gateways_blanks_are_filled_in_by_its_image() -> None:
    given = SERVICES["nginx"]["environment"]
    filled = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in given.items()}

    conf = fill_in(NGINX, filled)

    assert re.search(r"upstream web \{\s*server web:8000;", conf)
    assert f'location {settings.STATIC_URL} {{\n            alias "{filled["NGINX_STATIC"]}/";' in conf
    assert filled["NGINX_STATIC"] == HOUSE["web"].arguments[HOUSE["web"].arguments.index("--static-path-mount") + 1]
    listens = re.search(r"listen (\d+) ", conf)
    assert listens
    assert SERVICES["nginx"]["ports"] == [f"${{PORT:-8000}}:{listens[1]}"]
    assert SERVICES["nginx"]["tmpfs"] == [filled["NGINX_RUN"]]
    for name in RATES:
        assert filled[name.upper()] == str(Env.model_fields[name].default)


def test_the_web_asks_the_gateway_what_it_counted_where_nobody_else_can() -> None:
    port = SERVICES["nginx"]["environment"]["NGINX_STATUS"]

    assert SERVICES["web"]["environment"]["GATEWAY_STATUS"] == f"http://nginx:{port}"
    assert not any(published.endswith(f":{port}") for published in SERVICES["nginx"]["ports"])
    for rate in ("GATEWAY_RATE", "ORDERS_RATE"):
        assert SERVICES["web"]["environment"][rate] == SERVICES["nginx"]["environment"][rate], "it shows the limits"


def test_what_the_gateway_passes_on_is_counted_by_the_web_and_not_by_the_gateway() -> None:
    """Both would count it twice, and what is turned away would be told as less than it is."""
    public, fetching = NGINX.split('listen "unix:${NGINX_RUN}/limited.sock"')
    passing_on = [part for part in public.split(" location ") if "proxy_pass http://web;" in part]

    assert len(passing_on) > 2
    assert all("access_log off;" in location for location in passing_on)
    assert "access_log off;" not in fetching


def test_the_gateways_files_are_all_mounted_where_its_image_looks() -> None:
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["nginx"]["volumes"])

    assert mounted["./deploy/nginx/nginx.conf.template"] == "/etc/nginx/templates/nginx.conf.template"
    for piece in PIECES:
        blanks = "${" in (BASE / "deploy" / "nginx" / piece).read_text()
        assert mounted[f"./deploy/nginx/{piece}"] == f"/etc/nginx/{'templates/' if blanks else ''}{piece}" + (
            ".template" if blanks else ""
        )


def test_the_gateway_refuses_the_bodies_that_django_would_refuse() -> None:
    size = re.search(r"client_max_body_size (\d+)k;", NGINX)

    assert size
    assert int(size[1]) * 1024 == settings.DATA_UPLOAD_MAX_MEMORY_SIZE
