"""``ordersaga status`` on what services say in their metrics."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from prometheus_client import start_http_server

from sagakit.consumer.halt import Halt
from sagakit.runtime import metrics, metrics_server
from sagakit.runtime.tls_files import TlsFile, TlsFiles
from tests.support.certificates import Authority
from tests.support.served import free_address
from tests.unit.ordersaga_cli.line import typed


@pytest.fixture
def service() -> Iterator[str]:
    """The address of the metrics of a service that is ready and holds nothing back, whatever other tests left."""
    metrics.READY.set(1)
    metrics.HELD_BACK.set(0)
    server, thread = start_http_server(0, "127.0.0.1")
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_service_that_is_well_is_said_to_be(service: str) -> None:
    Halt()
    result = typed(f"status --metrics {service}")
    assert result.code == 0
    assert result.lines[1].split()[:3] == [service, "yes", "yes"]


def test_a_halt_is_shown_with_since_when_and_why(service: str) -> None:
    halt = Halt()
    halt.failed(ValueError("a bug of ours"))
    metrics.READY.set(0)
    result = typed(f"status --metrics {service}")
    assert result.code == 1
    assert "halted since 20" in result.out
    assert result.lines[1].endswith("ValueError: a bug of ours")
    (as_json,) = typed(f"status --metrics {service} --json").json["services"]
    assert (as_json["halted"], as_json["ready"]) == (True, False)
    assert as_json["reason"] == "ValueError: a bug of ours"
    assert as_json["since"].startswith("20")
    halt.end()
    metrics.READY.set(1)
    assert typed(f"status --metrics {service} --json").json["services"][0]["reason"] is None


def test_messages_that_are_held_back_are_shown(service: str) -> None:
    metrics.HELD_BACK.set(3)
    result = typed(f"status --metrics {service}")
    assert result.code == 0
    assert "yes, 3 held back" in result.out
    assert typed(f"status --metrics {service} --json").json["services"][0]["held_back"] == 3


def test_a_service_that_is_not_ready_says_where_the_reason_stands(service: str) -> None:
    metrics.READY.set(0)
    result = typed(f"status --metrics {service}")
    assert result.code == 1
    assert result.lines[1].endswith("its log says which")
    assert "waits for Kafka or the registry" in result.lines[1]


def test_a_service_that_does_not_answer_is_named(service: str) -> None:
    result = typed(f"status --metrics {service} --metrics 127.0.0.1:9")
    assert result.code == 1
    assert "it does not answer: [Errno 111] Connection refused" in result.lines[2]
    assert result.lines[2].split()[:4] == ["127.0.0.1:9", "no", "no", "it"], "no number is told"


def test_without_kafka_not_all_is_well_though_each_service_is_ready(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordersaga_cli.status._KAFKA_SECONDS", 0.3)
    line, environment = f"status --metrics {service}", {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    result = typed(line, environment)
    assert result.code == 1
    assert result.lines[1].split()[:3] == [service, "yes", "yes"]
    assert result.lines[2].startswith("Kafka does not answer at 127.0.0.1:9 (")
    assert result.lines[2].endswith("): until it does, orders stay PENDING.")
    kafka = typed(f"{line} --json", environment).json["kafka"]
    assert (kafka["address"], kafka["answers"]) == ("127.0.0.1:9", False)


def test_kafka_is_said_to_answer_where_it_does(service: str) -> None:
    cluster = AdminClient({"test.mock.num.brokers": 1, "log_level": 0})  # librdkafka's own, in this process
    (broker,) = cluster.list_topics(timeout=5).brokers.values()
    result = typed(f"status --metrics {service} --kafka-bootstrap-servers {broker.host}:{broker.port}")
    assert (result.code, result.lines[2]) == (0, f"Kafka answers at {broker.host}:{broker.port}.")


def test_kafka_is_not_said_to_be_well_where_nobody_asked_it(service: str) -> None:
    result = typed(f"status --metrics {service}")
    assert result.lines[2].startswith("Kafka was not asked: ")
    assert typed(f"status --metrics {service} --json").json["kafka"] is None


def test_metrics_are_read_by_tls_where_its_authority_is_given(tmp_path: Path) -> None:
    metrics.READY.set(1)
    ours, address = Authority("ours"), free_address()
    ours.sign("127.0.0.1").write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(ours.certificate)
    files = {name: str(tmp_path / name) for name in ("tls.crt", "tls.key", "ca.crt")}
    metrics_server.serve(address, TlsFiles(*(TlsFile(name, path) for name, path in files.items())))
    own = {"METRICS_TLS_CERTIFICATE": files["tls.crt"], "METRICS_TLS_KEY": files["tls.key"]}
    line, believed = f"status --metrics {address}", {"METRICS_TLS_CA": files["ca.crt"]}
    assert typed(line, believed | own).code == 0
    assert "it does not answer" in typed(line, believed).out
    assert "it does not answer" in typed(line).out
    assert typed(line, own).err.startswith("ordersaga: METRICS_TLS_CA: must be set too, where METRICS_TLS_CERTIFICATE")
