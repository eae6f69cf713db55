"""What a consumer does where something fails: it backs off, or halts, or holds some messages back and goes on."""

import threading
import time
from collections.abc import Sequence

from confluent_kafka import KafkaError
from confluent_kafka import Message as KafkaMessage

from sagakit.consumer.backoff import backoff
from sagakit.consumer.batch_handler import BatchHandler, Failed
from sagakit.consumer.halt import Halt
from sagakit.consumer.held_back import BadDeployError, HeldBack, HeldBackError
from sagakit.consumer.membership import Membership
from sagakit.consumer.paused_partitions import PausedPartitions
from sagakit.consumer.stalled_partitions import StalledPartitionDetector
from sagakit.families import Family, family_of
from sagakit.kafka.consumed import source
from sagakit.offsets.handled import Offsets, WentBackError

_POLL_SECONDS = 0.25
_NOTHING_SECONDS = 5.0
"""Where what failed does not come again for so long, another member has it, or it was deleted."""


class Setbacks:
    """The setbacks of one consumer; used by its thread alone."""

    def __init__(  # noqa: PLR0913 - each is a part that it is wired from
        self,
        membership: Membership,
        batch_handler: BatchHandler,
        *,
        offsets: Offsets,
        held_back: HeldBack,
        paused: PausedPartitions,
        stalled_partitions: StalledPartitionDetector,
        stopping: threading.Event,
    ) -> None:
        """Begin without any. What waits here ends once ``stopping`` is set."""
        self._membership, self._batch_handler, self._offsets = membership, batch_handler, offsets
        self._held_back, self._paused, self._stalled_partitions = held_back, paused, stalled_partitions
        self._stopping = stopping
        self._failures = 0
        """How many batches in a row failed for a passing reason."""
        self._tried = 0.0
        """When something that had failed was read again, by the monotonic clock."""
        self.halt = Halt()

    def try_again(self) -> None:
        """Read on partitions that were paused for long enough; forget what was held back and does not come again."""
        if self._paused and self._paused.resume(self._membership.client, self._held_back.convicted):
            self._tried = time.monotonic()
        elif (self._held_back or self.halt.on) and self._nothing_comes():
            self._held_back.clear()
            self.halt.end()

    def _nothing_comes(self) -> bool:
        """Whether what failed has not come again: another member has it, or it was deleted."""
        return not self._paused.waits and time.monotonic() - self._tried > _NOTHING_SECONDS

    def passed(self, done: Sequence[KafkaMessage]) -> None:
        """Note that a batch has not failed as a whole, and that ``done`` are handled or parked."""
        self._failures = 0
        if self._held_back:
            self._held_back.settle(done)
        if self._paused:
            self._paused.forget({source(message)[:2] for message in done})

    def none_left(self) -> None:
        """Note that nothing of a batch is held back; where nothing else is either, a halt ends."""
        if not self._held_back.count:
            self.halt.worked()

    def hold(self, back: Sequence[KafkaMessage], held: Failed) -> None:
        """Pause the partitions of ``back`` for a while; the others go on, which may clear the code of ``held``."""
        reason = self._held_back.reason(held)
        if isinstance(reason, BadDeployError):
            seconds = self.halt.failed(reason)
        else:
            self.halt.end()
            seconds = backoff(reason, self._paused.tries + 1)
        if isinstance(reason, BadDeployError | HeldBackError):
            self._batch_handler.forget()  # what looks like a bug may be what is stale
        self._paused.pause(self._membership.client, {source(message)[:2] for message in back}, seconds)

    def wait(self, error: Exception) -> None:
        """Back off where ``error`` passes; else halt, and forget what may be stale, so that the next try is fresh.

        Where the database went back, nothing is waited for: what it has forgotten is read again.
        """
        if isinstance(error, WentBackError):
            self._membership.lose_places(error)
            return
        if family_of(error) is Family.OURS:
            self._batch_handler.forget()
            seconds = self.halt.failed(error)
        else:
            self._failures += 1
            seconds = backoff(error, self._failures)
        self._idle(time.monotonic() + seconds)

    def _idle(self, until: float) -> None:
        """Handle nothing, but poll all the while, so that the group does not give this member up."""
        self._membership.pause()
        while time.monotonic() < until and not self._stopping.is_set():
            self._membership.keep_offsets()  # what was handled before must not wait until this ends
            event = self._membership.client.poll(min(_POLL_SECONDS, max(0.0, until - time.monotonic())))
            error = event.error() if event else None
            if event and error and error.code() == KafkaError._PARTITION_EOF and self._membership.has(event):  # noqa: SLF001 - its public name
                self._offsets.end([event])
        self._tried = time.monotonic()
        self._membership.resume()
        self._paused.resumed()
        self._stalled_partitions.forget()
