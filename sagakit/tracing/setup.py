"""Begins tracing as OpenTelemetry's standard variables say (https://opentelemetry.io/docs/specs/otel/configuration/).

It is off until one of them names an exporter or where a collector is. One new trace in a hundred is recorded, unless
``OTEL_TRACES_SAMPLER`` says otherwise.
"""

import os
from collections.abc import Mapping

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from sagakit.tracing import spans

_SHARE = 0.01
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def begin(service: str, variables: Mapping[str, str] = os.environ) -> bool:
    """Begin to make and export spans, as ``service``, if ``variables`` ask for it; say whether they do.

    Raises:
        ValueError: a variable asks for what is not there; the text names it.
    """
    if not _wanted(variables):
        return False
    names = {} if variables.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
    sampler = None if variables.get("OTEL_TRACES_SAMPLER") else ParentBased(TraceIdRatioBased(_SHARE))
    spans.use(spans.Tracing(BatchSpanProcessor(_exporter(variables)), sampler, Resource.create(names)))
    return True


def end() -> None:
    """Export what is left, and make no more spans."""
    if running := spans.tracing():
        spans.use(None)
        running.close()


def _wanted(variables: Mapping[str, str]) -> bool:
    if variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = variables.get("OTEL_TRACES_EXPORTER", "")
    if exporter not in {"", "otlp", "none"}:
        raise ValueError(f"OTEL_TRACES_EXPORTER: must be otlp or none, not {exporter}")
    return exporter == "otlp" or (exporter == "" and any(variables.get(name) for name in _ENDPOINTS))


def _exporter(variables: Mapping[str, str]) -> SpanExporter:
    by_name = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    name, protocol = next(((name, variables[name]) for name in by_name if variables.get(name)), (by_name[1], "grpc"))
    # Each is imported where it is chosen, as only one of them is needed and either takes a tenth of a second.
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        return OTLPSpanExporter()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415

        return trace_exporter.OTLPSpanExporter()
    raise ValueError(f"{name}: must be grpc or http/protobuf, not {protocol}")
