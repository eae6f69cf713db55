"""Runs the console: ``python -m console_svc``."""

import asyncio
import sys
from types import FrameType

import uvicorn

from console_svc.app import application, console_of
from console_svc.console import Console
from console_svc.settings import ConsoleSettings
from sagakit.runtime import logs
from sagakit.runtime.settings import read

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
    host, port = settings.console_listen
    config = uvicorn.Config(
        application(console),
        host=host,
        port=port,
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=settings.console_tls_certificate,
        ssl_keyfile=settings.console_tls_key,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    if settings.auth_mode == "none":
        log.info("anyone who reaches the console may do everything", listen=str(settings.console_listen))
    server = _Server(config, console)
    await server.serve()
    return 0 if server.started else 1


if __name__ == "__main__":
    main()
