"""Kafka, as the console looks at it: how far groups are behind, and their dead letters. It joins no group.

A look takes a thread and some requests, so all who look share one of the last seconds. The dead letters of a group are
read again only where something was written to their topic.

A look that failed is followed by one with a new client: the old one may have forgotten its brokers
(`sagakit.kafka.lost_brokers`), or know more of their topics than a broker that was killed does.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from ordersaga.messages import RECORDS

from console_svc.settings import ConsoleSettings
from sagakit.avro.shown_values import Decoder
from sagakit.dead_letters.box import DeadLetterBox
from sagakit.dead_letters.letter import Letter, topic_of
from sagakit.errors import SagakitError
from sagakit.offsets.topic_lags import TopicLag, topic_lags
from sagakit.runtime.logs import logger

log = logger("console")
_FRESH_SECONDS = 2.0
_REQUEST_SECONDS = 4.0
_PATIENCE_SECONDS = 0.6
_STALE_SECONDS = 10.0
"""How old a view is that nobody is shown if a newer one can be had; a look at a Kafka that is away takes less."""
_SUFFIX = topic_of("")
_OURS = {record.TOPIC for record in RECORDS}


@dataclass(frozen=True)
class KafkaView:
    """Kafka at one moment."""

    topics: tuple[TopicLag, ...] = ()
    letters: Mapping[str, tuple[Letter, ...]] = field(default_factory=dict)
    """The dead letters that nobody has dealt with, by group, the newest last."""
    trouble: str = ""
    """Why nothing is known; empty where something is."""

    @property
    def lag(self) -> int:
        """How many messages the groups have not handled yet, in all."""
        return sum(sum(one.groups.values()) for one in self.topics)

    @property
    def parked(self) -> int:
        """How many dead letters there are."""
        return sum(map(len, self.letters.values()))

    def readers_of(self, topic: str) -> list[str]:
        """Return the groups, which are called like their services, that read ``topic``."""
        return [group for one in self.topics if one.topic == topic for group in one.groups]


class Kafka:
    """Looks at Kafka for all who look."""

    def __init__(self, settings: ConsoleSettings) -> None:
        """Look as ``settings`` say; connections are made by the first look."""
        self._address = settings.kafka_bootstrap_servers
        self.client = {**settings.kafka_client(), "log_level": 0}
        """The properties of a client that looks."""
        self._replayer = {**self.client, **settings.replay_login()}
        self._registry = {**settings.registry_client(), "timeout": 5}
        self._admin: AdminClient | None = None
        self._is_away = False
        self._view: KafkaView | None = None
        self._at = -_FRESH_SECONDS
        self._task: asyncio.Task[None] | None = None
        self._ends: dict[str, int] = {}

    async def look(self) -> KafkaView:
        """Return Kafka as it was a moment ago, without waiting for it; where nobody looked for long, wait a little."""
        age = time.monotonic() - self._at
        if self._task is None and age > _FRESH_SECONDS:
            self._task = asyncio.create_task(self._renew())
        if self._task is not None and (self._view is None or age > _STALE_SECONDS):
            await asyncio.wait({self._task}, timeout=_PATIENCE_SECONDS)
        return self._view or KafkaView(trouble=f"Kafka has not answered yet at {self._address}.")

    def box(self, group: str, *, to_replay: bool = False) -> DeadLetterBox:
        """Open the dead letters of ``group``, for a thread that may wait.

        Raises:
            Unavailable: Kafka cannot be reached.
            NotFound: the group has none.
        """
        return DeadLetterBox(self._replayer if to_replay else self.client, group)

    def decoder(self) -> Decoder:
        """Return what decodes values through the registry."""
        return Decoder(self._registry)

    async def look_again(self) -> KafkaView:
        """Return Kafka as it is now: something was done, or is said to be there that was not a moment ago."""
        if self._task is not None:
            await asyncio.wait({self._task})
        self._at = -_FRESH_SECONDS
        self._task = asyncio.create_task(self._renew())
        await asyncio.wait({self._task})
        return await self.look()

    async def _renew(self) -> None:
        try:
            self._view = await asyncio.to_thread(self._read)
        finally:
            self._at, self._task = time.monotonic(), None

    def _read(self) -> KafkaView:
        before = self._view or KafkaView()
        try:
            self._admin = self._admin or AdminClient(self.client)
            topics = topic_lags(self._admin, lambda name: name in _OURS or name.endswith(_SUFFIX), _REQUEST_SECONDS)
            letters = {
                one.topic.removesuffix(_SUFFIX): self._letters(one, before)
                for one in topics
                if one.topic.endswith(_SUFFIX)
            }
        except (KafkaException, SagakitError) as error:
            self._admin = None
            text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            self._note(is_away=True, error=text)
            return KafkaView(trouble=f"Kafka cannot be reached at {self._address} ({text}). See whether it runs.")
        self._note(is_away=False)
        self._ends = {one.topic: one.end for one in topics}
        return KafkaView(tuple(one for one in topics if not one.topic.endswith(_SUFFIX)), letters)

    def _note(self, *, is_away: bool, **why: str) -> None:
        """Log that Kafka went away or is back, once each."""
        if is_away and not self._is_away:
            log.warning("Kafka cannot be reached", address=self._address, **why)
        elif self._is_away and not is_away:
            log.info("Kafka is back", address=self._address)
        self._is_away = is_away

    def _letters(self, topic: TopicLag, before: KafkaView) -> tuple[Letter, ...]:
        group = topic.topic.removesuffix(_SUFFIX)
        if self._ends.get(topic.topic) == topic.end and group in before.letters:
            return before.letters[group]
        if not topic.messages:
            return ()
        with self.box(group) as box:
            return tuple(box.letters())
