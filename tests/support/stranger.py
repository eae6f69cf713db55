"""A producer that bears no scruples: librdkafka itself, by which headers may have names that are no text."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka

_PRODUCER, _END, _TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _HEADERS = 0, 0, 1, 3, 4, 5, 7, 10
_COPY = 2
_ANSWER_MILLISECONDS = 15_000


def send_raw(
    bootstrap: str, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[bytes, bytes | None]]
) -> None:
    """Write one message to partition 0, and see that Kafka has it.

    The Python client takes only text for a header's name, so its C library is called by itself.
    Source: https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h (``rd_kafka_vtype_t``).
    """
    (path,) = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, name).restype = ctypes.c_void_p
    failure = ctypes.create_string_buffer(512)
    configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(configuration, b"bootstrap.servers", bootstrap.encode(), failure, 512)
    producer = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, configuration, failure, 512))
    assert producer.value, failure.value
    given = ctypes.c_void_p(library.rd_kafka_headers_new(len(headers)))
    for header, content in headers:
        size = -1 if content is None else len(content)
        library.rd_kafka_header_add(given, header, len(header), content, ctypes.c_ssize_t(size))
    sent = library.rd_kafka_producev(
        *(producer, _TOPIC, topic.encode(), _PARTITION, ctypes.c_int32(0)),
        *(_VALUE, value, ctypes.c_size_t(len(value)), _KEY, key, ctypes.c_size_t(len(key))),
        *(_FLAGS, _COPY, _HEADERS, given, _END),
    )
    assert sent == 0
    assert library.rd_kafka_flush(producer, _ANSWER_MILLISECONDS) == 0
    library.rd_kafka_destroy(producer)
