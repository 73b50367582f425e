"""deploy/compose.yaml: its mounts exist, and only this machine can reach its ports."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from answerback.cli import main
from answerback.cli.serve import command as serve

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = SERVICES["answerback"]

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Where it has what."""
    return {there: here for here, there in (each.split(":")[:2] for each in service["volumes"])}


@each_service
def test_compose_mounts_exist(service: dict[str, Any]) -> None:
    for here in mounts(service).values():
        assert (DEPLOY / here).exists() if here.startswith(".") else here in COMPOSE["volumes"], here


@each_service
def test_compose_publishes_ports_on_loopback_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@each_service
def test_compose_images_have_a_version(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[\w./]+:(v?\d+\.\d+\.\d+|dev)\}", service["image"])


def release(service: str) -> tuple[int, ...]:
    found = re.search(r":v?(\d+)\.(\d+)\.(\d+)\}$", SERVICES[service]["image"])
    assert found
    return tuple(map(int, found.groups()))


def test_compose_grafana_version_has_known_security_fixes() -> None:
    assert release("grafana") >= (12, 4, 10)


def test_compose_image_variables_are_documented_in_releasing() -> None:
    named = {service["image"][2:].partition(":-")[0] for service in SERVICES.values()}
    said = (DEPLOY.parent / "docs" / "releasing.md").read_text()
    assert named == {"ANSWERBACK_IMAGE", "PROMETHEUS_IMAGE", "GRAFANA_IMAGE"}
    assert all(f"{name}=" in said for name in named)


@each_service
def test_compose_service_starts_when_its_dependencies_are_healthy(service: dict[str, Any]) -> None:
    for name, needed in service.get("depends_on", {}).items():
        assert needed == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[name]


def test_compose_server_is_confined() -> None:
    confined = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "mem_limit": "256m"}
    assert confined.items() <= OURS.items()


def test_compose_admin_api_needs_the_secret() -> None:
    assert OURS["environment"]["ANSWERBACK_TOKEN_FILE"] == f"/run/secrets/{OURS['secrets'][0]}"
    assert set(COMPOSE["secrets"]) == set(OURS["secrets"])


def test_serve_accepts_the_arguments_and_environment_of_compose() -> None:
    assert OURS["command"][0] == "serve"
    serve.make_context("serve", OURS["command"][1:])
    known = {option.envvar for option in serve.params}
    assert set(OURS["environment"]) <= known


def test_compose_configuration_is_valid() -> None:
    folder = mounts(OURS)["/etc/answerback"]
    checked = CliRunner().invoke(main, ["check", str(DEPLOY / folder / "answerback.yaml")])
    assert checked.exit_code == 0, checked.output


def test_compose_prometheus_scrapes_the_server_by_name() -> None:
    folder = DEPLOY / mounts(SERVICES["prometheus"])["/etc/prometheus"]
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text())
    assert scraped["scrape_configs"][0]["static_configs"] == [{"targets": ["answerback:9464"]}]
    assert list(folder.glob(scraped["rule_files"][0]))


def test_compose_grafana_has_dashboard_and_data_source() -> None:
    there = mounts(SERVICES["grafana"])
    provisioning = DEPLOY / there["/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "answerback.yml").read_text())["providers"]
    (dashboard,) = (path for path in there if path.startswith(f"{provider['options']['path']}/"))
    assert json.loads((DEPLOY / there[dashboard]).read_text())["panels"]
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == dashboard
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
