"""Values that other charts have, and how this one is given the same: what docs/chart-values.md lists."""

from typing import NamedTuple

SERVICE = "Deployment/demo-order-svc"
POD = f"{SERVICE}/spec/template/spec"
METADATA = f"{SERVICE}/spec/template/metadata"
CONTAINER = f"{POD}/containers/0"
EXPOSED = "Service/demo-order-svc"


class Key(NamedTuple):
    """A value of another chart: how it is called here, what is given, and what appears where."""

    ours: str
    given: object
    at: str
    shown: object
    """Of a map or a list, what has to be in it."""


def _affinity(who: str) -> dict[str, object]:
    term = {"labelSelector": {"matchLabels": {"app": who}}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


ZONES = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
GPU = {"key": "pool", "operator": "Equal", "value": "orders", "effect": "NoSchedule"}
PROXY = {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}
ZONE = {"name": "ZONE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['zone']"}}}
SIDECAR = {"name": "shipper", "image": "fluent-bit:4"}
FIRST = {"name": "agent", "image": "vault:2", "restartPolicy": "Always"}
VOLUME = {"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}
MOUNTED = {"name": "cache", "mountPath": "/cache"}
RULES = {"name": "rules", "configMap": {"name": "order-rules"}}
INGRESS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
DATABASES = {"ipBlock": {"cidr": "10.1.0.0/16"}}
DNS = {"ports": [{"port": 5353, "protocol": "UDP"}], "to": [{"namespaceSelector": {}}]}
SCAN = {"ports": [{"port": 8080}], "from": [{"podSelector": {"matchLabels": {"app": "scanner"}}}]}
MORE = {"requests": {"cpu": "111m", "memory": "111Mi"}, "limits": {"memory": "222Mi"}}
ROUTE = {
    "kind": "GRPCRoute",
    "apiVersion": "gateway.networking.k8s.io/v1",
    "metadata": {"name": "{{ .Release.Name }}-in"},
}
BACKEND = {"service": {"name": "{{ .Release.Name }}-console", "port": {"name": "console"}}}
WAY_IN = {
    "kind": "Ingress",
    "apiVersion": "networking.k8s.io/v1",
    "metadata": {"name": "{{ .Release.Name }}-web"},
    "spec": {"defaultBackend": BACKEND},
}

KEYS = (
    Key("commonLabels", {"team": "orders"}, "StatefulSet/demo-kafka/metadata/labels", {"team": "orders"}),
    Key("commonAnnotations", {"owner": "shop"}, "ConfigMap/demo-postgres/metadata/annotations", {"owner": "shop"}),
    Key("extraObjects", [ROUTE, WAY_IN], "GRPCRoute/demo-in/metadata", {"name": "demo-in"}),
    Key(
        "podDefaults.annotations",
        {"scan": "no"},
        "StatefulSet/demo-postgres/spec/template/metadata/annotations",
        {"scan": "no"},
    ),
    Key("podDefaults.labels", {"zone": "a"}, "StatefulSet/demo-kafka/spec/template/metadata/labels", {"zone": "a"}),
    Key("podDefaults.nodeSelector", {"pool": "orders"}, f"{POD}/nodeSelector", {"pool": "orders"}),
    Key("podDefaults.tolerations", [GPU], "StatefulSet/demo-kafka/spec/template/spec/tolerations", [GPU]),
    Key(
        "podDefaults.affinity",
        _affinity("batch"),
        "Deployment/demo-console/spec/template/spec/affinity",
        _affinity("batch"),
    ),
    Key("podDefaults.topologySpreadConstraints", [ZONES], f"{POD}/topologySpreadConstraints/0", ZONES),
    Key("podDefaults.priorityClassName", "high", f"{POD}/priorityClassName", "high"),
    Key("podDefaults.schedulerName", "ours", f"{POD}/schedulerName", "ours"),
    Key("podDefaults.runtimeClassName", "gvisor", f"{POD}/runtimeClassName", "gvisor"),
    Key(
        "podDefaults.hostAliases", [{"ip": "10.0.0.9", "hostnames": ["db"]}], f"{POD}/hostAliases/0", {"ip": "10.0.0.9"}
    ),
    Key(
        "podDefaults.serviceAccount.create",
        True,
        "ServiceAccount/demo-order-svc",
        {"automountServiceAccountToken": False},
    ),
    Key(
        "kafka.pod.serviceAccount.name",
        "brokers",
        "StatefulSet/demo-kafka/spec/template/spec/serviceAccountName",
        "brokers",
    ),
    Key(
        "podDefaults.serviceAccount.annotations",
        {"role": "orders"},
        "ServiceAccount/brokers/metadata/annotations",
        {"role": "orders"},
    ),
    Key(
        "podDefaults.securityContext",
        {"supplementalGroups": [7]},
        f"{POD}/securityContext",
        {"supplementalGroups": [7], "runAsUser": 10001},
    ),
    Key(
        "podDefaults.containerSecurityContext",
        {"privileged": False},
        f"{CONTAINER}/securityContext",
        {"privileged": False, "readOnlyRootFilesystem": True},
    ),
    Key(
        "console.pod.fixedUser",
        False,
        "Deployment/demo-console/spec/template/spec/securityContext",
        {"runAsNonRoot": True},
    ),
    Key(
        "kafka.pod.terminationGracePeriodSeconds",
        300,
        "StatefulSet/demo-kafka/spec/template/spec/terminationGracePeriodSeconds",
        300,
    ),
    Key(
        "postgres.pod.probes.startup",
        {"failureThreshold": 900},
        "StatefulSet/demo-postgres/spec/template/spec/containers/0/startupProbe",
        {"failureThreshold": 900, "periodSeconds": 1},
    ),
    Key(
        "podDefaults.probes.liveness",
        {"periodSeconds": 77},
        f"{CONTAINER}/livenessProbe",
        {"periodSeconds": 77, "timeoutSeconds": 5},
    ),
    Key(
        "services.order.pod.probes.readiness",
        {"timeoutSeconds": 9},
        f"{CONTAINER}/readinessProbe",
        {"timeoutSeconds": 9, "grpc": {"port": 50052}},
    ),
    Key("podDefaults.extraEnv", [PROXY], f"{CONTAINER}/env", [PROXY]),
    Key(
        "services.product.pod.extraEnv",
        [ZONE],
        "Deployment/demo-product-svc/spec/template/spec/containers/0/env",
        [ZONE],
    ),
    Key(
        "services.order.pod.extraEnvFrom",
        [{"secretRef": {"name": "more"}}],
        f"{CONTAINER}/envFrom",
        [{"secretRef": {"name": "more"}}],
    ),
    Key(
        "kafka.pod.extraEnvFrom",
        [{"configMapRef": {"name": "broker"}}],
        "StatefulSet/demo-kafka/spec/template/spec/containers/0/envFrom",
        [{"configMapRef": {"name": "broker"}}],
    ),
    Key("podDefaults.extraVolumes", [VOLUME], f"{POD}/volumes", [VOLUME]),
    Key("podDefaults.extraVolumeMounts", [MOUNTED], f"{CONTAINER}/volumeMounts", [MOUNTED]),
    Key(
        "services.product.pod.extraVolumes",
        [VOLUME, RULES],
        "Deployment/demo-product-svc/spec/template/spec/volumes",
        [RULES],
    ),
    Key("services.order.pod.extraContainers", [SIDECAR], f"{POD}/containers", [SIDECAR]),
    Key("contracts.pod.extraInitContainers", [FIRST], "Job/demo-contracts*/spec/template/spec/initContainers", [FIRST]),
    Key("contracts.resources", MORE, "Job/demo-contracts*/spec/template/spec/containers/0/resources", MORE),
    Key("operators.resources", MORE, "Deployment/demo-operators/spec/template/spec/containers/1/resources", MORE),
    Key(
        "test.pod.nodeSelector",
        {"tests": "here"},
        "Pod/demo-test-completes/spec/nodeSelector",
        {"tests": "here", "pool": "orders"},
    ),
    Key("services.order.service.type", "LoadBalancer", f"{EXPOSED}/spec/type", "LoadBalancer"),
    Key(
        "services.order.service.annotations",
        {"cloud/inner": "yes"},
        f"{EXPOSED}/metadata/annotations",
        {"cloud/inner": "yes", "owner": "shop"},
    ),
    Key("services.order.service.labels", {"seen": "by-dns"}, f"{EXPOSED}/metadata/labels", {"seen": "by-dns"}),
    Key("services.order.service.nodePort", 30051, f"{EXPOSED}/spec/ports/0", {"nodePort": 30051}),
    Key("services.order.service.loadBalancerClass", "cloud/nlb", f"{EXPOSED}/spec/loadBalancerClass", "cloud/nlb"),
    Key(
        "services.order.service.loadBalancerSourceRanges",
        ["10.0.0.0/8"],
        f"{EXPOSED}/spec/loadBalancerSourceRanges",
        ["10.0.0.0/8"],
    ),
    Key("services.order.service.externalTrafficPolicy", "Local", f"{EXPOSED}/spec/externalTrafficPolicy", "Local"),
    Key(
        "services.order.callers",
        [INGRESS],
        "NetworkPolicy/demo-order-svc/spec/ingress",
        [{"ports": [{"port": 50051}], "from": [INGRESS]}],
    ),
    Key(
        "networkPolicies.metricsReaders",
        [PROMETHEUS],
        "NetworkPolicy/demo-order-svc/spec/ingress",
        [{"ports": [{"port": 9101}], "from": [PROMETHEUS]}],
    ),
    Key("networkPolicies.extraIngress", [SCAN], "NetworkPolicy/demo-default/spec/ingress", [SCAN]),
    Key("networkPolicies.extraEgress", [DNS], "NetworkPolicy/demo-default/spec/egress", [DNS]),
    Key(
        "networkPolicies.servers.issuers",
        [DATABASES],
        "NetworkPolicy/demo-order-svc/spec/egress",
        [{"ports": [{"port": 443}], "to": [DATABASES]}],
    ),
    Key(
        "tls.authoritiesConfigMap",
        "company-ca",
        f"{POD}/volumes",
        [
            {
                "name": "authorities",
                "projected": {"defaultMode": 288, "sources": [{"configMap": {"name": "company-ca"}}]},
            }
        ],
    ),
    Key(
        "tls.clientSecret",
        "*-client",
        f"{POD}/volumes",
        [{"name": "client-order", "secret": {"secretName": "order-client", "defaultMode": 288}}],
    ),
)
"""All of them go together, so that they are rendered once."""
