"""Who has a port of 127.0.0.1: a program that listens there, or a connection, which may end by itself.

The services' ports lie where Linux takes ports for outgoing connections. Such a connection keeps its port from whoever
wants to listen there, and so does a connection that was closed a moment ago: for a minute, also with SO_REUSEADDR.
"""

from typing import NamedTuple

import psutil

_HERE = {"127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::"}  # noqa: S104 - what others listen on
_CONNECTION_SECONDS = 5.0
"""How long a connection may take to end: many are that short, and to wait for the others would be in vain."""
_CLOSED_SECONDS = 65.0
"""How long the port of a closed connection is waited for; Linux frees it after 60 seconds."""


class Holder(NamedTuple):
    """What keeps a port from others."""

    words: str
    """For people: "by python3 (pid 4711)"; empty where it is not known."""
    seconds: float
    """How long to wait for it to end."""


def holder_of(port: int) -> Holder:
    """Say who has ``port`` of 127.0.0.1."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        connections = []
    here = [one for one in connections if one.laddr and one.laddr.port == port and one.laddr.ip in _HERE]
    for one in here:
        if one.status == psutil.CONN_LISTEN:
            return Holder(f" by {_owner(one.pid)}", 0.0)
    for one in here:
        if one.status == psutil.CONN_TIME_WAIT:
            return Holder(" by a connection that was closed a moment ago", _CLOSED_SECONDS)
        to = f" to {one.raddr.ip}:{one.raddr.port}" if one.raddr else ""
        return Holder(f" by a connection{to} of {_owner(one.pid)}", _CONNECTION_SECONDS)
    return Holder("", _CONNECTION_SECONDS)  # it may have ended just now


def _owner(pid: int | None) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "another user"
    except psutil.Error:
        return f"a process (pid {pid})"
