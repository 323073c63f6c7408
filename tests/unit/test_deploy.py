"""The files in deploy/ and docker-compose.yml fit their schemas, and each other, and the code."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import promql_parser
import pytest
import yaml

from live.socketio.application import PATH as SOCKETS
from relaybase.http.bodies import MAX_BODY_BYTES
from relaycore.publishing.parsing import MOST_BYTES
from relayproject.processes import processes

ROOT = Path(__file__).parents[2]
KUBERNETES = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
OBSERVABILITY = ROOT / "deploy/observability"


def _objects() -> list[dict[str, Any]]:
    return [found for path in KUBERNETES for found in yaml.safe_load_all(path.read_text())]


def _named(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in _objects() if found["kind"] == kind}


def test_docker_compose_fits_the_compose_schema() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
        + [str(ROOT / "docker-compose.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_all_services_of_a_kind_do_the_same() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["listeners-b"] == services["listeners"]
    assert services["writers-b"] == services["writers"]
    # From outside only the proxy can be reached, and on this host Redis, by those who publish.
    reached = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert reached.pop("redis") == ["${RELAY_REDIS_ADDRESS:-127.0.0.1:6379}:6379"]
    assert list(reached) == ["proxy"]
    assert all(
        "healthcheck" in services[name] for name in services if name not in {"prepare", "proxy", "beat"}
    )


@pytest.mark.parametrize(
    "found", _objects(), ids=lambda found: f"{found['kind']}-{found['metadata']['name']}"
)
def test_kubernetes_objects_fit_their_schemas(found: dict[str, Any]) -> None:
    kubernetes_validate.validate(found, "1.33", strict=True)
    assert found["kind"] == "Namespace" or found["metadata"]["namespace"] == "relay"


@pytest.mark.parametrize("process", processes({}), ids=lambda process: process.name)
def test_kubernetes_runs_each_process_with_its_arguments(process: Any) -> None:
    deployment = _named("Deployment")[process.name]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    expected = [part.replace("127.0.0.1", "0.0.0.0") for part in process.argv("python")]
    assert container["command"] == expected
    if process.name != "beat":
        assert deployment["spec"]["replicas"] == 2
        assert _named("PodDisruptionBudget")[process.name]["spec"]["minAvailable"] == 1
        assert "livenessProbe" in container


def test_live_runs_what_web_runs() -> None:
    live, web = (
        _named("Deployment")[name]["spec"]["template"]["spec"]["containers"][0] for name in ("live", "web")
    )
    assert live["command"] == web["command"]
    assert live["envFrom"] == web["envFrom"]


def test_kubernetes_sets_all_that_docker_compose_sets() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = [service["environment"] for service in services.values() if service.get("build") == "."]
    assert len(ours) > len(processes({}))
    settings, secret = _named("ConfigMap")["relay"]["data"], _named("Secret")["relay"]["stringData"]
    assert {name for environment in ours for name in environment} == {*settings, *secret}
    # What is secret there comes from whoever starts it, and stands in no configuration here.
    assert {"RELAY_SECRET_KEY", "RELAY_ENCRYPTION_KEYS", "RELAY_METRICS_TOKEN"} <= set(secret)
    assert not any("CHANGE-ME" in value for value in settings.values())


@pytest.mark.parametrize("name", [*_named("Deployment"), *_named("Job")])
def test_every_pod_is_given_all_settings_and_states_none_by_itself(name: str) -> None:
    """A site's name is changed in one place: senders put links into challenges, web answers under it."""
    found = (_named("Deployment") | _named("Job"))[name]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": "relay"}}, {"secretRef": {"name": "relay"}}]
    settings = _named("ConfigMap")["relay"]["data"]
    for one in container.get("env", []):
        for value in settings.values():
            assert len(value) < 3 or value not in one.get("value", ""), one["name"]


def test_one_name_of_the_site_is_in_all_that_has_it() -> None:
    settings = _named("ConfigMap")["relay"]["data"]
    name = urlsplit(settings["RELAY_PUBLIC_URL"]).hostname
    assert settings["RELAY_CSRF_TRUSTED_ORIGINS"] == settings["RELAY_PUBLIC_URL"] == f"https://{name}"
    assert name in settings["RELAY_ALLOWED_HOSTS"].split(",")
    for ingress in _named("Ingress").values():
        assert {rule["host"] for rule in ingress["spec"]["rules"]} == {name}
        assert {host for tls in ingress["spec"]["tls"] for host in tls["hosts"]} == {name}


def test_probes_ask_under_a_name_that_is_answered() -> None:
    allowed = _named("ConfigMap")["relay"]["data"]["RELAY_ALLOWED_HOSTS"].split(",")
    asked = {
        header["value"]
        for found in _named("Deployment").values()
        for container in found["spec"]["template"]["spec"]["containers"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        for header in container.get(kind, {}).get("httpGet", {}).get("httpHeaders", [])
        if header["name"] == "Host"
    }
    assert asked == {"web", "live"}
    assert asked <= set(allowed)


def _backends(ingress: dict[str, Any]) -> dict[str, str]:
    """Services, by path."""
    return {
        path["path"]: path["backend"]["service"]["name"]
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def test_the_polls_of_a_client_come_to_the_same_pod() -> None:
    """ingress-nginx keeps what is said of that for each service: the first ingress that names it counts."""
    others = list(_named("Ingress").values())
    (sockets,) = [found for found in others if SOCKETS in _backends(found)]
    others.remove(sockets)
    hashed = sockets["metadata"]["annotations"]["nginx.ingress.kubernetes.io/upstream-hash-by"]
    assert hashed == "$remote_addr"
    service = _backends(sockets)[SOCKETS]
    assert all(service not in _backends(found).values() for found in others)
    services = _named("Service")
    assert services[service]["spec"] == services["live"]["spec"]
    assert {name for found in others for name in _backends(found).values()} == {"web", "live"}


def test_pods_are_not_root_and_may_not_become_it() -> None:
    for name, found in {**_named("Deployment"), **_named("Job")}.items():
        pod = found["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert not pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"], name


def test_budgets_and_services_choose_pods_that_there_are() -> None:
    labels = [found["spec"]["template"]["metadata"]["labels"] for found in _named("Deployment").values()]
    for found in [*_named("PodDisruptionBudget").values(), *_named("Service").values()]:
        selector = found["spec"]["selector"]
        assert selector.get("matchLabels", selector) in labels


# --- observability -----------------------------------------------------------------------


def _alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((OBSERVABILITY / "dashboard.json").read_text())["panels"]
    return panels


def _queries() -> Iterator[str]:
    yield from (rule["expr"] for rule in _alerts())
    yield from (target["expr"] for panel in _panels() for target in panel.get("targets", []))


def _metrics() -> set[str]:
    """Every name that the code can give out."""
    source = "".join(path.read_text() for path in (ROOT / "relayproject/observing").glob("*.py"))
    found = set(re.findall(r'"(relay_\w+)"', source))
    for name in re.findall(r'^    "(\w+)": "', source, re.M):
        found |= {f"relay_messages_{name}", f"relay_{name}"}
    endings = ("", "_total", "_bucket", "_sum", "_count")
    return {name + ending for name in found for ending in endings}


@pytest.mark.parametrize("query", sorted(set(_queries())))
def test_every_query_parses_and_asks_for_metrics_that_there_are(query: str) -> None:
    promql_parser.parse(query.replace("$__rate_interval", "1m"))
    asked = set(re.findall(r"relay_\w+", query))
    assert asked
    assert asked <= _metrics()


@pytest.mark.parametrize("rule", _alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_has_a_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.M)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_alerts_fire_when_they_should_and_only_then() -> None:
    run = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yml"],
        cwd=OBSERVABILITY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    cases = yaml.safe_load((OBSERVABILITY / "alerts_test.yml").read_text())["tests"]
    fired = {
        check["alertname"] for case in cases for check in case["alert_rule_test"] if check.get("exp_alerts")
    }
    assert fired == {rule["alert"] for rule in _alerts()}


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    dashboard = json.loads((OBSERVABILITY / "dashboard.json").read_text())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= dashboard.keys()
    ids = [panel["id"] for panel in _panels()]
    assert len(ids) == len(set(ids))
    cells: set[tuple[int, int]] = set()
    for panel in _panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, f"{panel['title']} covers another panel"
        cells |= mine


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-kubernetes.yml"])
def test_prometheus_loads_the_alerts_and_sends_a_token(name: str) -> None:
    config = yaml.safe_load((OBSERVABILITY / name).read_text())
    assert config["rule_files"] == ["alerts.yml"]
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert job["authorization"]["credentials_file"]


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-kubernetes.yml"])
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_its_configuration(name: str, tmp_path: Path) -> None:
    config = yaml.safe_load((OBSERVABILITY / name).read_text())
    (job,) = config["scrape_configs"]
    job["authorization"]["credentials_file"] = str(tmp_path / "token")
    job.pop("kubernetes_sd_configs", None)  # Debian's is built without.
    (tmp_path / "token").write_text("token")
    (tmp_path / name).write_text(yaml.safe_dump(config))
    shutil.copy(OBSERVABILITY / "alerts.yml", tmp_path)
    run = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def _is_uvicorn(command: Any) -> bool:
    return "uvicorn" in (command if isinstance(command, str) else " ".join(map(str, command or ())))


def test_prometheus_asks_every_service_that_answers() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    answering = {name for name, service in compose["services"].items() if _is_uvicorn(service.get("command"))}
    (job,) = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())["scrape_configs"]
    always = {target for found in job["static_configs"] for target in found["targets"]}
    maybe = {f"{one}:{found['port']}" for found in job["dns_sd_configs"] for one in found["names"]}
    assert answering == {"web", "live"}
    assert always | maybe == {f"{name}:8000" for name in answering}
    # What does not always run is none that is down.
    assert maybe == {f"{name}:8000" for name in answering if "profiles" in compose["services"][name]}
    # Asked by a name that is one of ours, whatever its address is.
    (relabel,) = job["relabel_configs"]
    assert relabel == {
        "source_labels": ["__meta_dns_name"],
        "regex": "(.+)",
        "target_label": "__address__",
        "replacement": "$1:8000",
    }
    hosts = compose["services"]["web"]["environment"]["RELAY_ALLOWED_HOSTS"].split(",")
    assert answering <= set(hosts)


def test_prometheus_asks_every_pod_that_answers() -> None:
    (job,) = yaml.safe_load((OBSERVABILITY / "prometheus-kubernetes.yml").read_text())["scrape_configs"]
    keeps = {one["source_labels"][0]: one["regex"] for one in job["relabel_configs"] if "regex" in one}
    (settings,) = (found for found in _objects() if found["kind"] == "ConfigMap")
    answering = set()
    for deployment in _named("Deployment").values():
        pod = deployment["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        if not _is_uvicorn([*container.get("command", []), *container.get("args", [])]):
            continue
        answering.add(pod["metadata"]["labels"]["app"])
        assert [port["name"] for port in container["ports"]] == [
            keeps["__meta_kubernetes_pod_container_port_name"]
        ]
        # By its address, which is one of its names.
        own, configured, hosts = container["env"]
        assert own == {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
        key = {"name": settings["metadata"]["name"], "key": "RELAY_ALLOWED_HOSTS"}
        assert configured == {"name": "SITE_HOSTS", "valueFrom": {"configMapKeyRef": key}}
        assert hosts == {"name": "RELAY_ALLOWED_HOSTS", "value": "$(SITE_HOSTS),$(POD_IP)"}
    assert answering == set(keeps["__meta_kubernetes_pod_label_app"].split("|"))
    assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == [settings["metadata"]["namespace"]]


def test_the_version_is_the_same_wherever_it_is_stated() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    heading = re.search(r"^## (?:Unreleased \()?([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == version
    stated = [
        re.findall(r"relay:([0-9.]+)", path.read_text()) for path in (ROOT / "deploy/kubernetes").iterdir()
    ]
    assert {found for of_one in stated for found in of_one} == {version}


@pytest.mark.parametrize(
    ("path", "is_large"),
    [
        ("/api/v1/channels/orders/messages", True),
        ("/api/v1/channels/orders/new/messages/", True),
        ("/api/v1/channels/messages", False),
        ("/api/v1/start-listening", False),
    ],
)
def test_the_proxy_takes_bodies_as_large_as_web_does(path: str, is_large: bool) -> None:
    """Caddy matches a path whose quotes are gone."""
    text = (ROOT / "deploy/proxy/Caddyfile").read_text()
    sizes = dict(re.findall(r"request_body @(\w+) \{\s*max_size (\d+)MiB\s*\}", text))
    (publish,) = re.findall(r"@publish path_regexp (\S+)", text)
    (other,) = re.findall(r"@other not path_regexp (\S+)", text)

    assert publish == other
    assert (re.search(publish, path) is not None) is is_large
    assert int(sizes["publish"]) << 20 == MOST_BYTES
    assert int(sizes["other"]) << 20 == MAX_BODY_BYTES
