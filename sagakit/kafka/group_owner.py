"""The owner of a consumer group: two installations that share a Kafka by mistake would take each other's messages.

A database holds the id of its installation, and keeps it through every dump and restore. A compacted topic maps each
group to the id of its owner. Before a service joins its group it reads that topic, and claims the group where nobody
has. Of several claims at once the first in the log counts. Whoever sees another claim behind the first writes the
first again, so that compaction keeps the right one.
"""

from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from sagakit.errors import SagakitError, Unavailable
from sagakit.kafka.consumed import source
from sagakit.kafka.unreadable import end_of, is_unreadable
from sagakit.runtime.logs import logger

log = logger("claims")

TOPIC = "consumer-group-claims"
_ANSWER_SECONDS = 10.0

_Client = Mapping[str, str | int | float | bool]


class ClaimedElsewhere(SagakitError):
    """The consumer group belongs to another installation. Waiting does not help."""

    def __init__(self, group: str, owner: str, ours: str) -> None:
        """Name the ``owner`` of ``group``, and say how the group is handed over to ``ours``."""
        super().__init__(
            f"the consumer group {group} on this Kafka belongs to installation {owner}, and this database is"
            f" installation {ours}: two of them would take each other's messages. Use a Kafka of its own, or hand the"
            f" group over for good: claim {group} {ours}"
        )
        self.owner = owner


def claim(client: _Client, group: str, installation: str) -> None:
    """Claim ``group`` for ``installation`` where it has no owner yet.

    Raises:
        ClaimedElsewhere: it belongs to another.
        Unavailable: the brokers do not answer, or do not let us read and write the topic.
    """
    claims = _read(client, group)
    if _owner(claims) is None:
        _write(client, group, installation)
        claims = _read(client, group)
        log.info("consumer group claimed", group=group, installation=_owner(claims))
    owner = _owner(claims)
    if owner is not None and claims[-1] != owner:
        _write(client, group, owner)
    if owner != installation:
        raise ClaimedElsewhere(group, str(owner), installation)


def owner_of(client: _Client, group: str) -> str | None:
    """Return the installation that ``group`` belongs to; None where it has no owner.

    Raises:
        Unavailable: the brokers do not answer, or do not let us read the topic.
    """
    return _owner(_read(client, group))


def hand_over(client: _Client, group: str, installation: str) -> None:
    """Make ``installation`` the owner of ``group``, whoever owned it before.

    Raises:
        Unavailable: the brokers do not answer, or do not let us write the topic.
    """
    _write(client, group, None, installation)


def _owner(claims: list[str | None]) -> str | None:
    """Return the first claim since the group was last given up."""
    owner = None
    for installation in claims:
        owner = None if installation is None else owner or installation
    return owner


def _read(client: _Client, group: str) -> list[str | None]:
    """Return the claims of ``group`` that the topic keeps, the oldest first; None stands for giving it up."""
    reader = Consumer(
        {
            **client,
            "group.id": group,  # the client requires one; it does not join the group
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted",  # another program's open transaction must not hide a claim
        }
    )
    claims: list[str | None] = []
    try:
        reader.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
        while (message := _next(reader)) is not None:
            if is_unreadable(message):  # no claim of ours
                reader.seek(TopicPartition(TOPIC, 0, end_of(client, source(message))))
            elif message.key() == group.encode():
                value = message.value()
                claims.append(None if value is None else value.decode(errors="replace"))
    except KafkaException as error:
        raise Unavailable(f"the topic {TOPIC} cannot be read: {error.args[0].str()}") from error
    finally:
        reader.close()
    return claims


def _next(reader: Consumer) -> Message | None:
    """Return the next message, or the error of a batch that cannot be read; None at the topic's end."""
    message = reader.poll(_ANSWER_SECONDS)
    if message is None:
        raise Unavailable(f"the topic {TOPIC} cannot be read: no answer")
    error = message.error()
    if error is None or is_unreadable(message):
        return message
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        return None
    raise KafkaException(error)


def _write(client: _Client, group: str, *installations: str | None) -> None:
    writer = Producer({**client, "enable.idempotence": True, "message.timeout.ms": round(_ANSWER_SECONDS * 1000)})
    failures: list[KafkaError] = []

    def note_failure(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    for installation in installations:
        value = None if installation is None else installation.encode()
        writer.produce(TOPIC, key=group.encode(), value=value, partition=0, on_delivery=note_failure)
    left = writer.flush(_ANSWER_SECONDS + 1)
    if failures or left:
        reason = failures[0].str() if failures else "no answer"
        raise Unavailable(f"the topic {TOPIC} cannot be written: {reason}")
