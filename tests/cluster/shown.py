"""Which certificate a part of a release shows, by its serial number."""

import socket
import ssl
import struct

from cryptography import x509

TAKEN_SECONDS = 240
"""kubelet brings a changed secret to a pod within a minute or two."""
_SSL_REQUEST = 80_877_103
"""What a client of PostgreSQL sends first to ask for TLS, by its protocol."""


def serial_of(certificate: bytes) -> int:
    """Return the serial number of a certificate in PEM form."""
    return x509.load_pem_x509_certificate(certificate).serial_number


def served(address: str) -> int | None:
    """Return the serial number of the certificate that is shown at ``address``; None where nobody answers just now."""
    host, port = address.split(":")
    try:
        return serial_of(ssl.get_server_certificate((host, int(port))).encode())
    except OSError:
        return None


def served_by_postgres(address: str) -> int:
    """Return the serial number of PostgreSQL's certificate, which it shows once it is asked for TLS."""
    host, port = address.split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only looked at
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        plain.sendall(struct.pack("!ii", 8, _SSL_REQUEST))
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain) as secured:
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"").serial_number
