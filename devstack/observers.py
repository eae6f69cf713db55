"""Those that watch the stack, with OBSERVE=1: Prometheus reads the metrics, and Zipkin shows the traces."""

from collections.abc import Mapping
from functools import partial

from devstack.collector import Collector
from devstack.layout import Layout
from devstack.observer import Observer
from devstack.prometheus import Prometheus
from devstack.server import Tell, tell_nobody
from devstack.state import State
from devstack.zipkin import Zipkin


class Observers:
    """The three of a stack. Each is a part of it as soon as it was started, also for who did not ask for it."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Know those of ``layout``'s stack."""
        self.prometheus = Prometheus(layout, state)
        self.zipkin = Zipkin(layout, state)
        self.collector = Collector(layout, state)
        self._wanted = layout.observe

    @property
    def parts(self) -> list[Observer]:
        """Those that are started, or were."""
        known: list[Observer] = [self.zipkin, self.collector, self.prometheus]
        return [one for one in known if self._wanted or one.pid is not None]

    @property
    def console_settings(self) -> dict[str, str]:
        """What lets the console link traces."""
        return {} if self.zipkin.pid is None else {"CONSOLE_TRACE_URL": self.zipkin.trace_url}

    def launch_viewer(self, tell: Tell = tell_nobody) -> None:
        """Start Zipkin and the collector where they are parts: before the services, which are told of them."""
        if self.zipkin in self.parts:
            self.zipkin.launch({}, partial(tell, self.zipkin.name))
        if self.collector in self.parts:
            self.collector.launch({"zipkin": self.zipkin.url}, partial(tell, self.collector.name))

    def launch_prometheus(self, reads: Mapping[str, str], tell: Tell = tell_nobody) -> None:
        """Start Prometheus where it is a part: after the services, whose metrics, by their names, are ``reads``."""
        if self.prometheus in self.parts:
            self.prometheus.launch(reads, partial(tell, self.prometheus.name))
