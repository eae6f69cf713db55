"""A plan as the chart writes it, and secrets as they stand in a cluster after it."""

import copy
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from cluster_secrets.plan import Authority, Certificate, Plan
from cluster_secrets.wanted import Object, wanted

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ORDER = Certificate(subject="order_svc", hosts=("localhost", "demo-order-svc"), addresses=("127.0.0.1",))
PLAN = Plan(
    labels={"order-saga/release": "demo", "app.kubernetes.io/instance": None},
    annotations={"helm.sh/resource-policy": "keep"},
    logins={"demo-order-login": ("database", "kafka"), "demo-replay-login": ("kafka",)},
    authority=Authority(secret="demo-ca", name="order-saga shop demo"),  # noqa: S106 - its name
    certificates={
        "demo-order-tls": ORDER,
        "demo-kafka-tls": Certificate(subject="broker", hosts=("demo-kafka",), addresses=("127.0.0.1",)),
    },
    readers={"deployments": ("demo-order-svc", "demo-product-svc"), "statefulsets": ("demo-postgres",)},
)


def made(plan: Plan = PLAN, now: datetime = NOW, found: dict[str, Object] | None = None) -> dict[str, Object]:
    """Return the secrets by their names, as they are after the plan was carried out on those that were ``found``."""
    return {one["metadata"]["name"]: copy.deepcopy(one) for one in wanted(plan, found or {}, now)}


def data(secret: Object) -> dict[str, bytes]:
    """Return what stands in a secret, by key."""
    return {key: b64decode(one) for key, one in secret["data"].items()}


def put(secret: Object, key: str, content: bytes) -> None:
    """Put something else into a secret."""
    secret["data"][key] = b64encode(content).decode()


def certificate(secrets: dict[str, Any], name: str, key: str = "tls.crt") -> x509.Certificate:
    """Return the certificate in one of ``secrets``."""
    return x509.load_pem_x509_certificate(data(secrets[name])[key])
