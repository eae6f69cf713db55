"""Certificates for tests: an authority that signs for names, and the files that servers and clients are given."""

import ipaddress
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from devstack.certificates import usage
from sagakit.runtime.settings import Listen

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both in PEM form."""

    certificate: bytes
    key: bytes

    @property
    def serial(self) -> int:
        """The certificate's serial number, which tells it from any other."""
        return x509.load_pem_x509_certificate(self.certificate).serial_number

    def write(self, folder: Path, name: str = "tls") -> None:
        """Write the files ``name.crt`` and ``name.key`` to ``folder``, as a secret of Kubernetes has them."""
        (folder / f"{name}.key").write_bytes(self.key)
        (folder / f"{name}.crt").write_bytes(self.certificate)


class Authority:
    """An authority that nobody knows but those who are given its certificate."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(self._name, self._name, self._key, self._key).add_extension(basic, critical=True)
        builder = builder.add_extension(usage(signs=True), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        """In PEM form."""

    def sign(self, *names: str, common_name: str = "") -> Pair:
        """Make a certificate with ``names``: DNS names, addresses and URIs."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(common_name or "test"), self._name, key, self._key)
        if names:
            alternative = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return Pair(certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def serial_at(address: Listen, believed: Authority, own: Path | None = None) -> int:
    """Connect to a server of HTTP or gRPC; return the serial number of the certificate that it shows.

    ``own`` is a file with the client's certificate and key.

    Raises:
        ssl.SSLError: the certificate is not one of ``believed``'s for that address, or the server refuses ours.
    """
    context = ssl.create_default_context(cadata=believed.certificate.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    if own:
        context.load_cert_chain(own)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True) or b""
    return x509.load_der_x509_certificate(shown).serial_number


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now, serial = datetime.now(UTC), x509.random_serial_number()
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial, now - _DAY, now + _DAY)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    of = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return builder.add_extension(own, critical=False).add_extension(of, critical=False)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.UniformResourceIdentifier(name) if "://" in name else x509.DNSName(name)
