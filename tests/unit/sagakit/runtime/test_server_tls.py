"""A server that takes one TLS context for good shows a renewed certificate all the same."""

import asyncio
from pathlib import Path

from sagakit.runtime.server_tls import CurrentContexts
from sagakit.runtime.settings import Listen
from sagakit.runtime.tls_files import TlsFile, TlsFiles
from tests.support.certificates import Authority, serial_at

OURS = Authority("ours")


async def test_each_connection_is_shown_the_certificate_that_lies_there_then(tmp_path: Path) -> None:
    files = TlsFiles(
        TlsFile("CERTIFICATE", str(tmp_path / "tls.crt")), TlsFile("KEY", str(tmp_path / "tls.key")), TlsFile("", None)
    )
    first = OURS.sign("127.0.0.1")
    first.write(tmp_path)
    context = CurrentContexts(files, "console").one_for_all()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        address = Listen(*server.sockets[0].getsockname())
        assert await asyncio.to_thread(serial_at, address, OURS) == first.serial
        second = OURS.sign("127.0.0.1")
        second.write(tmp_path)
        assert await asyncio.to_thread(serial_at, address, OURS) == second.serial
        (tmp_path / "tls.key").write_text("half written")
        assert await asyncio.to_thread(serial_at, address, OURS) == second.serial
