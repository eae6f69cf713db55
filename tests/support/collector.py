"""A collector of spans: takes them by OTLP over gRPC, as any collector does, and keeps them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps each span with the name of the service that made it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._spans: list[tuple[str, Span]] = []
        self._lock = threading.Lock()

    def Export(  # noqa: N802 - the contract's name
        self,
        request: pb.ExportTraceServiceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - as grpc calls it
    ) -> pb.ExportTraceServiceResponse:
        """Take spans."""
        found = []
        for resource in request.resource_spans:
            attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
            found += [(attributes["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
        with self._lock:
            self._spans += found
        return pb.ExportTraceServiceResponse()

    def trace(self, trace_id: str) -> list[tuple[str, Span]]:
        """Return the spans of one trace, each with its service."""
        with self._lock:
            return [(service, span) for service, span in self._spans if span.trace_id.hex() == trace_id]

    def count(self, name: str) -> int:
        """Return how many spans are called ``name``."""
        with self._lock:
            return sum(span.name == name for _, span in self._spans)

    def linked_to(self, trace_id: str) -> list[Span]:
        """Return the spans of other traces that link this one."""
        with self._lock:
            spans = [span for _, span in self._spans]
        return [span for span in spans if any(link.trace_id.hex() == trace_id for link in span.links)]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect on a free port of 127.0.0.1."""
    server = grpc.server(ThreadPoolExecutor(4))
    port = server.add_insecure_port("127.0.0.1:0")
    collector = Collector(f"http://127.0.0.1:{port}")
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()
