"""The families of errors: complete by the libraries' own lists, and each error in the right one."""

import re

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import ConnectError
from psycopg import errors
from sqlalchemy.exc import OperationalError

from sagakit.errors import Exhausted, NotFound, Poison, Unavailable
from sagakit.families import Family, family_of, is_separable, passes
from sagakit.kafka.error_families import KAFKA_CODES
from sagakit.postgres.error_families import SQLSTATES

PSYCOPGS = {
    error.sqlstate
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
}
LIBRDKAFKAS = {
    code for name, code in vars(KafkaError).items() if re.fullmatch(r"[A-Z_]+", name) and isinstance(code, int)
} - {KafkaError.NO_ERROR}


def of_code(sqlstate: str) -> psycopg.Error:
    return errors.lookup(sqlstate)("as the server says it")


def test_every_sqlstate_that_psycopg_knows_has_its_family() -> None:
    assert len(PSYCOPGS) > 200
    assert SQLSTATES.keys() == PSYCOPGS


def test_every_code_that_librdkafka_knows_has_its_family() -> None:
    assert len(LIBRDKAFKAS) > 150
    assert KAFKA_CODES.keys() == LIBRDKAFKAS


PASSING = "08006 08001 08P01 28P01 40001 40P01 53100 53200 53300 55P03 57014 57P02 57P03 58030 25006 25P03 25P04 42501 "
PASSING += "42P01 42703 42883 42P10 3D000 3F000 F0001 XX001 XX002 2200H"
STALE = "0A000 26000 42P05 57P01 57P05 25P02 XX000"
DATA = "22001 22003 22021 22P02 22P05 23503 23505 23514 54000 54001 44000"
OURS = "23502 42601 42702 42P18 21000 25001 25P01 54023 P0001 2D000"


@pytest.mark.parametrize(
    ("codes", "family"),
    [(PASSING, Family.PASSING), (STALE, Family.STALE), (DATA, Family.DATA), (OURS, Family.OURS)],
    ids=lambda value: value.name if isinstance(value, Family) else "",
)
def test_each_error_of_the_database_has_its_family(codes: str, family: Family) -> None:
    assert {code: family_of(of_code(code)) for code in codes.split()} == dict.fromkeys(codes.split(), family)


def test_locks_may_be_the_trouble_of_one_among_many_and_what_is_away_is_everybodys() -> None:
    assert all(is_separable(of_code(code)) for code in ("40001", "40P01", "55P03", "57014", *DATA.split()))
    everybodys = ("40003", "08006", "53300", "55006", "57P01", "57P03", "25006", "42P01", *STALE.split())
    assert not any(is_separable(of_code(code)) for code in everybodys)
    assert not is_separable(psycopg.OperationalError("the connection is lost"))
    assert is_separable(Poison("REUSED_ID", "an id was used twice"))


@pytest.mark.parametrize(
    ("sqlstate", "family"),
    [("08099", Family.PASSING), ("22099", Family.DATA), ("42999", Family.OURS), ("ZZ000", Family.OURS)],
)
def test_a_code_of_a_newer_server_counts_as_its_class(sqlstate: str, family: Family) -> None:
    class Newer(psycopg.DatabaseError):
        """A code that this psycopg has no class for."""

    Newer.sqlstate = sqlstate
    assert family_of(Newer()) is family


@pytest.mark.parametrize(
    ("error", "family"),
    [
        (psycopg.OperationalError("the connection is lost"), Family.PASSING),
        (psycopg.InterfaceError("the connection is closed"), Family.PASSING),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), Family.DATA),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), Family.DATA),
        (psycopg.ProgrammingError("no result available"), Family.OURS),
        (OperationalError("SELECT 1", {}, errors.CannotConnectNow("starting up")), Family.PASSING),
        (ConnectError("refused"), Family.PASSING),
        (ConnectionResetError(), Family.PASSING),
        (TimeoutError(), Family.PASSING),
        (Unavailable("away"), Family.PASSING),
        (Exhausted("FULL", "full"), Family.PASSING),
        (Poison("BAD_KEY", "no"), Family.DATA),
        (NotFound("ORDER_NOT_FOUND", "no"), Family.DATA),
        (ValueError("a bug"), Family.OURS),
        (KeyError("a bug"), Family.OURS),
        (MemoryError(), Family.OURS),
    ],
    ids=repr,
)
def test_an_error_without_a_code_has_the_family_of_its_class(error: Exception, family: Family) -> None:
    assert family_of(error) is family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("_TRANSPORT", Family.PASSING),
        ("_MSG_TIMED_OUT", Family.PASSING),
        ("NOT_ENOUGH_REPLICAS", Family.PASSING),
        ("TOPIC_AUTHORIZATION_FAILED", Family.PASSING),
        ("_UNKNOWN_PARTITION", Family.STALE),
        ("STALE_MEMBER_EPOCH", Family.STALE),
        ("MSG_SIZE_TOO_LARGE", Family.DATA),
        ("INVALID_RECORD", Family.DATA),
        ("_INVALID_ARG", Family.OURS),
    ],
)
def test_each_error_of_kafka_has_its_family(name: str, family: Family) -> None:
    assert family_of(KafkaException(KafkaError(getattr(KafkaError, name)))) is family


def test_a_code_of_a_newer_broker_is_nobody_elses_fault() -> None:
    assert family_of(KafkaException(KafkaError(12345))) is Family.OURS


@pytest.mark.parametrize(
    ("status", "code", "family"),
    [
        (404, 40401, Family.STALE),
        (404, 40402, Family.STALE),
        (404, 40403, Family.STALE),
        (404, -1, Family.STALE),
        (409, 409, Family.OURS),
        (422, 42201, Family.OURS),
        (422, 42203, Family.OURS),
        (500, 50001, Family.PASSING),
        (500, 50002, Family.PASSING),
        (500, 50003, Family.PASSING),
        (503, -1, Family.PASSING),
        (429, 42901, Family.PASSING),
        (401, 40101, Family.PASSING),
        (403, 40301, Family.PASSING),
        (400, 400, Family.OURS),
    ],
)
def test_each_error_of_the_registry_has_its_family(status: int, code: int, family: Family) -> None:
    assert family_of(SchemaRegistryError(status, code, "as it says")) is family


def test_what_is_stale_or_passing_can_be_tried_later_and_nothing_else() -> None:
    assert {family for family in Family if passes(_example(family))} == {Family.PASSING, Family.STALE}


def _example(family: Family) -> psycopg.Error:
    return of_code(next(code for code, its in SQLSTATES.items() if its is family))
