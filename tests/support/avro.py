"""Avro's encoding by hand, for bytes that no encoder would write."""


def number(value: int) -> bytes:
    """Return a number of any size in Avro's encoding."""
    zigzag, found = (value << 1) ^ (value >> 127), bytearray()
    while zigzag > 0x7F:
        found.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*found, zigzag])
