"""deploy/helm: for any values the rendered manifests are valid and restricted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import answerback
from answerback.cli import main
from answerback.cli.serve import command as serve
from tests.deploy.charts import CHART, Manifest, complaint, helm, of_kind, one, pod, rendered, workload

RELEASED = "1.37"  # Kubernetes', and kubernetes-validate's own number
KUBERNETES = Path(__file__).parents[2] / "docs" / "how-to" / "kubernetes.md"
OPERATORS = ("PodMonitor", "ServiceMonitor")  # theirs; Kubernetes has no schema of them

TOKEN: Manifest = {"exposed": True, "tokenSecret": {"name": "answerback-token"}}
MUTUAL: Manifest = {"exposed": True, "tls": {"secretName": "answerback-tls", "clientCa": True}}
OPERATOR: Manifest = {"podSelector": {"matchLabels": {"role": "operator"}}}
MONITORED: Manifest = {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True, "labels": {"team": "net"}}}

MATRIX: dict[str, Manifest] = {
    "as it is": {},
    "with state": {"state": {"enabled": True, "storageClass": "fast"}, "replicas": 3},
    "exposed, with a token": {"admin": {**TOKEN, "from": [OPERATOR]}},
    "exposed, to who may only look": {"admin": {"exposed": True, "readTokenSecret": {"name": "look"}}},
    "exposed, by mutual TLS": {"admin": {**MUTUAL, "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
    "monitored": {"metrics": {**MONITORED, "from": [{"namespaceSelector": {}}]}},
    "a configuration of one's own": {"existingConfigMap": "answers"},
    "a load balancer": {
        "service": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "annotations": {"example.com/kind": "internal"},
            "ports": [
                {"name": "smtp", "port": 25, "targetPort": 8025},
                {"name": "pop3", "port": 110, "targetPort": 8110},
            ],
        }
    },
    "named otherwise": {
        "fullnameOverride": "stand-in",
        "nameOverride": "mock",
        "image": {"digest": f"sha256:{'0' * 64}"},
    },
    "without what is around it": {
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "topologySpread": [],
        "drain": {"delaySeconds": 0},
        "resources": {},
    },
    "with all that is around it": {
        "imagePullSecrets": [{"name": "registry"}],
        "workers": 2,
        "engine": "coroutine",
        "podLabels": {"team": "net"},
        "podAnnotations": {"example.com/owner": "net"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
        "networkPolicy": {"from": [OPERATOR]},
        "podDisruptionBudget": {"maxUnavailable": "50%"},
        "serviceAccount": {"name": "responder", "annotations": {"example.com/role": "none"}},
        "extraEnv": [{"name": "ANSWERBACK_DRAIN_DELAY", "value": "2s"}],
        "extraVolumes": [{"name": "tls", "secret": {"secretName": "listener-tls"}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": "/run/tls", "readOnly": True}],
    },
    "everything at once": {
        "state": {"enabled": True},
        "admin": {**TOKEN, **MUTUAL, "readTokenSecret": {"name": "look"}, "from": [OPERATOR]},
        "metrics": MONITORED,
    },
}

GUIDE = [
    yaml.safe_load(text)
    for text in re.findall(r"^```yaml\n(.*?)^```", KUBERNETES.read_text(), re.MULTILINE | re.DOTALL)
]

pytestmark = pytest.mark.programs
each_of_the_matrix = pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())


def check(config_map: Manifest, folder: Path) -> None:
    """`answerback check` what would be mounted."""
    file = folder / "answerback.yaml"
    file.write_text(config_map["data"]["answerback.yaml"])
    checked = CliRunner().invoke(main, ["check", str(file)])
    assert checked.exit_code == 0, checked.output


@each_of_the_matrix
def test_helm_lint_reports_nothing(values: Manifest) -> None:
    helm("lint", "--strict", "--quiet", CHART, values=values)


@each_of_the_matrix
def test_chart_manifests_are_valid_for_kubernetes(values: Manifest) -> None:
    import kubernetes_validate

    for manifest in rendered(values):
        if manifest["kind"] not in OPERATORS:
            kubernetes_validate.validate(manifest, RELEASED, strict=True)


@each_of_the_matrix
def test_serve_accepts_the_arguments_of_the_pod(values: Manifest) -> None:
    (container,) = pod(values)["containers"]
    assert container["args"][0] == "serve"
    serve.make_context("serve", list(container["args"][1:]))


@each_of_the_matrix
def test_chart_volumes_are_mounted_and_argument_paths_exist(values: Manifest) -> None:
    spec = pod(values)
    (container,) = spec["containers"]
    claims = [each["metadata"]["name"] for each in workload(values)["spec"].get("volumeClaimTemplates", [])]
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in spec["volumes"]} | set(claims)
    for argument in container["args"]:
        path = argument.partition("=")[2]
        if path.startswith("/"):
            assert any(Path(path).is_relative_to(place) for place in mounted.values()), argument


@each_of_the_matrix
def test_chart_pods_meet_pod_security_restricted(values: Manifest) -> None:
    (test,) = of_kind("Pod", values=values)
    for spec in (pod(values), test["spec"]):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@each_of_the_matrix
def test_selectors_match_the_pods_and_not_the_test_pod(values: Manifest) -> None:
    labels = workload(values)["spec"]["template"]["metadata"]["labels"].items()
    (test,) = (each["metadata"]["labels"].items() for each in of_kind("Pod", values=values))
    selectors = [each["spec"]["selector"] for each in of_kind("Service", values=values)]
    selecting = of_kind("Deployment", "StatefulSet", "PodDisruptionBudget", "PodMonitor", values=values)
    selectors += [each["spec"]["selector"]["matchLabels"] for each in selecting]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in of_kind("NetworkPolicy", values=values)]
    for selector in selectors:
        assert selector.items() <= labels
        assert not selector.items() <= test


@each_of_the_matrix
def test_termination_grace_period_exceeds_pre_stop_and_grace(values: Manifest) -> None:
    spec = pod(values)
    (container,) = spec["containers"]
    (grace,) = (int(each.removeprefix("--grace=").removesuffix("s")) for each in container["args"] if "--grace" in each)
    waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert spec["terminationGracePeriodSeconds"] > waits + grace


def test_pod_waits_5_s_before_stop_and_has_25_s_of_grace() -> None:
    (container,) = pod()["containers"]
    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    assert "--grace=25s" in container["args"]


def test_pod_probes_use_the_metrics_port() -> None:
    (container,) = pod()["containers"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {get["port"] for get in asked.values()} == {"metrics"}
    assert asked["livenessProbe"]["path"] == "/healthz"
    assert asked["readinessProbe"]["path"] == "/readyz"
    assert {"name": "metrics", "containerPort": 9464, "protocol": "TCP"} in container["ports"]


def test_config_map_is_valid_mounted_and_watched(tmp_path: Path) -> None:
    check(one("ConfigMap"), tmp_path)
    (container,) = pod()["containers"]
    assert {"--config=/etc/answerback/answerback.yaml", "--watch-config"} <= set(container["args"])
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "config")
    assert "subPath" not in mount  # such a file is never changed by the kubelet


def test_chart_configuration_is_rendered_unchanged() -> None:
    config = {
        "listeners": [{"name": "odd", "address": "0.0.0.0:8000", "rules": [{"do": [{"send": "${{x}} {{ y }}\r\n"}]}]}]
    }
    assert yaml.safe_load(one("ConfigMap", {"config": config})["data"]["answerback.yaml"]) == config


def test_new_configuration_leaves_the_deployment_unchanged() -> None:
    config = {"listeners": [{"name": "other", "address": "0.0.0.0:8000", "rules": [{"do": ["close"]}]}]}
    assert one("Deployment", {"config": config}) == one("Deployment")


def test_state_enabled_renders_a_stateful_set_with_a_volume_per_pod() -> None:
    assert workload()["kind"] == "Deployment"
    stateful = workload({"state": {"enabled": True, "size": "2Gi"}})
    assert stateful["kind"] == "StatefulSet"
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert stateful["spec"]["serviceName"] == one("Service", name="demo-answerback-pods")["metadata"]["name"]


def test_chart_admin_api_stays_within_the_pod_by_default() -> None:
    (container,) = pod()["containers"]
    assert "--admin=127.0.0.1:50051" in container["args"]
    assert "50051" not in json.dumps(of_kind("Service", "NetworkPolicy"))


def test_network_policy_admits_only_named_clients_to_the_admin_api() -> None:
    def admitted(values: Manifest) -> list[Any]:
        rules = one("NetworkPolicy", {"admin": values})["spec"]["ingress"]
        return [rule.get("from") for rule in rules if {"port": "admin", "protocol": "TCP"} in rule["ports"]]

    assert admitted(TOKEN) == []
    assert admitted({**TOKEN, "from": [OPERATOR]}) == [[OPERATOR]]


@pytest.mark.parametrize(
    "named, admitted",
    [([], [{"podSelector": {}}]), ([{"namespaceSelector": {}}], [{"namespaceSelector": {}}])],
    ids=["own namespace", "every namespace"],
)
def test_metrics_port_admits_its_own_namespace_by_default(named: list[Any], admitted: list[Any]) -> None:
    (rule,) = (
        rule
        for rule in one("NetworkPolicy", {"metrics": {"from": named}})["spec"]["ingress"]
        if {"port": "metrics", "protocol": "TCP"} in rule["ports"]
    )
    assert rule["from"][: len(admitted)] == admitted
    assert len(rule["from"]) == len(admitted) + bool(named)  # and the pod of `helm test`, where it is not in it


def test_network_policy_allows_no_egress() -> None:
    spec = one("NetworkPolicy")["spec"]
    assert (spec["policyTypes"], spec["egress"]) == (["Ingress", "Egress"], [])


def test_network_policy_admits_the_helm_test_pod() -> None:
    values = {"networkPolicy": {"from": [OPERATOR]}, "metrics": {"from": [OPERATOR]}}
    (test,) = (each["metadata"]["labels"] for each in of_kind("Pod", values=values))
    for rule in one("NetworkPolicy", values)["spec"]["ingress"]:
        _, ours = rule["from"]
        assert ours["podSelector"]["matchLabels"].items() <= test.items()


def test_helm_test_program_compiles() -> None:
    (container,) = one("Pod", name="demo-answerback-test")["spec"]["containers"]
    assert container["command"] == ["python", "-c"]
    compile(container["args"][0], "helm test", "exec")


def test_pod_and_service_monitors_scrape_the_metrics_port() -> None:
    endpoint = {"port": "metrics", "path": "/metrics", "interval": "15s"}
    assert one("PodMonitor", {"metrics": MONITORED})["spec"]["podMetricsEndpoints"] == [endpoint]
    monitor = one("ServiceMonitor", {"metrics": MONITORED})
    assert monitor["spec"]["endpoints"] == [endpoint]
    assert monitor["metadata"]["labels"]["team"] == "net"
    service = one("Service", name="demo-answerback-pods")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert "metrics" in [port["name"] for port in service["spec"]["ports"]]


def test_helm_notes_state_the_address_and_the_next_commands() -> None:
    def notes(values: Manifest) -> str:
        text = helm("install", "demo", CHART, "--dry-run=client", values=values)
        return text.partition("NOTES:")[2]

    assert "demo-answerback.default.svc:8000" in notes({})
    assert "helm test demo" in notes({})
    assert "statefulset/demo-answerback" in notes({"state": {"enabled": True}})
    assert "changes only the pod that it reached" in notes({"replicas": 2})
    assert "list the allowed peers in admin.from" in notes({"admin": TOKEN})


@pytest.mark.parametrize(
    "values, why",
    [
        ({"admin": {"exposed": True}}, "the admin API needs authentication"),
        ({"admin": {"exposed": True, "tls": {"secretName": "tls"}}}, "the admin API needs authentication"),
        ({"admin": {"tls": {"clientCa": True}}}, "admin.tls.clientCa: set admin.tls.secretName"),
        ({"colour": "blue"}, "additional properties 'colour' not allowed"),
        ({"admin": {"open": True}}, "additional properties 'open' not allowed"),
        ({"service": {"ports": []}}, "minItems"),
        ({"service": {"ports": [{"name": "smtp", "port": 25, "targetPort": 25}]}}, "minimum: got 25, want 1,024"),
        ({"service": {"ports": [{"name": "metrics", "port": 80, "targetPort": 8080}]}}, "'not' failed"),
        ({"replicas": "three"}, "got string, want integer"),
        ({"workers": 65}, "maximum: got 65, want 64"),
        ({"engine": "threads"}, "value must be one of"),
        ({"image": {"digest": "latest"}}, "does not match pattern"),
        ({"drain": {"graceSeconds": "25s"}}, "got string, want integer"),
        ({"admin": {"from": [{}]}}, "minProperties"),
        ({"state": {"size": "much"}}, "does not match pattern"),
    ],
)
def test_contradictory_values_are_rejected_with_the_reason(values: Manifest, why: str) -> None:
    assert why in complaint(values)


def test_values_schema_is_strict_and_lists_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def walk(schema: Any, path: str) -> None:
        if not isinstance(schema, dict):
            return
        if "properties" in schema:
            assert schema.get("additionalProperties") is False, path
        for name, inner in schema.items():
            walk(inner, f"{path}.{name}")

    walk(schema, "$")
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}


def test_chart_version_equals_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == answerback.__version__


@pytest.mark.parametrize("values", GUIDE)
def test_values_in_the_kubernetes_guide_render_valid_configurations(values: Manifest, tmp_path: Path) -> None:
    for manifest in of_kind("ConfigMap", values=values):
        check(manifest, tmp_path)
