"""Repairs a consumer that gets nothing, though there is something to read: it joins its group anew.

Two things do that to a client: one of its partitions stalls (`sagakit.consumer.stalled_partitions`), or it reaches no
broker any more, where another client does (`sagakit.kafka.lost_brokers`). And it joins anew with TLS files that are
renewed (`sagakit.kafka.renewed_files`), before those that it has read are no longer good.
"""

from collections.abc import Collection, Sequence

from sagakit.consumer.membership import Membership
from sagakit.consumer.paused_partitions import PausedPartitions
from sagakit.consumer.stalled_partitions import StalledPartitionDetector
from sagakit.kafka.consumed import Partition
from sagakit.kafka.lost_brokers import LostBrokerDetector
from sagakit.kafka.renewed_files import RenewedFiles
from sagakit.offsets.handled import Offsets
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger

log = logger("consumer")


class StallRepair:
    """The repair of one consumer; used by its thread alone."""

    def __init__(  # noqa: PLR0913 - each is a part that it is wired from
        self,
        membership: Membership,
        stalled_partitions: StalledPartitionDetector,
        lost_brokers: LostBrokerDetector,
        renewed_files: RenewedFiles,
        *,
        offsets: Offsets,
        paused: PausedPartitions,
    ) -> None:
        """Look after ``membership``, but for its partitions that are ``paused``: those stand still for a reason."""
        self._membership, self._offsets, self._paused = membership, offsets, paused
        self._stalled_partitions, self._lost_brokers = stalled_partitions, lost_brokers
        self._renewed_files = renewed_files

    def repair(self) -> None:
        """Join the group anew where a partition is stalled, no broker answers, or the TLS files have changed.

        Call it as often as you like.

        Nothing is asked of the consumer's own client: that would wait behind its fetch, half a second each time.
        """
        stalled = self._stalled_partitions.stalled(self._membership.client, self._being_read(), self._offsets)
        lost = self._lost_brokers.is_lost(lambda: self._membership.is_connected)
        if stalled or lost:
            metrics.REJOINED.inc()
            reason = f"nothing comes of {_names(stalled)}" if stalled else "no broker answers"
            log.error("consumer is stalled, joining the group anew", reason=reason)
            self._membership.rejoin()
        elif self._renewed_files.are_there():
            log.info("TLS files have changed, joining the group anew")
            self._membership.rejoin()
            self._renewed_files.taken()

    def _being_read(self) -> Collection[Partition]:
        owned, unplaced = self._membership.owned, self._membership.unplaced
        if not (self._paused or unplaced):
            return owned
        return {one for one in owned if one not in self._paused and one not in unplaced}


def _names(partitions: Sequence[Partition]) -> str:
    return ", ".join(f"{topic}-{number}" for topic, number in partitions)
