"""Addresses of servers that are believed, or told a secret, such as an issuer of tokens."""

import re

from sagakit.runtime.settings import HIGHEST_PORT, is_ipv6, is_loopback

# Those who read addresses differ on what an @, a backslash, a control character or a letter outside of ASCII makes of
# the host. So an address with one of them has no place here: who is looked at must be who is connected to.
_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[0-9A-Za-z._-]+))(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?][!-\[\]-~]*)?"
)


def is_trustworthy(url: str) -> bool:
    """Say whether what answers at ``url`` is who is named there: by its certificate, or since it is this machine.

    False for an address that two readers might read otherwise.
    """
    found = _URL.fullmatch(url)
    if found is None or int(found["port"] or 0) > HIGHEST_PORT or (found["ipv6"] and not is_ipv6(found["ipv6"])):
        return False
    return found["scheme"] == "https" or is_loopback(found["ipv6"] or found["host"])
