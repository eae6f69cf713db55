"""Avro values, checked before fastavro reads or skips them.

Where fastavro skips a field that the reader does not have, it believes every count and length: a hundred bytes can say
that 2³¹ nulls follow. So each count and length is compared with the bytes that are there, and the number of steps is
limited by the value's size.

Specification: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
"""

from collections.abc import Callable

from sagakit.avro.untrusted_schemas import PRIMITIVES, Avro, Writer

_HIGHEST_BIT = bytes(128) + b"\1" * 128
"""By byte: whether its highest bit is set."""
_OVERLONG = b"\1" * 9
_MOST_BYTES = 10
_INT = 2**31
_LONG = 2**63
_SPARE_STEPS = 10_000


class BrokenValueError(Exception):
    """The bytes are not a value of their schema."""


def may_be_overlong(value: bytes) -> bool:
    """Say whether ``value`` may hold a number in more than nine bytes.

    Such a number has nine bytes in a row with the highest bit set; text can have them too.
    """
    return _OVERLONG in value.translate(_HIGHEST_BIT)


def check(value: bytes, begin: int, writer: Writer) -> None:
    """Check that ``value`` is, from ``begin`` to its end, one value of the schema of ``writer``.

    Raises:
        BrokenValueError: it is not, or it holds more items than its size allows.
    """
    walk = _Walk(value, begin, writer)
    walk.over(writer.schema)
    if walk.at != len(value):
        raise BrokenValueError(f"{len(value) - walk.at} bytes are left over after the value")


class _Walk:
    """A walk over one value."""

    def __init__(self, value: bytes, begin: int, writer: Writer) -> None:
        self.at = begin
        self._value, self._named = value, writer.named
        self._steps = 2 * len(value) + _SPARE_STEPS

    def over(self, schema: Avro) -> None:
        """Go over a value of ``schema``, whose depth `examine` has limited."""
        self._steps -= 1
        if self._steps < 0:
            raise BrokenValueError("it holds more items than its size allows")
        kind = schema if isinstance(schema, str) else "union" if isinstance(schema, list) else schema["type"]
        step = _STEPS.get(kind)
        if step:
            step(self, schema)
        else:
            self.over(self._named[kind])

    def _over_null(self, _: Avro) -> None:
        pass

    def _over_boolean(self, _: Avro) -> None:
        if self._take(1)[0] > 1:
            raise BrokenValueError("a boolean is neither 0 nor 1")

    def _over_int(self, _: Avro) -> None:
        if not -_INT <= self._number() < _INT:
            raise BrokenValueError("an int has more than 32 bits")

    def _over_long(self, _: Avro) -> None:
        self._number()

    def _over_float(self, _: Avro) -> None:
        self._take(4)

    def _over_double(self, _: Avro) -> None:
        self._take(8)

    def _over_bytes(self, _: Avro) -> None:
        self._take(self._number())

    def _over_string(self, _: Avro) -> None:
        try:
            self._take(self._number()).decode()
        except UnicodeDecodeError as error:
            raise BrokenValueError(f"a string is not UTF-8: {error.reason}") from error

    def _over_fixed(self, schema: Avro) -> None:
        self._take(schema["size"])

    def _over_enum(self, schema: Avro) -> None:
        self._position(schema["symbols"])

    def _over_union(self, schema: Avro) -> None:
        self.over(schema[self._position(schema)])

    def _over_record(self, schema: Avro) -> None:
        for field in schema["fields"]:
            self.over(field["type"])

    def _over_array(self, schema: Avro) -> None:
        self._blocks(lambda: self.over(schema["items"]))

    def _over_map(self, schema: Avro) -> None:

        def entry() -> None:
            self._over_string(schema)
            self.over(schema["values"])

        self._blocks(entry)

    def _blocks(self, item: Callable[[], None]) -> None:
        """Go over blocks of a count and its items, until a count is 0; a block's size follows a negative count."""
        while count := self._number():
            size = self._number() if count < 0 else None
            begin = self.at
            for _ in range(abs(count)):
                item()
            if size is not None and size != self.at - begin:
                raise BrokenValueError("a block does not have the size that it says")

    def _position(self, choices: list[Avro]) -> int:
        position = self._number()
        if not 0 <= position < len(choices):
            raise BrokenValueError(f"there is no choice {position} of {len(choices)}")
        return position

    def _number(self) -> int:
        """Read a number in zigzag code, seven bits a byte."""
        number = 0
        for place, byte in enumerate(self._value[self.at : self.at + _MOST_BYTES]):
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more bytes follow
                self.at += place + 1
                if number >= 2 * _LONG:
                    break
                return number >> 1 ^ -(number & 1)
        raise BrokenValueError("a number has no end, or more than 64 bits")

    def _take(self, size: int) -> bytes:
        begin, end = self.at, self.at + size
        if size < 0 or end > len(self._value):
            raise BrokenValueError(f"{size} bytes are expected, and {len(self._value) - begin} are there")
        self.at = end
        return self._value[begin:end]


_STEPS: dict[str, Callable[[_Walk, Avro], None]] = {
    kind: getattr(_Walk, f"_over_{kind}") for kind in (*PRIMITIVES, "fixed", "enum", "union", "record", "array", "map")
}
