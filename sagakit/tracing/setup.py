"""Begins tracing as OpenTelemetry's standard variables say (https://opentelemetry.io/docs/specs/otel/configuration/).

It is off until one of them names an exporter or where a collector is. One new trace in a hundred is recorded, unless
``OTEL_TRACES_SAMPLER`` says otherwise.
"""

import math
import os
from collections.abc import Mapping

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from sagakit.tracing import spans

_SHARE = 0.01
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_BATCH, _QUEUE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
_BATCHES = {_BATCH: "512", _QUEUE: "2048", "OTEL_BSP_SCHEDULE_DELAY": "5000", "OTEL_BSP_EXPORT_TIMEOUT": "30000"}
"""The variables of batches, and what OpenTelemetry takes where they are not set."""
_SHARES = "traceidratio"
_SAMPLERS = ("always_on", "always_off", _SHARES)


def begin(service: str, variables: Mapping[str, str] = os.environ) -> bool:
    """Begin to make and export spans, as ``service``, if ``variables`` ask for it; say whether they do.

    Raises:
        ValueError: a variable asks for what is not there; the text names it.
    """
    if not _wanted(variables):
        return False
    _must_be_sound(variables)
    names = {} if variables.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
    sampler = None if variables.get("OTEL_TRACES_SAMPLER") else ParentBased(TraceIdRatioBased(_SHARE))
    spans.use(spans.Tracing(BatchSpanProcessor(_exporter(variables)), sampler, Resource.create(names)))
    return True


def end() -> None:
    """Export what is left, as far as two seconds allow, and make no more spans."""
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


def _must_be_sound(variables: Mapping[str, str]) -> None:
    """Check the variables of which OpenTelemetry would not say by name that they are wrong, or would guess."""
    batches = {name: _above_zero(name, variables.get(name) or default, int) for name, default in _BATCHES.items()}
    if batches[_BATCH] > batches[_QUEUE]:
        raise ValueError(f"{_BATCH}: must be at most {_QUEUE}, {batches[_QUEUE]}, not {batches[_BATCH]}")
    for name in ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"):
        _above_zero(name, variables.get(name) or "10", float)
    for name in ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"):
        given = variables.get(name, "")
        if given.strip().lower() not in {"", "none", "gzip", "deflate"}:
            raise ValueError(f"{name}: must be none, gzip or deflate, not {given}")
    _must_be_sampled(variables)


def _must_be_sampled(variables: Mapping[str, str]) -> None:
    sampler, share = variables.get("OTEL_TRACES_SAMPLER", "").lower(), variables.get("OTEL_TRACES_SAMPLER_ARG")
    if sampler and sampler.removeprefix("parentbased_") not in _SAMPLERS:
        names = ", ".join(_SAMPLERS)
        raise ValueError(f"OTEL_TRACES_SAMPLER: must be one of {names}, also behind parentbased_, not {sampler}")
    if share and sampler.endswith(_SHARES) and not 0 <= _number(share, float) <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1, not {share}")


def _above_zero(name: str, given: str, kind: type[int] | type[float]) -> float:
    number = _number(given, kind)
    if not 0 < number < math.inf:
        raise ValueError(f"{name}: must be a {'whole ' if kind is int else ''}number above 0, not {given}")
    return number


def _number(given: str, kind: type[int] | type[float]) -> float:
    """Return the number ``given``; if it is not a number, NaN, which is outside of every bound."""
    try:
        return kind(given)
    except ValueError:
        return math.nan


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
