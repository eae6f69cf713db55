"""The console's looks at Kafka go on after it was killed, without a restart of the console."""

import asyncio
import os
import signal
import threading

from console_svc.kafka import Kafka, KafkaView
from console_svc.settings import ConsoleSettings
from devstack.stack import Stack
from tests.support.wait import eventually

_BACK_SECONDS = 60.0


def _looks(stack: Stack) -> Kafka:
    asked = {"kafka_bootstrap_servers": stack.bootstrap, "schema_registry_url": "http://127.0.0.1:1"}
    return Kafka(ConsoleSettings.model_validate(asked))


def test_a_console_looks_on_after_kafka_was_killed(breakable: Stack) -> None:
    looks = _looks(breakable)
    seen: list[KafkaView] = []
    done = threading.Event()

    async def look_on() -> None:
        while not done.is_set():
            seen.append(await looks.look_again())
            await asyncio.sleep(0.2)

    looker = threading.Thread(target=lambda: asyncio.run(look_on()))
    looker.start()
    try:
        eventually(lambda: _is_well(seen), 30)
        pid = breakable.kafka.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: _is_away(seen), 30)
        breakable.kafka.start()
        eventually(lambda: _is_well(seen), _BACK_SECONDS)
    finally:
        done.set()
        looker.join()


def _is_well(seen: list[KafkaView]) -> None:
    assert seen
    assert not seen[-1].trouble
    assert seen[-1].topics


def _is_away(seen: list[KafkaView]) -> None:
    assert seen[-1].trouble
