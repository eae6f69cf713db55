"""One installation of the chart, by the commands that its users type."""

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagakit.service.manifest import found
from tests.support.wait import eventually
from tools.chart_readme import CHART
from tools.paths import ROOT

CONTEXT = os.environ.get("CONTEXT", "")
"""kubectl's context; empty for the current one."""
KUBECTL = ("kubectl", *(("--context", CONTEXT) if CONTEXT else ()))
SERVICES = tuple(name.replace("_", "-") for name in found(ROOT))
NAME = "demo"


def run(*command: str, stdin: str | None = None, check: bool = True, folder: Path = ROOT) -> str:
    """Run a command in ``folder`` and return what it printed; fail with what it complained of."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, cwd=folder)
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + ("" if check else done.stderr)


def typed(line: str, folder: Path = ROOT, *, check: bool = True) -> str:
    """Run a line that the chart has printed as whoever types it in ``folder`` does; return what it printed."""
    return run("sh", "-c", line.replace("kubectl", " ".join(KUBECTL), 1), check=check, folder=folder)


def tag() -> str:
    """Return the images' tag."""
    return run("tools/images.sh", "tag").strip()


@dataclass
class Release:
    """The chart in a namespace of its own."""

    namespace: str
    options: tuple[str, ...] = ()
    """Given to helm at each installation and upgrade."""
    chart: Path = CHART

    def create(self) -> None:
        """Make the namespace, one that takes only pods of the restricted standard."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": self.namespace, "labels": labels}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.kubectl("apply", "--filename", "-", stdin=json.dumps(namespace))

    def remove(self) -> None:
        """Remove the release and the namespace."""
        self.helm("uninstall", NAME, "--ignore-not-found", check=False)
        self.kubectl("delete", "namespace", self.namespace, "--timeout=180s", check=False)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return run(*KUBECTL, "--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    @contextmanager
    def beside(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Let a kubectl command go on meanwhile, whose output can be read."""
        command = [*KUBECTL, "--namespace", self.namespace, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()

    def helm(self, *arguments: str, check: bool = True) -> str:
        context = ("--kube-context", CONTEXT) if CONTEXT else ()
        return run("helm", *context, "--namespace", self.namespace, *arguments, check=check)

    def install(self, *options: str) -> str:
        image = ("--set", f"image.tag={tag()}")
        wait = ("--wait", "--timeout", "10m")
        return self.helm("install", NAME, str(self.chart), *wait, *image, *self.options, *options)

    def upgrade(self, *options: str, image: str = "", check: bool = True) -> str:
        chosen = ("--set", f"image.tag={image or tag()}", *self.options, *options)
        return self.helm("upgrade", NAME, str(self.chart), "--wait", "--timeout", "10m", *chosen, check=check)

    def get(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects that ``kubectl get`` finds."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "--output", "json"))["items"]
        return found

    def secret(self, name: str) -> dict[str, bytes]:
        """Return what stands in a secret, by key."""
        (found,) = self.get("secrets", "--field-selector", f"metadata.name={name}")
        return {key: base64.b64decode(value) for key, value in found["data"].items()}

    def make_secret(self, name: str, data: Mapping[str, str | bytes]) -> None:
        """Make a secret."""
        contents = {key: value.encode() if isinstance(value, str) else value for key, value in data.items()}
        encoded = {key: base64.b64encode(value).decode() for key, value in contents.items()}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
        self.kubectl("apply", "--filename", "-", stdin=json.dumps(secret))

    @property
    def authority(self) -> bytes:
        """The certificate that whoever calls has to trust, in PEM form."""
        return self.secret(f"{NAME}-operators-tls")["ca.crt"]

    @contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[str]:
        """Let ``kubectl port-forward`` lead a free port to a service meanwhile; yield its address."""
        with self.forwarded_to(f"service/{NAME}-{service}", port) as address:
            yield address

    @contextmanager
    def forwarded_to(self, what: str, port: int) -> Iterator[str]:
        """Let ``kubectl port-forward`` lead a free port to a service or a pod meanwhile; yield its address."""
        with self.beside("port-forward", what, f":{port}") as process:
            assert process.stdout
            address = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
            assert address
            yield address[0]

    def pods(self, part: str = "") -> list[dict[str, Any]]:
        """Return the pods, of one part or all."""
        chosen = "app.kubernetes.io/instance=" + NAME + (f",app.kubernetes.io/component={part}" if part else "")
        return self.get("pods", "--selector", chosen)

    def restarts(self) -> dict[str, int]:
        """Return how often each pod's containers were started again, where they were."""
        found = {}
        for pod in self.pods():
            status = pod["status"]
            containers = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
            found[pod["metadata"]["name"]] = sum(one["restartCount"] for one in containers)
        return {name: count for name, count in found.items() if count}

    def started(self, part: str) -> dict[str, str]:
        """Return since when each container of a part runs, by the pod's name and the container's."""
        return {
            f"{pod['metadata']['name']} {one['name']}": one["state"]["running"]["startedAt"]
            for pod in self.pods(part)
            for one in pod["status"].get("containerStatuses", [])
            if "running" in one["state"]
        }

    def remove_pod(self, part: str) -> None:
        """Delete the pods of a part, and wait until new ones are ready."""
        old = {pod["metadata"]["uid"] for pod in self.pods(part)}
        self.kubectl("delete", "pod", "--selector", f"app.kubernetes.io/component={part}", "--wait=false")
        eventually(lambda: self._replaced(part, old), 300, every=1)

    def _replaced(self, part: str, old: set[str]) -> None:
        pods = self.pods(part)
        assert pods
        assert not old & {pod["metadata"]["uid"] for pod in pods}
        assert all(is_ready(pod) for pod in pods)

    def scale(self, replicas: int) -> None:
        """Run so many of each service, and wait until they are ready."""
        names = [f"deployment/{NAME}-{service}" for service in SERVICES]
        self.kubectl("scale", f"--replicas={replicas}", *names)
        for name in names:
            self.kubectl("rollout", "status", name, "--timeout=300s")


def is_ready(pod: dict[str, Any]) -> bool:
    """Say whether a pod is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


class Load:
    """``load.py`` as a job in the cluster."""

    def __init__(self, release: Release, name: str, orders: int, seconds: float) -> None:
        self.release, self._name, self._orders, self._end = release, name, orders, time.monotonic() + 600
        image = release.get("deployments", "--selector", "app.kubernetes.io/component=order-svc")[0]
        variables = {
            "ORDERS": str(orders),
            "SECONDS": str(seconds),
            "ORDER_SVC_ADDRESS": f"{NAME}-order-svc:50051",
            "PRODUCT_SVC_ADDRESS": f"{NAME}-product-svc:50051",
        }
        container = {
            "name": "load",
            "image": image["spec"]["template"]["spec"]["containers"][0]["image"],
            "command": ["python", "-c", (Path(__file__).parent / "load.py").read_text()],
            "env": [{"name": key, "value": value} for key, value in variables.items()],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
        }
        security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        # It is optional, as the release before has none: what it is upgraded to has.
        authority = {
            "secretName": f"{NAME}-operators-tls",
            "items": [{"key": "ca.crt", "path": "ca.crt"}],
            "optional": True,
        }
        pod = {
            "restartPolicy": "Never",
            "containers": [container],
            "securityContext": security,
            "volumes": [{"name": "tls", "secret": authority}],
        }
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        }
        release.kubectl("apply", "--filename", "-", stdin=json.dumps(job))

    def _log(self) -> str:
        return self.release.kubectl("logs", f"job/{self._name}", check=False)

    def begun(self) -> None:
        """Wait until orders are being placed."""

        def has_begun() -> None:
            assert "begun" in self._log()

        eventually(has_begun, 120, every=1)

    def result(self) -> dict[str, Any]:
        """Wait for the end, and return what the load says of it."""

        def ended() -> dict[str, Any]:
            (found,) = self.release.get("jobs", "--field-selector", f"metadata.name={self._name}")
            job: dict[str, Any] = found["status"]
            assert job.get("succeeded") or job.get("failed"), self._log()
            return job

        job = eventually(ended, self._end - time.monotonic(), every=1)
        assert job.get("succeeded"), self._log()
        found: dict[str, Any] = json.loads(self._log().splitlines()[-1])
        return found

    def must_lose_nothing(self) -> dict[str, Any]:
        """Wait for the end; fail where an order was not answered, or ended otherwise than it should, else say how."""
        result, undone = self.result(), self._orders // 5
        assert result["acknowledged"] == self._orders
        assert result["ended"] == {"COMPLETED": self._orders - undone, "CANCELLED UNDELIVERABLE_ADDRESS": undone}
        assert result["stock"] == undone
        return result
