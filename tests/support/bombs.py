"""Batches that are small on their way, and large once they are read."""

from confluent_kafka import Producer

LARGEST_READ = 2_000_000
"""Bytes that a client with `CAREFUL` reads a batch of, at most."""
CAREFUL: dict[str, str | int | float | bool] = {
    "receive.message.max.bytes": LARGEST_READ,
    "fetch.max.bytes": 1_000_000,
    "fetch.message.max.bytes": 1_000_000,
}
"""Properties of a consumer to which far smaller batches than to others are bombs."""


def send_bomb(bootstrap: str, topic: str, size: int, *, messages: int = 1, partition: int = 0) -> None:
    """Write one batch of so many ``messages``, compressed by zstd, that has ``size`` bytes once it is read."""
    failures: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "zstd",
            "message.max.bytes": 1_000_000_000,
            "batch.size": 2_000_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            "linger.ms": 5_000,
        }
    )
    for _ in range(messages):
        producer.produce(
            topic,
            bytes(size // messages),
            b"7",
            partition,
            headers=[("message-type", b"scratch.Ping")],
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(60) == 0
    assert not failures
