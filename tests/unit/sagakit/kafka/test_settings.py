"""How a login reaches librdkafka."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest
from confluent_kafka import Consumer
from pydantic import SecretStr

from sagakit.kafka.settings import KafkaSettings

_SECONDS = 10


def settings(**more: object) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "kafka_bootstrap_servers": "127.0.0.1:9",
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_username": "books",
            "kafka_sasl_password": SecretStr("geheim"),
            **more,
        }
    )


def test_scram_gives_the_name_and_the_password_to_the_broker() -> None:
    client = settings(kafka_sasl_mechanism="SCRAM-SHA-512").kafka_client()
    assert (client["sasl.username"], client["sasl.password"]) == ("books", "geheim")
    assert not any("oauthbearer" in name for name in client)


@pytest.fixture
def issuer() -> Iterator[tuple[str, "Queue[tuple[str, bytes]]"]]:
    """Run a token endpoint; yield its address, and what it is asked: the Authorization header and the form."""
    asked: Queue[tuple[str, bytes]] = Queue()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"]))
            asked.put((self.headers["Authorization"], form))
            answer = json.dumps({"access_token": _token(), "token_type": "bearer", "expires_in": 300}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token", asked
        server.shutdown()


def _token() -> str:
    """Return a token that nobody has signed: a client does not look."""
    now = int(time.time())
    claims = {"sub": "books", "iat": now, "exp": now + 300}
    return ".".join(_text(json.dumps(part)) for part in ({"alg": "RS256"}, claims)) + ".c2ln"


def _text(part: str) -> str:
    return urlsafe_b64encode(part.encode()).decode().rstrip("=")


def test_oauthbearer_asks_the_issuer_with_the_same_name_and_password(
    issuer: tuple[str, "Queue[tuple[str, bytes]]"],
) -> None:
    url, asked = issuer
    read = settings(
        kafka_sasl_mechanism="OAUTHBEARER",
        kafka_sasl_token_url=url,
        kafka_sasl_token_scope="topics",  # noqa: S106 - no secret
    ).kafka_client()
    assert "sasl.password" not in read
    client = Consumer({**read, "group.id": "books", "log_level": 0})
    try:
        login, form = asked.get(timeout=_SECONDS)
    finally:
        client.close()
    assert login == "Basic Ym9va3M6Z2VoZWlt"  # books:geheim
    assert form == b"grant_type=client_credentials&scope=topics"
