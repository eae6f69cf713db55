"""A certificate authority of the stack's own, and the certificates that it signs for the stack's parts."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devstack.secrets import write_private

_AUTHORITY_DAYS = 3650
_DAYS = 397
_LEFT = timedelta(days=30)
"""What expires sooner is made anew at a start."""
_SKEW = timedelta(hours=1)


class Pair(NamedTuple):
    """The files of a certificate and its key, both PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs for servers on 127.0.0.1, and for clients."""

    def __init__(self, folder: Path) -> None:
        """Keep everything in ``folder``; the authority is made when it is first needed."""
        self._pair = Pair(folder / "ca.pem", folder / "ca.key")
        self._folder = folder

    @property
    def certificate(self) -> Path:
        """The file of the certificate that whoever connects has to trust."""
        return self._pair.certificate

    @property
    def files(self) -> Pair:
        """Its own certificate and key."""
        return self._pair

    def issue(self, name: str) -> Pair:
        """Return a certificate for ``name``, which is also good for 127.0.0.1; made where there is none that lasts."""
        made_anew = self._make_authority()
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        if made_anew or not _lasts(pair):
            self._sign(name, pair)
        return pair

    def _make_authority(self) -> bool:
        """Make the authority where there is none that lasts; say whether that was so."""
        if _lasts(self._pair):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        key, name = ec.generate_private_key(ec.SECP256R1()), _named("order-saga devstack")
        certificate = (
            _begun(name, name, key.public_key(), _AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(signs=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._pair, certificate, key)
        return True

    def _sign(self, name: str, pair: Pair) -> None:
        authority = x509.load_pem_x509_certificate(self._pair.certificate.read_bytes())
        signing = load_pem_private_key(self._pair.key.read_bytes(), password=None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)  # noqa: S101 - we have made it ourselves
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _begun(_named(name), authority.subject, key.public_key(), _DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
            .sign(signing, hashes.SHA256())
        )
        _write(pair, certificate, key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def usage(*, signs: bool) -> x509.KeyUsage:
    """Return what a key is for: an authority's ``signs``, any other proves who has it.

    Python 3.13 believes no authority whose certificate does not say so.
    """
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))


def _lasts(pair: Pair) -> bool:
    try:
        found = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (OSError, ValueError):
        return False
    return pair.key.exists() and found.not_valid_after_utc > datetime.now(UTC) + _LEFT
