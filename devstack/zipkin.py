"""A Zipkin beside the stack, which keeps traces in memory and shows them: a part of what OBSERVE=1 starts."""

from collections.abc import Mapping

from devstack.downloads import zipkin_archive
from devstack.java import environment, java
from devstack.observer import Observer
from devstack.server import Progress, quiet

_HEAP = "384m"
_MOST_SPANS = 200_000
"""Of more it forgets the oldest. An order has some dozens."""
_QUIET = ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
"""What its libraries do at the start, and newer Javas warn of."""


class Zipkin(Observer):
    """One Zipkin, which has no peers: the collector tells it of spans."""

    NAME = "zipkin"
    HEALTH = "/health"

    @property
    def pages(self) -> str:
        """Where a browser finds it; empty before the first start."""
        return f"{self.url}/zipkin/" if self.url else ""

    @property
    def address(self) -> str:
        """Its pages, for people."""
        return self.pages

    @property
    def trace_url(self) -> str:
        """Where a trace is shown, with ``{trace_id}`` in the place of its id."""
        return f"{self.pages}traces/{{trace_id}}"

    def prepare(self, progress: Progress) -> None:
        """Fetch it."""
        zipkin_archive(progress)

    def _command(self, port: int, peers: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:  # noqa: ARG002 - none
        ours = {"ip": "127.0.0.1", "port": str(port), "protocols[0]": "http"}
        listen = [f"-Darmeria.ports[0].{name}={value}" for name, value in ours.items()]
        options = [*_QUIET, *listen, "-jar", str(zipkin_archive(quiet))]
        command = java(heap=_HEAP, scratch=self._folder / "scratch", options=options)
        return command, environment(STORAGE_TYPE="mem", MEM_MAX_SPANS=str(_MOST_SPANS))
