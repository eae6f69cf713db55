"""The server's credentials: its certificate, and the authority of its clients, as the files are at each handshake.

gRPC asks for them before each handshake, so a connection that is made after the files have changed gets the new ones.
Connections that are there go on until they reach their age (`sagakit.rpc.connections`).
"""

import grpc

from sagakit.runtime.tls_files import CurrentTlsFiles, TlsFiles


def credentials(files: TlsFiles) -> grpc.ServerCredentials | None:
    """Return credentials of ``files``; None where no certificate is set, and the server speaks in the clear.

    Raises:
        UnusableFiles: they do not fit.
    """
    if files.certificate.path is None:
        return None
    current = CurrentTlsFiles(files, "grpc")
    return grpc.dynamic_ssl_server_credentials(
        _configuration(current),
        lambda: _configuration(current) if current.have_changed() else None,  # type: ignore[arg-type, return-value] # None: no change
        require_client_authentication=files.authority.path is not None,
    )


def _configuration(current: CurrentTlsFiles) -> grpc.ServerCertificateConfiguration:
    certificate, key, authority = current.contents
    return grpc.ssl_server_certificate_configuration([(key or b"", certificate or b"")], authority)
