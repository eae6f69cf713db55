"""As much of the Kubernetes API as the program speaks, in memory: what the real one does is seen by `tests/cluster`."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from cluster_secrets.cluster import Cluster

NAMESPACE = "shop"


class Api:
    """Objects by their paths; merge patches change them."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        """Every request but those that only look."""
        self.refuses: Callable[[str], bool] = lambda _: False
        """Says of a request whether it is refused."""

    def secret(self, name: str) -> dict[str, Any]:
        """Return a secret that is there."""
        return self.objects[f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"]

    def remove(self, name: str) -> None:
        """Remove a secret."""
        del self.objects[f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"]

    def run(self, kind: str, name: str, *secrets: str) -> None:
        """Have a workload there whose pods read ``secrets``."""
        env = [{"valueFrom": {"secretKeyRef": {"name": one}}} for one in secrets]
        spec = {"template": {"metadata": {}, "spec": {"containers": [{"env": env}]}}}
        self.objects[f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind}/{name}"] = {"metadata": {}, "spec": spec}

    def restarted(self) -> set[str]:
        """Return the workloads whose pods are being replaced."""
        return {
            path.rpartition("/")[2]
            for path, one in self.objects.items()
            if "annotations" in one.get("spec", {}).get("template", {}).get("metadata", {})
        }

    @contextmanager
    def connected(self) -> Iterator[Cluster]:
        """Yield the program's view of it."""
        with httpx2.Client(base_url="https://api", transport=httpx2.MockTransport(self._answer)) as client:
            yield Cluster(client, NAMESPACE)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path, name = request.url.path, f"{request.method} {request.url.path.rpartition('/')[2]}"
        if request.method != "GET":
            self.asked.append(name)
        if self.refuses(name):
            return httpx2.Response(403, json={"kind": "Status", "message": "secrets is forbidden"})
        if request.method == "POST":
            made = json.loads(request.content)
            path = f"{path}/{made['metadata']['name']}"
            if path in self.objects:
                return httpx2.Response(409, json={"message": "already exists"})
            made["metadata"]["resourceVersion"] = "1"
            self.objects[path] = made
        if path not in self.objects:
            return httpx2.Response(404, json={"message": "not found"})
        if request.method == "PATCH":
            return self._patched(path, json.loads(request.content))
        return httpx2.Response(200, json=copy.deepcopy(self.objects[path]))

    def _patched(self, path: str, patch: dict[str, Any]) -> httpx2.Response:
        there = self.objects[path]["metadata"].get("resourceVersion", "0")
        if patch.get("metadata", {}).pop("resourceVersion", there) != there:
            return httpx2.Response(409, json={"message": "the object has been modified"})
        _merge(self.objects[path], patch)
        self.objects[path]["metadata"]["resourceVersion"] = str(int(there) + 1)
        return httpx2.Response(200, json=self.objects[path])


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> None:
    """Change ``target`` as RFC 7386 says."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value
