"""What the chart makes."""

from itertools import chain

import pytest

from tests.unit.chart.rendering import SERVICES, objects, pod_specs, variables
from tools.chart import misfits
from tools.chart_readme import CHART

PRODUCTION = ("--values", str(CHART / "values" / "production.yaml"))


@pytest.mark.parametrize("options", [(), PRODUCTION], ids=["minikube", "production"])
def test_every_pod_keeps_to_the_restricted_standard(options: tuple[str, ...]) -> None:
    specs = pod_specs(objects(*options))
    assert len(specs) >= 8
    for name, spec in specs.items():
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in chain(spec["containers"], spec.get("initContainers", [])):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert {"requests", "limits"} <= container["resources"].keys(), name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_listens_on_50051_is_probed_by_grpc_and_migrates_first(service: str) -> None:
    found = objects()
    spec = found["Deployment", f"demo-{service}"]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert container["readinessProbe"]["grpc"] == {"port": 50051}
    assert container["livenessProbe"]["grpc"] == {"port": 50051, "service": "liveness"}
    assert spec["initContainers"][0]["args"] == ["migrate"]
    ports = found["Service", f"demo-{service}"]["spec"]["ports"]
    assert [port["port"] for port in ports] == [50051, 9101]


SECURED = {"serviceDefaults.tls.secretName": "*-tls"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_with_a_certificate_speaks_tls_and_is_probed_in_the_clear(service: str) -> None:
    found = objects(values=SECURED)
    spec = found["Deployment", f"demo-{service}"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    read = variables(container)
    assert spec["volumes"][0]["secret"]["secretName"] == service.replace("svc", "tls")
    assert container["volumeMounts"] == [{"name": "tls", "mountPath": "/tls", "readOnly": True}]
    for what in ("GRPC", "METRICS"):
        files = [read[f"{what}_TLS_{part}"] for part in ("CERTIFICATE", "KEY", "CA")]
        assert files == ["/tls/tls.crt", "/tls/tls.key", "/tls/ca.crt"]
    assert read["HEALTH_LISTEN"] == "[::]:50052"
    probes = [container[f"{probe}Probe"]["grpc"]["port"] for probe in ("startup", "liveness", "readiness")]
    assert probes == [50052] * 3
    ports = found["Service", f"demo-{service}"]["spec"]["ports"]
    assert [(port["port"], port.get("appProtocol")) for port in ports] == [(50051, None), (9101, None)]


def test_who_calls_a_service_with_a_certificate_does_so_by_tls() -> None:
    found = objects(values=SECURED | {"serviceMonitor.enabled": True})
    for case in ("completes", "is-undone"):
        spec = found["Pod", f"demo-test-{case}"]["spec"]
        assert variables(spec["containers"][0])["GRPC_TLS_CA"] == "/tls/ca.crt"
        assert spec["volumes"][0]["secret"]["secretName"] == "order-tls"
    (endpoint,) = found["ServiceMonitor", "demo-order-saga"]["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["tlsConfig"]["serverName"]) == ("https", "localhost")


def test_what_is_made_for_tls_is_as_kubernetes_has_it() -> None:
    found = objects(values=SECURED)
    assert [line for document in found.values() for line in misfits(document)] == []


def test_without_a_certificate_nothing_of_tls_is_made() -> None:
    for name, spec in pod_specs(objects()).items():
        for container in spec["containers"]:
            assert not [one for one in variables(container) if "_TLS_" in one or one == "HEALTH_LISTEN"], name


@pytest.mark.parametrize("service", SERVICES)
def test_the_command_line_in_a_pod_finds_the_services_and_shows_the_pod_s_own_status(service: str) -> None:
    (container,) = pod_specs(objects())[f"demo-{service}"]["containers"]
    found = variables(container)
    assert found["ORDER_SVC_ADDRESS"] == "demo-order-svc:50051"
    assert found["ORCHESTRATOR_SVC_ADDRESS"] == "demo-orchestrator-svc:50051"
    assert found["ORDERSAGA_METRICS"] == "localhost:9101"


def test_each_service_has_a_database_and_a_password_of_its_own() -> None:
    found = objects()
    specs = pod_specs(found)
    taken = {}
    for service in SERVICES:
        read = variables(specs[f"demo-{service}"]["containers"][0])
        taken[read["DATABASE_URL"]] = read["DATABASE_PASSWORD"]["secretKeyRef"]["key"]
    assert len(taken) == len(set(taken.values())) == len(SERVICES)
    passwords = found["Secret", "demo-postgres"]["data"]
    assert len(set(passwords.values())) == len(passwords) == len(SERVICES) + 1


def test_the_cluster_id_is_the_same_each_time_and_another_for_another_release() -> None:
    def cluster_id(name: str) -> str:
        return str(variables(pod_specs(objects(name=name))[f"{name}-kafka"]["containers"][0])["CLUSTER_ID"])

    assert cluster_id("demo") == cluster_id("demo") != cluster_id("other")
    assert len(cluster_id("demo")) == 22


def test_three_nodes_are_one_quorum_and_keep_three_copies_of_which_two_are_in_sync() -> None:
    found = objects(values={"kafka.nodes": 3})
    kafka = found["StatefulSet", "demo-kafka"]["spec"]
    read = variables(kafka["template"]["spec"]["containers"][0])
    assert kafka["replicas"] == 3
    assert read["KAFKA_CONTROLLER_QUORUM_VOTERS"] == ",".join(
        f"{n}@demo-kafka-{n}.demo-kafka-nodes:9093" for n in range(3)
    )
    assert (read["KAFKA_DEFAULT_REPLICATION_FACTOR"], read["KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")
    (job,) = (one for (kind, _), one in found.items() if kind == "Job")
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == [
        "--replication-factor",
        "3",
        "--dead-letter-days",
        "14",
    ]


def test_the_job_keeps_its_name_until_it_has_something_else_to_do() -> None:
    def name(values: dict[str, object] | None = None) -> str:
        return next(name for kind, name in objects(values=values) if kind == "Job")

    assert name() == name({"services.order.replicas": 2}) != name({"image.tag": "2.0.0"})


def test_what_is_switched_off_is_not_made_and_its_external_address_is_used() -> None:
    found = objects(
        *PRODUCTION, values={"kafka.enabled": False, "kafka.external.bootstrapServers": "broker.example:9092"}
    )
    assert not {name for _, name in found if "postgres" in name or "kafka" in name or "registry" in name}
    read = variables(pod_specs(found)["demo-order-svc"]["containers"][0])
    assert read["KAFKA_BOOTSTRAP_SERVERS"] == "broker.example:9092"
    assert read["SCHEMA_REGISTRY_URL"] == "https://registry.example.com/apis/ccompat/v7"
    assert read["DATABASE_URL"] == {"secretKeyRef": {"name": "order-database", "key": "uri"}}


def test_settings_and_secrets_of_external_servers_reach_the_services() -> None:
    found = objects(*PRODUCTION, values={"services.order.settings": {"OUTBOX_LIMIT": 5000}})
    container = pod_specs(found)["demo-order-svc"]["containers"][0]
    assert variables(container)["OUTBOX_LIMIT"] == "5000"
    assert container["envFrom"] == [{"secretRef": {"name": "registry-login"}}]


def test_a_service_has_the_defaults_where_its_own_entry_says_nothing_else() -> None:
    made = objects(values={"serviceDefaults.replicas": 3, "services.order.replicas": 0})
    replicas = {service: made["Deployment", f"demo-{service}"]["spec"]["replicas"] for service in SERVICES}
    assert replicas == {**dict.fromkeys(SERVICES, 3), "order-svc": 0}


@pytest.mark.parametrize(("by", "kind"), [("cpu", "HorizontalPodAutoscaler"), ("lag", "ScaledObject")])
def test_a_service_that_is_scaled_by_load_has_no_number_of_replicas(by: str, kind: str) -> None:
    found = objects(values={"services.product.autoscaling.by": by})
    assert (kind, "demo-product-svc") in found
    assert "replicas" not in found["Deployment", "demo-product-svc"]["spec"]
    assert "replicas" in found["Deployment", "demo-order-svc"]["spec"]


def test_only_those_who_have_to_reach_a_database_do() -> None:
    rule = objects()["NetworkPolicy", "demo-postgres"]["spec"]["ingress"][0]
    (who,) = rule["from"][0]["podSelector"]["matchExpressions"]
    assert rule["ports"] == [{"port": 5432}]
    assert set(who["values"]) == set(SERVICES)


def test_options_that_are_off_make_nothing() -> None:
    off = {"networkPolicies.enabled": False, "podDisruptionBudgets.enabled": False}
    kinds = {kind for kind, _ in objects(values=off)}
    assert not kinds & {"NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor", "HorizontalPodAutoscaler"}
    assert ("ServiceMonitor", "demo-order-saga") in objects(values={"serviceMonitor.enabled": True})


def test_what_is_asked_for_fits_two_cores_and_four_gigabytes_beside_minikube_itself() -> None:
    asked = [
        container["resources"]["requests"] for spec in pod_specs(objects()).values() for container in spec["containers"]
    ]
    assert sum(int(one["cpu"].removesuffix("m")) for one in asked) <= 900
    assert sum(int(one["memory"].removesuffix("Mi")) for one in asked) <= 3000
