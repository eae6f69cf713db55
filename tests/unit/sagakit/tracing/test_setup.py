"""Tracing begins as OpenTelemetry's standard variables say, and is off without them."""

from collections.abc import Iterator, Mapping

import pytest

from sagakit.tracing import setup, spans

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


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: must be otlp or none, not zipkin"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: must be grpc or http/protobuf, not http/json",
        ),
    ],
    ids=["exporter", "protocol"],
)
def test_what_is_not_there_is_refused_by_the_name_of_its_variable(variables: Mapping[str, str], told: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        setup.begin("order_svc", variables)
    assert str(caught.value) == told
