"""The messages of one saga: commands and replies as they lie in Kafka, decoded through the registry."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from confluent_kafka import KafkaException
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.failures import CallFailed
from console_svc.saga import ENDED
from console_svc.tape import Recorded, Tape, play
from console_svc.visit import Page, Visit
from console_svc.words import time_of
from sagakit.service.access import CONSOLE


@dataclass(frozen=True)
class Decoded:
    """One message, decoded where that could be done."""

    message: Recorded
    content: dict[str, Any]


async def load(visit: Visit) -> Mapping[str, object]:
    """Read the saga, and its messages from when it began."""
    order_id = visit.order_id
    sagas = visit.services.sagas
    request = pb.GetSagaRequest(order_id=order_id, history_page_size=1)
    saga = (await visit.ask(sagas, sagas.stub.GetSaga, request)).saga
    tape = await asyncio.to_thread(_tape, visit, saga, await _partitions(visit))
    messages = await asyncio.to_thread(_decoded, visit, tape)
    return {"saga": saga, "messages": messages, "cut": tape.cut}


async def _partitions(visit: Visit) -> dict[str, int]:
    kafka = await visit.sources.kafka.look()
    if kafka.trouble:
        raise CallFailed(kafka.trouble, grpc.StatusCode.UNAVAILABLE, "")
    return {topic.topic: topic.partitions for topic in kafka.topics}


def _tape(visit: Visit, saga: pb.Saga, partitions: dict[str, int]) -> Tape:
    end = time_of(saga.update_time) if saga.status in ENDED else datetime.now(UTC)
    try:
        return play(visit.sources.kafka.client, partitions, str(saga.order_id).encode(), time_of(saga.create_time), end)
    except KafkaException as error:
        text = (
            f"The messages cannot be read: {error.args[0].str()}. In a closed stack the console needs a login that"
            f" may read commands and replies, such as {CONSOLE}. The saga itself has its history."
        )
        raise CallFailed(text, grpc.StatusCode.PERMISSION_DENIED, "") from error


def _decoded(visit: Visit, tape: Tape) -> list[Decoded]:
    decoder = visit.sources.kafka.decoder()
    return [Decoded(message, decoder.decode(message.value)) for message in tape.messages]


PAGE = Page("/sagas/{order_id}/messages", "Messages", "saga_messages.html", load)
