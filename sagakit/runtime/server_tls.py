"""By what a server speaks TLS: a context for new connections, made anew where its files have changed."""

import ssl

from sagakit.runtime.logs import logger, one_line
from sagakit.runtime.tls_files import CurrentTlsFiles, TlsFiles

log = logger("tls")


class CurrentContexts:
    """What connections are secured by; any thread may ask."""

    def __init__(self, files: TlsFiles, user: str) -> None:
        """Read ``files``, where the authority may be left out; logs and metrics call whoever uses them ``user``.

        Raises:
            UnusableFiles: they do not fit.
        """
        self._files, self._current = files, CurrentTlsFiles(files, user)
        self._context = self._make()

    def now(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        if self._current.have_changed():
            try:
                self._context = self._make()
            except ssl.SSLError as error:  # they have changed once more, and the next connection finds them whole
                log.warning("changed TLS files cannot be used, using those before", error=one_line(error))
        return self._context

    def one_for_all(self) -> ssl.SSLContext:
        """Return a context for a server that takes only one: by it each connection gets what is current then."""

        def renew(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self.now()

        context = self._make()
        context.sni_callback = renew
        return context

    def _make(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._files.certificate.path or "", self._files.key.path)
        if self._current.contents.authority is not None:
            context.load_verify_locations(cadata=self._current.contents.authority.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context
