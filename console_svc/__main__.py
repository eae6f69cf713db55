"""Runs the console: ``python -m console_svc``."""

import asyncio
import socket
import sys
from types import FrameType

import uvicorn

from console_svc.app import application, console_of
from console_svc.console import Console
from console_svc.settings import ConsoleSettings
from sagakit.runtime import logs
from sagakit.runtime.logs import one_line
from sagakit.runtime.server_tls import CurrentContexts
from sagakit.runtime.settings import Listen, is_ipv6, read

_GRACE_SECONDS = 5
log = logs.logger("console")


class _Server(uvicorn.Server):
    """Ends the streams before it waits for them to end."""

    def __init__(self, config: uvicorn.Config, console: Console) -> None:
        super().__init__(config)
        self._console = console

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._console.closing = True
        super().handle_exit(sig, frame)


def main() -> None:
    """Run the console until it is told to end.

    Raises:
        SystemExit: 2 for bad settings, 1 where it cannot listen.
    """
    settings = read(ConsoleSettings)
    logs.configure("console_svc", settings.log_level, settings.log_format)
    sys.exit(asyncio.run(_serve(settings)))


async def _serve(settings: ConsoleSettings) -> int:
    console = console_of(settings)
    tls = settings.console_tls_files()
    contexts = CurrentContexts(tls, "console") if tls.certificate.path else None
    try:
        listening = _listening(settings.console_listen)
    except OSError as error:
        log.critical("cannot listen", address=str(settings.console_listen), error=one_line(error))
        return 1
    config = uvicorn.Config(
        application(console),
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_context_factory=(lambda *_: contexts.one_for_all()) if contexts else None,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    if settings.auth_mode == "none":
        log.info("anyone who reaches the console may do everything", listen=str(settings.console_listen))
    server = _Server(config, console)
    await server.serve([listening])
    return 0 if server.started else 1


def _listening(listen: Listen) -> socket.socket:
    """Return a socket for ``listen``, where ``::`` is every address, of IPv4 too, as it is for the services."""
    if listen.host == "::":
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        return socket.create_server(("::" if dual else "", listen.port), family=family, dualstack_ipv6=dual)
    return socket.create_server(listen, family=socket.AF_INET6 if is_ipv6(listen.host) else socket.AF_INET)


if __name__ == "__main__":
    main()
