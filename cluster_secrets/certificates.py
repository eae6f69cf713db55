"""An authority and the certificates that it signs, all in PEM form, with keys on the curve P-256.

What is there is good until the last third of its life, so that whoever upgrades once a year never meets the end of one.
"""

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster_secrets.plan import Certificate

AUTHORITY_LIFE = timedelta(days=3650)
LIFE = timedelta(days=1095)
_SKEW = timedelta(minutes=5)
"""By so much a node's clock may be late and still believe a new certificate."""


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates, and tells its own."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, pair: Pair) -> None:
        self._key, self._certificate = key, certificate
        self.pair = pair
        """Its certificate and its key."""

    def sign(self, wanted: Certificate, now: datetime) -> Pair:
        """Make a certificate with a key of its own, for servers and clients."""
        key = ec.generate_private_key(ec.SECP256R1())
        own_id = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _begun(_named(wanted.subject), self._certificate.subject, key.public_key(), now, LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectAlternativeName(_names(wanted)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_id), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Pair(certificate.public_bytes(Encoding.PEM), _pem(key))

    def has_signed(self, certificate: x509.Certificate) -> bool:
        """Say whether a certificate is one of this authority's, also of an earlier one with the same key and name."""
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


def authority_of(found: Pair | None, name: str, now: datetime) -> Authority:
    """Return the authority that was found, renewed where that is due, or another where none was found.

    A renewed one keeps its key, its name and its id: who believes the former believes what the new one signs.
    """
    key = _key(found.key) if found else None
    if found is None or key is None:
        key = ec.generate_private_key(ec.SECP256R1())
        found = Pair(b"", _pem(key))
    subject, own_id = _named(name), x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    former = _certificate(found.certificate)
    former_id = _own_id(former) if former else None
    if former and former_id and former.public_key() == key.public_key():
        if not is_due(former, now):
            return Authority(key, former, found)
        subject, own_id = former.subject, former_id
    certificate = (
        _begun(subject, subject, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(own_id, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate, Pair(certificate.public_bytes(Encoding.PEM), found.key))


def certificate_of(found: Pair | None, wanted: Certificate, authority: Authority, now: datetime) -> Pair:
    """Return the certificate that was found, or another where that is due, of another authority or for others."""
    certificate, key = (_certificate(found.certificate), _key(found.key)) if found else (None, None)
    if found and certificate and key and certificate.public_key() == key.public_key():
        good = authority.has_signed(certificate) and _is_for(certificate, wanted)
        if good and not is_due(certificate, now):
            return found
    return authority.sign(wanted, now)


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Say whether a certificate is in the last third of its life, or past it."""
    begun, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= begun + (end - begun) * 2 / 3


def _is_for(certificate: x509.Certificate, wanted: Certificate) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return certificate.subject == _named(wanted.subject) and set(names) == set(_names(wanted))


def _names(wanted: Certificate) -> list[x509.GeneralName]:
    return [*map(x509.DNSName, wanted.hosts), *(x509.IPAddress(ip_address(one)) for one in wanted.addresses)]


def _own_id(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Return what a key is for; Python 3.13 believes no authority whose certificate does not say so."""
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


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # PKCS #8, which is the form that Kafka reads.
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = load_pem_private_key(pem, password=None)
    except ValueError:
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
