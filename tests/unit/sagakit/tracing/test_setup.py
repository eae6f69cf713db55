"""Tracing begins as OpenTelemetry's standard variables say, and is off without them."""

import socket
import time
from collections.abc import Iterator, Mapping

import pytest

from sagakit.trace_context import new_trace
from sagakit.tracing import calls, setup, spans

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    setup.end()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY},
        {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_SERVICE_NAME": "shop"},
    ],
    ids=["nothing", "none", "disabled", "a-name-alone"],
)
def test_it_is_off_until_a_variable_says_where_spans_go(variables: Mapping[str, str]) -> None:
    assert setup.begin("order_svc", variables) is False
    assert spans.tracing() is None


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": NOBODY, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
    ],
    ids=["exporter", "endpoint", "http"],
)
def test_it_is_on_where_one_does(variables: Mapping[str, str]) -> None:
    assert setup.begin("order_svc", variables) is True
    assert spans.tracing() is not None


SIZES = ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT")
RATIO = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
WRONG: list[tuple[str, str, str, Mapping[str, str]]] = [
    ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none", {}),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "grpc or http/protobuf", {}),
    *((f"OTEL_BSP_{size}", value, "a whole number above 0", {}) for size in SIZES for value in ("0", "-1", "x", "5.5")),
    (
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "512",
        "at most OTEL_BSP_MAX_QUEUE_SIZE, 100",
        {"OTEL_BSP_MAX_QUEUE_SIZE": "100"},
    ),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "long", "a number above 0", {}),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zip", "none, gzip or deflate", {}),
    ("OTEL_TRACES_SAMPLER", "on", "one of always_on, always_off, traceidratio, also behind parentbased_", {}),
    *(("OTEL_TRACES_SAMPLER_ARG", share, "a number from 0 to 1", RATIO) for share in ("1%", "1.5", "-0.1", "nan")),
]


@pytest.mark.parametrize(("name", "value", "must_be", "beside"), WRONG, ids=[f"{one[0]}={one[1]}" for one in WRONG])
def test_what_is_not_there_is_refused_by_the_name_of_its_variable(
    name: str, value: str, must_be: str, beside: Mapping[str, str]
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        setup.begin("order_svc", {"OTEL_TRACES_EXPORTER": "otlp", **beside, name: value})
    assert str(caught.value) == f"{name}: must be {must_be}, not {value}"


def test_what_is_set_well_is_taken() -> None:
    assert setup.begin(
        "order_svc",
        {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_TRACES_SAMPLER": "ParentBased_TraceIdRatio",
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
        },
    )


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_stop_does_not_wait_for_a_collector_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert setup.begin("order_svc", {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
        span, _ = calls.begin("bank.v1.Transfers/Add", new_trace()._replace(sampled=True))
        calls.end(span, "OK")
        began = time.monotonic()
        setup.end()
        assert time.monotonic() - began < 5
    assert span is not None
