"""The schema registry by TLS: who is believed, and files that are renewed while a service runs."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ordersaga.messages import DecreaseProductCommand

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.avro.renewed_registry import RenewedRegistry
from sagakit.avro.settings import RegistrySettings
from sagakit.errors import Unavailable
from sagakit.runtime.settings import Listen
from tests.support.certificates import Authority
from tests.support.proxy import Proxy

OURS, NEXT = Authority("ours"), Authority("next")
Front = Callable[[Authority], Proxy]


def give(folder: Path, authority: Authority) -> None:
    """Give a service the certificates of ``authority``, its own and that by which it believes the registry."""
    authority.sign("product-svc.shop").write(folder)
    (folder / "ca.crt").write_bytes(authority.certificate)


@pytest.fixture
def front(stack: Stack, tmp_path: Path) -> Front:
    """Make a proxy with TLS in front of the registry, the next one at the same address."""
    registry = urlsplit(stack.registry_url)
    behind, fronts = Listen(str(registry.hostname), registry.port or 80), list[Proxy]()

    def make(authority: Authority) -> Proxy:
        pair, path = authority.sign("127.0.0.1"), tmp_path / "front.pem"
        path.write_bytes(pair.certificate + pair.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.certificate.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(path)
        fronts.append(Proxy(lambda: behind, fronts[0].address if fronts else None, context))
        return fronts[-1]

    return make


@contextmanager
def codec_at(address: Listen, stack: Stack, folder: Path) -> Iterator[Codec]:
    """Open a service's codec, whose client has its files in ``folder``."""
    settings = RegistrySettings(
        schema_registry_url=f"https://{address}{urlsplit(stack.registry_url).path}",
        schema_registry_ca_location=str(folder / "ca.crt"),
        schema_registry_certificate_location=str(folder / "tls.crt"),
        schema_registry_key_location=str(folder / "tls.key"),
    )
    with RenewedRegistry(settings) as registry:
        yield Codec(registry, [DecreaseProductCommand])


async def test_renewed_files_are_taken_and_half_of_them_are_not(stack: Stack, front: Front, tmp_path: Path) -> None:
    give(tmp_path, OURS)
    with ExitStack() as opened:
        async with front(OURS) as proxy:
            codec = opened.enter_context(codec_at(proxy.address, stack, tmp_path))
            await asyncio.to_thread(codec.load)
            (tmp_path / "tls.key").write_bytes(NEXT.sign("product-svc.shop").key)
            await asyncio.to_thread(codec.refresh)
        give(tmp_path, NEXT)
        async with front(NEXT):
            await asyncio.to_thread(codec.refresh)


@pytest.mark.parametrize("foreign", ["authority", "certificate"])
async def test_neither_believes_a_foreign_authority(stack: Stack, front: Front, tmp_path: Path, foreign: str) -> None:
    give(tmp_path, OURS)
    if foreign == "authority":
        (tmp_path / "ca.crt").write_bytes(NEXT.certificate)
    else:
        NEXT.sign("product-svc.shop").write(tmp_path)
    async with front(OURS) as proxy:
        codec = codec_at(proxy.address, stack, tmp_path)
        with codec as opened, pytest.raises(Unavailable, match="the schema registry cannot be reached"):
            await asyncio.to_thread(opened.load)
