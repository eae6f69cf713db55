"""The services' metrics are read once for all who look, in threads of their own, whoever is slow."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from console_svc import reports
from console_svc.pace_reader import read_ended
from console_svc.reports import Reports
from console_svc.settings import ConsoleSettings
from sagakit.runtime.reported import Report

SETTINGS = ConsoleSettings.model_validate({"kafka_bootstrap_servers": "a:1", "schema_registry_url": "http://a:1"})
Read = Callable[[str, str, object], Report]


@pytest.fixture
def shared() -> Iterator[Reports]:
    found = Reports(SETTINGS)
    yield found
    found.close()


def reading(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    monkeypatch.setattr(reports, "read_report", read)


async def test_many_who_look_share_one_reading(monkeypatch: pytest.MonkeyPatch, shared: Reports) -> None:
    asked: list[str] = []

    def read(name: str, address: str, _: object) -> Report:
        asked.append(name)
        time.sleep(0.05)
        return Report(name, address, ready=True)

    reading(monkeypatch, read)
    found = await asyncio.gather(*(shared.read() for _ in range(20)), shared.read())
    await shared.read()
    assert sorted(asked) == ["delivery_svc", "orchestrator_svc", "order_svc", "product_svc"]
    assert all(report.ready for every in found for report in every)


async def test_a_service_that_is_slow_holds_up_no_other(monkeypatch: pytest.MonkeyPatch, shared: Reports) -> None:
    answered, threads = threading.Event(), set[str]()

    def read(name: str, address: str, _: object) -> Report:
        threads.add(threading.current_thread().name.partition("_")[0])
        if name == "order_svc":
            answered.wait(10)
        return Report(name, address, ready=True)

    monkeypatch.setattr(reports, "_PATIENCE_SECONDS", 0.2)
    reading(monkeypatch, read)
    by_name = {report.service: report for report in await shared.read()}
    assert not by_name["order_svc"].ready
    assert by_name["order_svc"].reason == "it takes long to answer, or does not"
    assert all(report.ready for name, report in by_name.items() if name != "order_svc")
    assert threads == {"reports"}
    answered.set()
    await asyncio.sleep(0.1)
    assert all(report.ready for report in await shared.read())


async def test_files_that_are_missing_are_the_reason_and_no_error() -> None:
    settings = SETTINGS.model_copy(update={"metrics_tls_ca": "/nowhere/ca.pem"})
    broken = Reports(settings)
    assert {report.ready for report in await broken.read()} == {False}
    assert all("METRICS_TLS" in (report.reason or "") for report in await broken.read())
    assert read_ended(settings) is None
    broken.close()


async def test_the_files_are_not_read_by_the_loop(monkeypatch: pytest.MonkeyPatch, shared: Reports) -> None:
    readers: set[bool] = set()
    loops = threading.current_thread()

    def context(_: ConsoleSettings) -> None:
        readers.add(threading.current_thread() is loops)

    monkeypatch.setattr(ConsoleSettings, "context", context)
    await shared.read()
    assert readers == {False}
