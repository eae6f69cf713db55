"""Every error that a server gives, in one of four families by what is to be done about it.

The lists are complete: a code that a new version of psycopg or librdkafka knows and that is not placed here fails a
unit test. What a server says that no list knows counts as its class does, and as ours where that is unknown as well.

Sources: https://www.postgresql.org/docs/current/errcodes-appendix.html,
https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h (``rd_kafka_resp_err_t``) and
https://docs.confluent.io/platform/current/schema-registry/develop/api.html#errors.
"""

from enum import Enum

import psycopg
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError
from httpx2 import TransportError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.errors import Exhausted, Poison, Refused, Unavailable


class Family(Enum):
    """What is to be done about an error."""

    PASSING = "passing"
    """Something is away, full, locked or not yet set up: try again later, with backoff."""
    STALE = "stale"
    """What this process remembers holds no longer: forget it, connect or look up anew, and try again at once."""
    DATA = "data"
    """Just these values cannot be taken, however often they are tried: park the message, refuse the call."""
    OURS = "ours"
    """A bug, or a server that does what none should: no message is to blame, and nobody but a person can mend it."""


_SQLSTATES: dict[str, tuple[Family, str]] = {
    "02": (Family.OURS, "000 001"),
    "03": (Family.OURS, "000"),
    "08": (Family.PASSING, "000 001 003 004 006 007 P01"),  # connection; poolers say a good deal by 08P01
    "09": (Family.OURS, "000"),
    "0A": (Family.STALE, "000"),  # a cached plan whose result type has changed: nothing else of ours is unsupported
    "0B": (Family.OURS, "000"),
    "0F": (Family.OURS, "000 001"),
    "0L": (Family.OURS, "000 P01"),
    "0P": (Family.PASSING, "000"),  # a role that is yet to be made
    "0Z": (Family.OURS, "000 002"),
    "10": (Family.DATA, "608"),
    "20": (Family.OURS, "000"),
    "21": (Family.OURS, "000"),
    "22": (
        Family.DATA,
        """
        000 001 002 003 004 005 007 008 009 00B 00C 00D 00F 00G 00H 00L 00M 00N 00S 00T 010 011 012 013 014 015 016 018
        019 01B 01E 01F 01G 01W 01X 021 022 023 024 025 026 027 02E 02G 02H 030 031 032 033 034 035 036 037 038 039 03A
        03B 03C 03D 03E 03F 03G P01 P02 P03 P04 P05 P06
        """,
    ),
    "23": (Family.DATA, "000 001 502 503 505 514 P01"),  # constraints
    "24": (Family.OURS, "000"),
    "25": (Family.OURS, "000 001 002 003 004 005 006 007 008 P01 P02 P03 P04"),
    "26": (Family.STALE, "000"),  # a prepared statement that the server has forgotten: DISCARD ALL, or a pooler
    "27": (Family.OURS, "000"),
    "28": (Family.PASSING, "000 P01"),  # a password or pg_hba.conf that is being changed
    "2B": (Family.OURS, "000 P01"),
    "2D": (Family.OURS, "000"),
    "2F": (Family.OURS, "000 002 003 004 005"),
    "34": (Family.STALE, "000"),  # a portal of a connection that is another one now
    "38": (Family.OURS, "000 001 002 003 004"),
    "39": (Family.OURS, "000 001 004 P01 P02 P03"),
    "3B": (Family.OURS, "000 001"),
    "3D": (Family.PASSING, "000"),  # a database that is yet to be made
    "3F": (Family.PASSING, "000"),  # a schema that is yet to be made
    "40": (Family.PASSING, "000 001 002 003 P01"),  # serialization, deadlock, a conflict with recovery
    "42": (
        Family.OURS,
        """
        000 501 601 602 611 622 701 702 703 704 710 712 723 725 803 804 809 830 846 883 8C9 939
        P01 P02 P03 P04 P05 P06 P07 P08 P09 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22
        """,
    ),
    "44": (Family.DATA, "000"),
    "53": (Family.PASSING, "000 100 200 300 400"),  # out of resources, a full disk
    "54": (Family.DATA, "000 001 011 023"),  # too large, or nested too deeply
    "55": (Family.PASSING, "000 006 P02 P03 P04"),  # in use, locked
    "57": (Family.PASSING, "000 014 P01 P02 P03 P04 P05"),  # an operator, a time-out, a server that starts or stops
    "58": (Family.PASSING, "000 030 P01 P02 P03"),  # the server's disk
    "72": (Family.PASSING, "000"),
    "F0": (Family.PASSING, "000 001"),  # the server's configuration
    "HV": (
        Family.PASSING,  # another server behind a foreign table
        "000 001 002 004 005 006 007 008 009 00A 00B 00C 00D 00J 00K 00L 00M 00N 00P 00Q 00R 010 014 021 024 090 091",
    ),
    "P0": (Family.OURS, "000 001 002 003 004"),  # a trigger that somebody has added
    "XX": (Family.PASSING, "000 001 002"),  # damaged files, which a restore mends
}
"""By SQLSTATE: each class with its family and the rest of its codes."""

_SQLSTATE_EXCEPTIONS: dict[str, Family] = {
    "2200H": Family.PASSING,  # a sequence that is used up
    "23502": Family.OURS,  # no value of ours is missing: somebody has added a column that this version does not fill
    "25006": Family.PASSING,  # read-only: a standby, or a disk that is nearly full
    "25P02": Family.STALE,  # a connection that is not where we believe it to be
    "25P03": Family.PASSING,  # idle for too long in a transaction
    "25P04": Family.PASSING,  # the transaction took too long
    "42501": Family.PASSING,  # a privilege that somebody is about to grant
    "42703": Family.PASSING,  # what a migration is about to bring: a column,
    "42704": Family.PASSING,  # … a type,
    "42804": Family.PASSING,  # … another type of a column,
    "42809": Family.PASSING,  # … a table that is no view any more,
    "42883": Family.PASSING,  # … a function,
    "428C9": Family.PASSING,  # … a column that is not generated any more,
    "42P01": Family.PASSING,  # … a table,
    "42P10": Family.PASSING,  # … the index that ON CONFLICT goes by
    "42P05": Family.STALE,  # a statement of this name that somebody else has prepared on our connection
    "54011": Family.OURS,  # too many columns, which no value brings about
    "54023": Family.OURS,  # too many arguments, likewise
    "57P01": Family.STALE,  # the connection was ended before its transaction was committed: see `chassis.pipeline`
    "57P05": Family.STALE,  # it was idle for too long
    "XX000": Family.STALE,  # what PostgreSQL says of a table that changes at this moment, if it has no code for it
}

_SQLSTATE_ORIGINS: dict[tuple[str, str], Family] = {
    ("54000", "GetNewTransactionId"): Family.PASSING,  # ids would wrap around: nothing is written until a vacuum
    ("54000", "GetNewMultiXactId"): Family.PASSING,
}
"""Codes that stand for more than one thing, by the function of the server that raised them, which no locale changes."""

_LOCKS = {"55P03", "57014"}
"""Passing errors, beside those of class 40, after which a transaction is surely rolled back: a row that it wanted was
locked for longer than a lock or a statement is waited for, or an operator ended its statement."""
_UNKNOWN_END = "40003"
"""The one code of class 40 after which a transaction may be committed."""

_KAFKA: dict[Family, str] = {
    Family.PASSING: """
        _DESTROY _FAIL _TRANSPORT _CRIT_SYS_RESOURCE _RESOLVE _MSG_TIMED_OUT _PARTITION_EOF _FS _UNKNOWN_TOPIC
        _ALL_BROKERS_DOWN _TIMED_OUT _QUEUE_FULL _ISR_INSUFF _NODE_UPDATE _SSL _WAIT_COORD _UNKNOWN_GROUP _IN_PROGRESS
        _PREV_IN_PROGRESS _ASSIGN_PARTITIONS _REVOKE_PARTITIONS _STATE _AUTHENTICATION _NO_OFFSET _TIMED_OUT_QUEUE
        _WAIT_CACHE _INTR _PARTIAL _NOENT _RETRY _PURGE_QUEUE _PURGE_INFLIGHT _FATAL _GAPLESS_GUARANTEE
        _MAX_POLL_EXCEEDED _UNKNOWN_BROKER _FENCED _ASSIGNMENT_LOST _NOOP _AUTO_OFFSET_RESET _LOG_TRUNCATION
        _DESTROY_BROKER UNKNOWN OFFSET_OUT_OF_RANGE INVALID_MSG UNKNOWN_TOPIC_OR_PART LEADER_NOT_AVAILABLE
        REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE REPLICA_NOT_AVAILABLE NETWORK_EXCEPTION COORDINATOR_LOAD_IN_PROGRESS
        COORDINATOR_NOT_AVAILABLE NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND REBALANCE_IN_PROGRESS
        TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED INVALID_TIMESTAMP
        TOPIC_ALREADY_EXISTS NOT_CONTROLLER CONCURRENT_TRANSACTIONS TRANSACTION_COORDINATOR_FENCED
        TRANSACTIONAL_ID_AUTHORIZATION_FAILED OPERATION_NOT_ATTEMPTED KAFKA_STORAGE_ERROR LOG_DIR_NOT_FOUND
        SASL_AUTHENTICATION_FAILED REASSIGNMENT_IN_PROGRESS DELEGATION_TOKEN_NOT_FOUND
        DELEGATION_TOKEN_AUTHORIZATION_FAILED DELEGATION_TOKEN_EXPIRED NON_EMPTY_GROUP GROUP_ID_NOT_FOUND
        LISTENER_NOT_FOUND OFFSET_NOT_AVAILABLE MEMBER_ID_REQUIRED PREFERRED_LEADER_NOT_AVAILABLE
        GROUP_MAX_SIZE_REACHED FENCED_INSTANCE_ID ELIGIBLE_LEADERS_NOT_AVAILABLE ELECTION_NOT_NEEDED
        NO_REASSIGNMENT_IN_PROGRESS GROUP_SUBSCRIBED_TO_TOPIC UNSTABLE_OFFSET_COMMIT THROTTLING_QUOTA_EXCEEDED
        UNACCEPTABLE_CREDENTIAL FEATURE_UPDATE_FAILED PRINCIPAL_DESERIALIZATION_FAILURE UNRELEASED_INSTANCE_ID
        UNKNOWN_CONTROLLER_ID TRANSACTION_ABORTABLE SHARE_SESSION_LIMIT_REACHED
    """,
    Family.STALE: """
        _UNKNOWN_PARTITION _OUTDATED NOT_LEADER_FOR_PARTITION STALE_CTRL_EPOCH NOT_COORDINATOR ILLEGAL_GENERATION
        UNKNOWN_MEMBER_ID OUT_OF_ORDER_SEQUENCE_NUMBER DUPLICATE_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH
        INVALID_PRODUCER_ID_MAPPING UNKNOWN_PRODUCER_ID FETCH_SESSION_ID_NOT_FOUND INVALID_FETCH_SESSION_EPOCH
        FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH STALE_BROKER_EPOCH PRODUCER_FENCED UNKNOWN_TOPIC_ID
        INCONSISTENT_TOPIC_ID FENCED_MEMBER_EPOCH STALE_MEMBER_EPOCH UNKNOWN_SUBSCRIPTION_ID SHARE_SESSION_NOT_FOUND
        INVALID_SHARE_SESSION_EPOCH FENCED_STATE_EPOCH REBOOTSTRAP_REQUIRED STREAMS_INVALID_TOPOLOGY_EPOCH
        STREAMS_TOPOLOGY_FENCED
    """,
    Family.DATA: """
        _BAD_MSG _BAD_COMPRESSION _KEY_SERIALIZATION _VALUE_SERIALIZATION _KEY_DESERIALIZATION _VALUE_DESERIALIZATION
        _INVALID_DIFFERENT_RECORD INVALID_MSG_SIZE MSG_SIZE_TOO_LARGE RECORD_LIST_TOO_LARGE INVALID_RECORD
    """,
    Family.OURS: """
        _INVALID_ARG _EXISTING_SUBSCRIPTION _CONFLICT _UNKNOWN_PROTOCOL _NOT_IMPLEMENTED _UNSUPPORTED_FEATURE _READ_ONLY
        _UNDERFLOW _INVALID_TYPE _INCONSISTENT _NOT_CONFIGURED _APPLICATION OFFSET_METADATA_TOO_LARGE TOPIC_EXCEPTION
        INVALID_REQUIRED_ACKS INCONSISTENT_GROUP_PROTOCOL INVALID_GROUP_ID INVALID_SESSION_TIMEOUT
        INVALID_COMMIT_OFFSET_SIZE UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE UNSUPPORTED_VERSION INVALID_PARTITIONS
        INVALID_REPLICATION_FACTOR INVALID_REPLICA_ASSIGNMENT INVALID_CONFIG INVALID_REQUEST
        UNSUPPORTED_FOR_MESSAGE_FORMAT POLICY_VIOLATION INVALID_TXN_STATE INVALID_TRANSACTION_TIMEOUT SECURITY_DISABLED
        DELEGATION_TOKEN_AUTH_DISABLED DELEGATION_TOKEN_OWNER_MISMATCH DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
        INVALID_PRINCIPAL_TYPE TOPIC_DELETION_DISABLED UNSUPPORTED_COMPRESSION_TYPE RESOURCE_NOT_FOUND
        DUPLICATE_RESOURCE INCONSISTENT_VOTER_SET INVALID_UPDATE_VERSION UNSUPPORTED_ASSIGNOR MISMATCHED_ENDPOINT_TYPE
        UNSUPPORTED_ENDPOINT_TYPE TELEMETRY_TOO_LARGE INVALID_REGISTRATION INVALID_RECORD_STATE INVALID_VOTER_KEY
        DUPLICATE_VOTER VOTER_NOT_FOUND INVALID_REGULAR_EXPRESSION STREAMS_INVALID_TOPOLOGY
    """,
}
"""librdkafka's codes, by their names: those of the client begin with an underscore, the others are the brokers'."""

_REGISTRY: dict[int, Family] = {
    404: Family.STALE,  # and 40401 to 40403: no such subject, version or schema, as far as this registry knows
    401: Family.PASSING,  # credentials that are being changed
    403: Family.PASSING,
    408: Family.PASSING,
    425: Family.PASSING,
    429: Family.PASSING,
    409: Family.OURS,  # a schema that is not compatible
    422: Family.OURS,  # 42201 to 42203: a schema, version or compatibility that is none
}
"""By HTTP status, which the registry's own codes begin with; above 499 all is passing, and else it is ours."""
_SERVER_ERROR = 500

SQLSTATES = {
    prefix + rest: _SQLSTATE_EXCEPTIONS.get(prefix + rest, family)
    for prefix, (family, codes) in _SQLSTATES.items()
    for rest in codes.split()
}
"""The family of each SQLSTATE."""
KAFKA_CODES = {int(getattr(KafkaError, name)): family for family, names in _KAFKA.items() for name in names.split()}
"""The family of each code of librdkafka."""

_OTHERS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Family], ...] = (
    ((Unavailable, Exhausted, PoolTimeout), Family.PASSING),
    ((Poison, Refused), Family.DATA),
    ((TransportError, OAuthTokenError), Family.PASSING),
    (UnicodeError, Family.DATA),  # text that is none, such as half of a surrogate pair
    (OSError, Family.PASSING),
    # Without an SQLSTATE psycopg itself has found it: a lost connection, or a value that it cannot tell the server.
    ((psycopg.OperationalError, psycopg.InterfaceError), Family.PASSING),
    (psycopg.DataError, Family.DATA),
)


def family_of(error: BaseException) -> Family:
    """Return the family of ``error``, whoever raised it; what nobody has foreseen is `Family.OURS`."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, psycopg.Error):
        return family_of(error.orig)
    if isinstance(error, psycopg.Error) and (code := error.sqlstate or error.diag.sqlstate):
        return _of_sqlstate(code, error.diag.source_function or "")
    if isinstance(error, KafkaException):
        return KAFKA_CODES.get(error.args[0].code(), Family.OURS)
    if isinstance(error, SchemaRegistryError):
        status = int(error.http_status_code)
        return Family.PASSING if status >= _SERVER_ERROR else _REGISTRY.get(status, Family.OURS)
    return next((family for types, family in _OTHERS if isinstance(error, types)), Family.OURS)


def passes(error: BaseException) -> bool:
    """Say whether trying again later can help: the fault is neither in what was asked nor in our code.

    What is stale has then been tried again at once, by those who can, and has not come right yet.
    """
    return family_of(error) in {Family.PASSING, Family.STALE}


def is_separable(error: BaseException) -> bool:
    """Say whether ``error`` may be the trouble of one of many that were done together, so that each is better alone.

    What passes is everybody's, such as a database that is away; but for waiting in vain for what others have locked.
    """
    return not passes(error) or (isinstance(error, psycopg.Error) and _of_locks(error.sqlstate or error.diag.sqlstate))


def _of_locks(code: str | None) -> bool:
    return code in _LOCKS or (code is not None and code.startswith("40") and code != _UNKNOWN_END)


def _of_sqlstate(code: str, raised_by: str) -> Family:
    family, _ = _SQLSTATES.get(code[:2], (Family.OURS, ""))
    return _SQLSTATE_ORIGINS.get((code, raised_by)) or _SQLSTATE_EXCEPTIONS.get(code) or family
