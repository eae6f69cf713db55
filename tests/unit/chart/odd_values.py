"""Values of the chart that are odd, or many together: what it makes of each has to fit the API."""

from collections.abc import Mapping

from tests.unit.chart.other_charts import KEYS
from tests.unit.chart.rendering import PRODUCTION, TOKENS

KAFKA: dict[str, object] = {
    "kafka.enabled": False,
    "kafka.external.bootstrapServers": "a.example:9092,b.example:9093",
    "kafka.external.settingsSecret": "kafka-*",
}
REGISTRY: dict[str, object] = {"registry.enabled": False, "registry.external.url": "https://registry.example/api"}
POSTGRES: dict[str, object] = {"postgres.enabled": False, "serviceDefaults.database.urlSecret": "*-database"}
GIVEN: dict[str, object] = {"logins.existingSecrets": "*-login", "tls.existingSecrets": "*-tls"}
KEYS_OF_OTHERS: dict[str, object] = {key.ours: key.given for key in KEYS}
PEER = [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}}]
PUBLIC: dict[str, object] = {"console.publicUrl": "https://console.example", "console.callers": PEER}
OIDC: dict[str, object] = {"console.oidc": {"issuer": "https://id.example", "clientId": "c", "existingSecret": "oidc"}}
LAG: dict[str, object] = {"serviceDefaults.autoscaling": {"by": "lag", "max": 3}}
KEDA: dict[str, object] = {"kafka.external.keda": {"sasl": "plaintext", "tls": "enable", "caKey": "kafka.crt"}}
TRACED: dict[str, object] = {"tracing.endpoint": "http://collector.monitoring:4317"}
MONITORED: dict[str, object] = {"serviceMonitor.enabled": True, "monitoring.rules": True, "monitoring.dashboards": True}
ODD: dict[str, tuple[tuple[str, ...], Mapping[str, object]]] = {
    "as-it-comes": ((), {}),
    "production": (PRODUCTION, {}),
    "all-keys-of-other-charts": ((), TOKENS | KEYS_OF_OTHERS),
    "all-keys-in-production": (PRODUCTION, {**KEYS_OF_OTHERS, "registry.external.settingsSecret": ""}),
    "three-nodes": ((), {"kafka.nodes": 3}),
    "nothing-of-its-own": ((), KAFKA | REGISTRY | POSTGRES),
    "nothing-of-its-own-and-given": ((), KAFKA | REGISTRY | POSTGRES | GIVEN),
    "kafka-alone-is-elsewhere": ((), KAFKA),
    "the-registry-alone-is-elsewhere": ((), REGISTRY),
    "the-databases-alone-are-elsewhere": ((), POSTGRES),
    "given": ((), GIVEN),
    "given-in-production": (PRODUCTION, {"logins.existingSecrets": "*-login"}),
    "no-console": ((), {"console.enabled": False}),
    "no-console-and-given": ((), {"console.enabled": False, **GIVEN}),
    "a-public-console": ((), TOKENS | PUBLIC | OIDC),
    "a-console-at-a-balancer": (
        (),
        {**TOKENS, **PUBLIC, "console.service.type": "LoadBalancer", "console.service.nodePort": 30088},
    ),
    "scaled-by-lag": ((), LAG),
    "scaled-by-lag-of-another-kafka": ((), KAFKA | LAG | KEDA | {"tls.authoritiesSecret": "authorities"}),
    "scaled-by-lag-with-a-configmap": ((), KAFKA | LAG | KEDA | {"tls.authoritiesConfigMap": "authorities"}),
    "scaled-by-cpu": ((), {"serviceDefaults.autoscaling": {"by": "cpu"}, "postgres.maxConnections": 510}),
    "traced": ((), TRACED),
    "monitored": ((), MONITORED),
    "monitored-and-traced-with-labels": (
        (),
        {**MONITORED, **TRACED, "serviceMonitor.labels": {"a": "b"}, "commonLabels": {"c": "d"}},
    ),
    "no-policies-and-no-budgets": ((), {"networkPolicies.enabled": False, "podDisruptionBudgets.enabled": False}),
    "all-peers": (
        (),
        {
            **TOKENS,
            **KAFKA,
            **REGISTRY,
            **POSTGRES,
            **TRACED,
            "serviceDefaults.callers": PEER,
            "networkPolicies.metricsReaders": PEER,
        }
        | {
            f"networkPolicies.servers.{name}": PEER
            for name in ("kafka", "registry", "databases", "issuers", "collector")
        },
    ),
    "openshift": ((), {"podDefaults.fixedUser": False}),
    "openshift-with-a-range": ((), {"podDefaults.fixedUser": False, "podDefaults.securityContext.fsGroup": 1000660000}),
    "not-spread": ((), {"topologySpread.enabled": False}),
    "spread-over-zones": (
        (),
        {"topologySpread.over": ["topology.kubernetes.io/zone", "kubernetes.io/hostname"], "kafka.nodes": 3},
    ),
    "own-spread": (
        (),
        {
            "podDefaults.topologySpreadConstraints": [
                {
                    "maxSkew": 2,
                    "topologyKey": "rack",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "matchLabelKeys": ["pod-template-hash"],
                }
            ]
        },
    ),
    "one-account-for-all": (
        (),
        {"podDefaults.serviceAccount": {"create": True, "name": "shop", "annotations": {"a": "b"}}},
    ),
    "an-account-that-is-there": ((), {"podDefaults.serviceAccount.name": "shop"}),
    "an-account-for-each": ((), {"podDefaults.serviceAccount.create": True}),
    "certificates-of-clients": ((), {**KAFKA, "tls.clientSecret": "*-client"}),
    "one-certificate-of-clients-and-both-authorities": (
        (),
        {**KAFKA, "tls.clientSecret": "all", "tls.authoritiesSecret": "a", "tls.authoritiesConfigMap": "b"},
    ),
    "keys-in-a-secret": (
        (),
        {**TOKENS, "auth.jwksUrl": "", "auth.jwksSecret": "keys", "auth.test.tokenSecret": "token"},
    ),
    "node-ports": (
        (),
        {
            **TOKENS,
            "serviceDefaults.service.type": "NodePort",
            "serviceDefaults.service.externalTrafficPolicy": "Local",
        },
    ),
    "no-replicas": ((), {"serviceDefaults.replicas": 0, "console.replicas": 0, "registry.replicas": 0}),
    "a-class-and-large-volumes": (
        (),
        {"kafka.storage": {"size": "1.5Ti", "className": "fast"}, "postgres.storage.className": "fast"},
    ),
    "pinned": (
        (),
        {"image.digests.order": "sha256:" + "0" * 64, "image.pullSecrets": ["a", "b"], "image.tag": "1.2.3"},
    ),
    "probes-of-each": (
        (),
        {
            f"{part}.pod.probes.startup.failureThreshold": 600
            for part in ("kafka", "registry", "postgres", "console", "services.order")
        },
    ),
    "everything-added-to-each": (
        (),
        {
            f"{part}.pod": {
                "extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
                "extraEnvFrom": [{"configMapRef": {"name": "c", "optional": True}}],
                "extraVolumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "x"}}],
                "extraVolumeMounts": [{"name": "x", "mountPath": "/x", "readOnly": True}],
                "extraContainers": [{"name": "beside", "image": "beside:1"}],
                "extraInitContainers": [{"name": "first", "image": "first:1"}],
                "annotations": {"a": "b"},
                "labels": {"c": "d"},
            }
            for part in ("services.order", "console", "kafka", "registry", "postgres", "operators", "contracts", "test")
        },
    ),
}
"""Options and values, by what is odd about them."""
