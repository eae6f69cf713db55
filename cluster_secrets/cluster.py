"""The Kubernetes API, as far as it is needed here: four calls, with the token that is mounted into the pod.

They are plain HTTPS by the client that the images have anyway. The official client would be one more package in each of
them, and a large one.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from cluster_secrets.wanted import Object

MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its token, its namespace and the certificate of the API's authority."""
_SECONDS = 20.0
_RETRIES = 5
"""Of a connection that cannot be made: a pod's network may be a moment late."""
_NOT_FOUND = 404
_MERGE = {"Content-Type": "application/merge-patch+json"}
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The annotation by which ``kubectl rollout restart`` has pods replaced."""


class NotDone(Exception):
    """The API has refused a request, or does not answer; the message says which and why."""


@contextmanager
def connected(base_url: str, mounted: Path = MOUNTED) -> Iterator["Cluster"]:
    """Speak to the API at ``base_url`` meanwhile, with the files in ``mounted``."""
    context = ssl.create_default_context(cafile=mounted / "ca.crt")
    # The cluster's authority is not ours to choose. Python 3.13 would refuse one that does not say what its key is for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    with httpx2.Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {(mounted / 'token').read_text().strip()}"},
        transport=httpx2.HTTPTransport(verify=context, retries=_RETRIES, trust_env=False),
        timeout=_SECONDS,
    ) as client:
        yield Cluster(client, (mounted / "namespace").read_text().strip())


class Cluster:
    """The secrets of one namespace, and the workloads that read them."""

    def __init__(self, client: httpx2.Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace

    def secret(self, name: str) -> Object | None:
        """Return a secret, or None where there is none."""
        return self._found(f"/api/v1/namespaces/{self._namespace}/secrets/{name}")

    def create(self, secret: Object) -> None:
        """Make a secret; fail where there is one of its name."""
        self._ask("POST", f"/api/v1/namespaces/{self._namespace}/secrets", json=secret)

    def change(self, name: str, patch: Object) -> None:
        """Change a secret by a JSON merge patch."""
        self._ask("PATCH", f"/api/v1/namespaces/{self._namespace}/secrets/{name}", json=patch, headers=_MERGE)

    def template(self, kind: str, name: str) -> Object | None:
        """Return the template of a workload's pods, or None where there is no such workload."""
        found = self._found(self._workload(kind, name))
        template: Object | None = found["spec"]["template"] if found else None
        return template

    def restart(self, kind: str, name: str) -> None:
        """Have a workload's pods replaced, as ``kubectl rollout restart`` does."""
        annotations = {_RESTARTED: datetime.now(UTC).isoformat(timespec="seconds")}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        self._ask("PATCH", self._workload(kind, name), json=patch, headers=_MERGE)

    def _workload(self, kind: str, name: str) -> str:
        return f"/apis/apps/v1/namespaces/{self._namespace}/{kind}/{name}"

    def _found(self, path: str) -> Object | None:
        answer = self._ask("GET", path, missing=True)
        found: Object | None = None if answer.status_code == _NOT_FOUND else answer.json()
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        missing: bool = False,
        json: Object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        try:
            answer = self._client.request(method, path, json=json, headers=headers)
        except httpx2.TransportError as error:
            msg = f"the Kubernetes API does not answer: {error!r}"
            raise NotDone(msg) from error
        if answer.is_error and not (missing and answer.status_code == _NOT_FOUND):
            msg = f"{method} {path}: {answer.status_code}, {_reason(answer)}"
            raise NotDone(msg)
        return answer


def _reason(answer: httpx2.Response) -> str:
    """Return what the API says of an error; it answers with an object that has a message."""
    try:
        said: Any = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(said.get("message", answer.reason_phrase)) if isinstance(said, dict) else answer.reason_phrase
