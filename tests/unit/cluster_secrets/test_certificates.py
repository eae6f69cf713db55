"""Certificates of the release's own authority: what is in them, and when another one is made."""

import ssl
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from cluster_secrets.certificates import AUTHORITY_LIFE, LIFE, Authority, Pair, authority_of, certificate_of, is_due
from cluster_secrets.plan import Certificate
from tests.unit.cluster_secrets.plans import NOW, ORDER


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority that was just made."""
    return authority_of(None, "order-saga shop demo", NOW)


def parsed(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def test_a_certificate_is_for_its_subject_and_all_of_its_names(authority: Authority) -> None:
    found = parsed(authority.sign(ORDER, NOW))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [one.value for one in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["order_svc"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "demo-order-svc"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_its_key_fits_and_is_in_the_form_that_kafka_reads(authority: Authority) -> None:
    pair = authority.sign(ORDER, NOW)
    key = load_pem_private_key(pair.key, password=None)
    assert pair.key.startswith(b"-----BEGIN PRIVATE KEY-----\n"), "PKCS #8"
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == parsed(pair).public_key()


def test_whoever_believes_the_authority_believes_it(authority: Authority) -> None:
    store = Store([parsed(authority.pair)])
    verifier = PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName("demo-order-svc"))
    assert len(verifier.verify(parsed(authority.sign(ORDER, NOW)), [])) == 2


def test_the_authority_says_what_its_key_is_for(authority: Authority) -> None:
    """Python 3.13 believes no other, and reads it strictly."""
    found = parsed(authority.pair)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert ssl.create_default_context(cadata=authority.pair.certificate.decode()).cert_store_stats()["x509_ca"] == 1


def test_they_are_good_at_once_on_a_node_whose_clock_is_late(authority: Authority) -> None:
    for pair in (authority.pair, authority.sign(ORDER, NOW)):
        assert parsed(pair).not_valid_before_utc <= NOW - timedelta(minutes=5)


@pytest.mark.parametrize(("days", "due"), [(0, False), (729, False), (731, True), (1095, True), (4000, True)])
def test_a_certificate_is_due_in_the_last_third_of_its_three_years(authority: Authority, days: int, due: bool) -> None:
    later = NOW + timedelta(days=days)
    pair = authority.sign(ORDER, NOW)
    assert timedelta(days=1095) == LIFE
    assert is_due(parsed(pair), later) is due
    assert (certificate_of(pair, ORDER, authority, later) != pair) is due


def test_a_renewed_authority_keeps_its_key_its_name_and_its_id_so_that_all_it_signed_stays_good(
    authority: Authority,
) -> None:
    later = NOW + AUTHORITY_LIFE * 0.7
    renewed = authority_of(authority.pair, "order-saga shop demo", later)
    assert renewed.pair.certificate != authority.pair.certificate
    assert renewed.pair.key == authority.pair.key
    pair = authority.sign(ORDER, later)
    for one in (authority, renewed):
        store = Store([parsed(one.pair)])
        verifier = PolicyBuilder().store(store).time(later).build_server_verifier(x509.DNSName("localhost"))
        verifier.verify(parsed(pair), [])
    assert certificate_of(pair, ORDER, renewed, later) == pair


def test_an_authority_whose_id_somebody_else_has_chosen_keeps_it_when_it_is_renewed() -> None:
    """As Helm has: by what it signed is found who has signed it, and OpenSSL believes no other."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Helm's")])
    chosen = x509.SubjectKeyIdentifier(b"chosen otherwise")
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + LIFE)
    former = builder.add_extension(chosen, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    renewed = authority_of(Pair(former.public_bytes(Encoding.PEM), private), "another name", NOW + LIFE)
    assert renewed.pair.key == private
    found = parsed(renewed.pair)
    assert found.not_valid_after_utc == NOW + LIFE + AUTHORITY_LIFE
    assert found.subject == former.subject
    assert found.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value == chosen


def test_an_authority_s_key_in_another_form_is_left_in_that(authority: Authority) -> None:
    """Helm writes it as SEC 1."""
    key = load_pem_private_key(authority.pair.key, password=None)
    other_form = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    found = Pair(authority.pair.certificate, other_form)
    for later in (NOW, NOW + AUTHORITY_LIFE):
        assert authority_of(found, "order-saga shop demo", later).pair.key == other_form


def test_an_authority_that_is_not_due_is_the_same(authority: Authority) -> None:
    assert authority_of(authority.pair, "order-saga shop demo", NOW + AUTHORITY_LIFE * 0.6).pair == authority.pair


OTHERS: dict[str, Callable[[Authority, Pair], Pair]] = {
    "no-certificate": lambda _, pair: Pair(b"", pair.key),
    "no-key": lambda _, pair: Pair(pair.certificate, b""),
    "the-key-of-another": lambda authority, pair: Pair(pair.certificate, authority.sign(ORDER, NOW).key),
    "for-another-subject": lambda authority, _: authority.sign(ORDER.model_copy(update={"subject": "x"}), NOW),
    "for-fewer-hosts": lambda authority, _: authority.sign(ORDER.model_copy(update={"hosts": ("localhost",)}), NOW),
    "for-more-addresses": lambda authority, _: authority.sign(
        ORDER.model_copy(update={"addresses": ("127.0.0.1", "::1")}), NOW
    ),
    "of-another-authority": lambda _, __: authority_of(None, "order-saga shop demo", NOW).sign(ORDER, NOW),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_certificate_is_made_where_the_one_that_is_there_does_not_serve(
    authority: Authority, other: str
) -> None:
    found = OTHERS[other](authority, authority.sign(ORDER, NOW))
    now_there = certificate_of(found, ORDER, authority, NOW)
    assert now_there != found
    parsed(now_there).verify_directly_issued_by(parsed(authority.pair))


def test_the_order_of_names_does_not_matter(authority: Authority) -> None:
    pair = authority.sign(ORDER, NOW)
    turned = Certificate(subject="order_svc", hosts=ORDER.hosts[::-1], addresses=ORDER.addresses)
    assert certificate_of(pair, turned, authority, NOW) == pair


@pytest.mark.parametrize("part", ["certificate", "key"])
def test_an_authority_of_which_a_part_cannot_be_read_is_made_anew(authority: Authority, part: str) -> None:
    spoilt = authority.pair._replace(**{part: b"nothing"})
    anew = authority_of(spoilt, "order-saga shop demo", NOW)
    assert anew.pair.certificate != authority.pair.certificate
    assert (anew.pair.key == authority.pair.key) is (part == "certificate")


def test_an_authority_without_an_id_is_made_anew_with_its_key() -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bare")])
    bare = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + LIFE).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found = Pair(bare.public_bytes(Encoding.PEM), private)
    assert authority_of(found, "order-saga", NOW).pair.key == private
