"""What the chart makes."""

from itertools import chain

import pytest

from tests.unit.chart.rendering import PRODUCTION, SERVICES, job, objects, pod_specs, variables


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
def test_a_service_listens_on_50051_by_tls_is_probed_in_the_clear_and_migrates_first(service: str) -> None:
    found = objects()
    spec = found["Deployment", f"demo-{service}"]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    read = variables(container)
    assert [read[f"{what}_LISTEN"] for what in ("GRPC", "HEALTH", "METRICS")] == [
        "[::]:50051",
        "[::]:50052",
        "[::]:9101",
    ]
    assert container["readinessProbe"]["grpc"] == {"port": 50052}
    assert container["livenessProbe"]["grpc"] == {"port": 50052, "service": "liveness"}
    assert spec["initContainers"][0]["args"] == ["migrate"]
    ports = found["Service", f"demo-{service}"]["spec"]["ports"]
    assert [port["port"] for port in ports] == [50051, 9101]
    for what in ("GRPC", "METRICS"):
        assert [read[f"{what}_TLS_{part}"] for part in ("CERTIFICATE", "KEY")] == ["/tls/tls.crt", "/tls/tls.key"]
    (mounted,) = container["volumeMounts"]
    assert mounted == {"name": "tls", "mountPath": "/tls", "readOnly": True}, "a folder: a file would stay as it is"


@pytest.mark.parametrize("case", ["completes", "is-undone"])
def test_who_calls_a_service_does_so_by_tls(case: str) -> None:
    found = objects(values={"serviceMonitor.enabled": True})
    read = variables(found["Pod", f"demo-test-{case}"]["spec"]["containers"][0])
    assert (read["ORDER_SVC_ADDRESS"], read["GRPC_TLS_CA"]) == ("demo-order-svc:50051", "/tls/ca.crt")
    (endpoint,) = found["ServiceMonitor", "demo-order-saga"]["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["tlsConfig"]["serverName"]) == ("https", "localhost")


@pytest.mark.parametrize("service", SERVICES)
def test_the_command_line_in_a_service_s_pod_shows_the_pod_s_own_status(service: str) -> None:
    (container,) = pod_specs(objects())[f"demo-{service}"]["containers"]
    read = variables(container)
    assert (read["ORDERSAGA_METRICS"], read["METRICS_TLS_CA"]) == ("localhost:9101", "/tls/ca.crt")


def test_operators_have_the_command_line_with_their_logins_and_that_of_the_replay_beside_it() -> None:
    look, replay = (variables(one) for one in pod_specs(objects())["demo-operators"]["containers"])
    assert (look["KAFKA_SASL_USERNAME"], replay["KAFKA_SASL_USERNAME"]) == ("operators", "replay")
    for read in (look, replay):
        assert read["ORDER_SVC_ADDRESS"] == "demo-order-svc:50051"
        assert read["ORCHESTRATOR_SVC_ADDRESS"] == "demo-orchestrator-svc:50051"
        assert read["SCHEMA_REGISTRY_USERNAME"] == "operators"


def test_keda_looks_as_the_operators_by_tls() -> None:
    found = objects(values={"services.product.autoscaling": {"by": "lag", "max": 3}})
    (trigger,) = found["ScaledObject", "demo-product-svc"]["spec"]["triggers"]
    asked = found["TriggerAuthentication", trigger["authenticationRef"]["name"]]["spec"]["secretTargetRef"]
    assert {one["parameter"]: (one["name"], one["key"]) for one in asked} == {
        **{name: ("demo-keda", name) for name in ("sasl", "tls", "username")},
        "password": ("demo-operators-login", "kafka"),
        "ca": ("demo-operators-tls", "ca.crt"),
    }
    assert found["Secret", "demo-keda"]["stringData"] == {
        "sasl": "scram_sha512",
        "tls": "enable",
        "username": "operators",
    }


DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_images_are_pinned_where_their_digests_are_given() -> None:
    values = {"image.digests": {"order": DIGEST}, "kafka.image": f"apache/kafka:4.4.0@{DIGEST}"}
    specs = pod_specs(objects(values=values))
    images = {name: spec["containers"][0]["image"] for name, spec in specs.items()}
    assert images["demo-order-svc"] == images["demo-operators"] == f"localhost/order-saga/order-svc:0.1.0@{DIGEST}"
    assert images["demo-product-svc"] == "localhost/order-saga/product-svc:0.1.0"
    assert images["demo-kafka"] == f"apache/kafka:4.4.0@{DIGEST}"


def test_three_nodes_keep_three_copies_of_which_two_are_in_sync() -> None:
    found = objects(values={"kafka.nodes": 3})
    kafka = found["StatefulSet", "demo-kafka"]["spec"]
    read = variables(kafka["template"]["spec"]["containers"][0])
    assert kafka["replicas"] == 3
    assert (read["KAFKA_DEFAULT_REPLICATION_FACTOR"], read["KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")
    arguments = job(found)["containers"][0]["args"]
    assert arguments[:4] == ["--replication-factor", "3", "--dead-letter-days", "14"]


LOGIN = {"kafka.external.settingsSecret": "kafka-*", "services.orchestrator.autoscaling.by": "cpu"}


def test_what_is_switched_off_is_not_made_and_its_external_address_is_used() -> None:
    found = objects(
        *PRODUCTION, values={"kafka.enabled": False, "kafka.external.bootstrapServers": "broker.example:9092", **LOGIN}
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
    assert container["envFrom"] == [{"secretRef": {"name": "registry-login-order"}}]


def test_a_large_number_stays_an_integer() -> None:
    """Helm takes every number for a fraction, and writes a large one as 5e+06."""
    settings = {"LARGE": 5000000, "HALF": 0.5, "TRUTH": True, "TEXT": "5e+06"}
    lag = {"serviceDefaults.autoscaling": {"by": "lag", "messages": 2000000, "max": 3}}
    found = objects(values={"services.order.settings": settings, "console.settings": settings, **lag})
    for name in ("order-svc", "console"):
        read = variables(pod_specs(found)[f"demo-{name}"]["containers"][0])
        assert [read[one] for one in settings] == ["5000000", "0.5", "true", "5e+06"]
    (trigger,) = found["ScaledObject", "demo-order-svc"]["spec"]["triggers"]
    assert trigger["metadata"]["lagThreshold"] == "2000000"


def test_each_logs_in_to_external_servers_as_itself_where_its_secret_has_an_asterisk() -> None:
    there = {"kafka.enabled": False, "kafka.external.bootstrapServers": "broker.example:9092"}
    found = objects(*PRODUCTION, values={**there, **LOGIN})
    secrets = {
        one["name"]: one["envFrom"][0]["secretRef"]["name"]
        for spec in pod_specs(found).values()
        for one in spec["containers"]
        if "envFrom" in one
    }
    assert secrets == {
        **{service: f"kafka-{service.removesuffix('-svc')}" for service in SERVICES},
        **{name: f"kafka-{name}" for name in ("operators", "replay", "console")},
        "deploy": "kafka-deployer",
    }


def test_a_service_has_the_defaults_where_its_own_entry_says_nothing_else() -> None:
    made = objects(values={"serviceDefaults.replicas": 3, "services.order.replicas": 0})
    replicas = {service: made["Deployment", f"demo-{service}"]["spec"]["replicas"] for service in SERVICES}
    assert replicas == {**dict.fromkeys(SERVICES, 3), "order-svc": 0}


@pytest.mark.parametrize(("by", "kind"), [("cpu", "HorizontalPodAutoscaler"), ("lag", "ScaledObject")])
def test_a_service_that_is_scaled_by_load_has_no_number_of_replicas(by: str, kind: str) -> None:
    found = objects(values={"services.product.autoscaling": {"by": by, "max": 3}})
    assert (kind, "demo-product-svc") in found
    assert "replicas" not in found["Deployment", "demo-product-svc"]["spec"]
    assert "replicas" in found["Deployment", "demo-order-svc"]["spec"]


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
