"""Apicurio Registry, which keeps its data in Kafka and speaks the Confluent-compatible API."""

import os
import ssl
import urllib.error
import urllib.request

from devstack.downloads import registry_folder
from devstack.errors import DevstackError
from devstack.java import environment, java
from devstack.layout import Layout
from devstack.ports import choose_port, free_port
from devstack.processes import ManagedProcess
from devstack.registry_security import write_properties
from devstack.security import Security
from devstack.server import Progress, Server, quiet
from devstack.state import State

_READY_SECONDS = 90
_STOP_SECONDS = 15
_UNAUTHORIZED = 401
_API = "/apis/ccompat/v7"


class Registry(Server):
    """One schema registry on 127.0.0.1."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Write its log below ``layout.data``; ``SCHEMA_REGISTRY_URL`` in the environment names one to use instead."""
        super().__init__(ManagedProcess(state, "registry", layout.logs / "registry.log"), _STOP_SECONDS)
        self._scratch, self._security = layout.data / "registry", Security(layout, state)
        self._wanted_port = layout.server_ports.get("registry", 0)
        self._external = os.environ.get("SCHEMA_REGISTRY_URL") if layout.uses_environment else None
        self.external = self._external is not None

    @property
    def url(self) -> str:
        """The base of its Confluent-compatible API; empty before the first start."""
        return self._external or str(self._process.record.get("url", ""))

    address = url

    def prepare(self, progress: Progress) -> None:
        """Fetch it, so that `launch` has nothing to wait for."""
        if not self.external:
            registry_folder(progress)

    def launch(self, bootstrap: str, progress: Progress = quiet) -> None:
        """Start the process, on the Kafka at ``bootstrap``; it waits by itself until that answers."""
        record = self._process.record
        if self.external or (self.pid is not None and record["kafka"] == bootstrap):
            return
        progress("starting")
        self.stop()  # where it runs on a Kafka that has moved
        port = choose_port(self._wanted_port, record.get("port", 0), "the schema registry", "REGISTRY_PORT")
        folder = registry_folder(quiet)
        variables = environment(
            APICURIO_STORAGE_KIND="kafkasql",
            APICURIO_KAFKASQL_BOOTSTRAP_SERVERS=bootstrap,
            APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT="1000",  # it waits this long, several times, at every start
            QUARKUS_HTTP_HOST="127.0.0.1",
            QUARKUS_HTTP_PORT=str(port),
            QUARKUS_MANAGEMENT_HOST="127.0.0.1",
            QUARKUS_MANAGEMENT_PORT=str(free_port()),
            **self._closed(port),
        )
        runtime = java(heap="384m", scratch=self._scratch, options=["-XX:TieredStopAtLevel=1"])
        self._process.launch(
            [*runtime, "-jar", "quarkus-run.jar"],
            env=variables,
            record={
                "url": f"{'https' if self._security.on else 'http'}://127.0.0.1:{port}{_API}",
                "port": port,
                "kafka": bootstrap,
            },
            cwd=folder,
        )

    def _closed(self, port: int) -> dict[str, str]:
        """Return the variables of a registry that is closed; none where it is open."""
        if not self._security.on:
            return {}
        file = self._scratch / "closed.properties"
        write_properties(self._security, file, port)
        return {"QUARKUS_CONFIG_LOCATIONS": file.as_uri()}

    def start(self, progress: Progress = quiet) -> None:
        """Start it again, on the Kafka it was on, where it does not run; return when it answers."""
        if self.external:
            if not self.ready():
                raise DevstackError(f"no schema registry answers at SCHEMA_REGISTRY_URL={self._external}")
            return
        if self.pid is None:
            self.launch(self._process.record["kafka"], progress)
        self._process.wait_until(self.ready, _READY_SECONDS)

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=5, context=self._trust()) as answer:  # noqa: S310 - an HTTP URL
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
        except urllib.error.HTTPError as error:  # one that asks who we are is there
            return self.external or (self._security.on and error.code == _UNAUTHORIZED)
        except OSError:
            return False

    def _trust(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self._security.ca)) if self._security.on else None
