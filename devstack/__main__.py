"""``python -m devstack up|down|restart|stop|status|logs|demo``: what the Makefile's doors of the same names call."""

import argparse
import signal
import sys
import time

import psutil
from rich.console import Console
from rich.table import Table

from devstack.bring_up import bring_up
from devstack.demo import demo
from devstack.errors import DevstackError
from devstack.layout import MANIFESTS, Layout
from devstack.logs import print_logs
from devstack.pointer import remember
from devstack.server import Server, Tell
from devstack.services import Service
from devstack.stack import Stack

_NOTHING_RUNS = "Nothing runs; make up starts everything."
_CLOSED = "Closed (SECURE=1): callers need TLS and a token, which lie in {folder}; docs/closed-stack.md says how."
_SHOWS = {
    "console": "  shows orders and sagas to a browser",
    "prometheus": "  watches the services: /api/v1/alerts",
    "zipkin": "  shows traces to a browser",
    "collector": "  takes the services' spans",
}
_FIRST_ORDER = ".venv/bin/ordersaga order create --user 1 --product 1 --price 10000 --watch"


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description="The whole stack on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start whatever does not run or runs older code, and return when all are ready")
    down = commands.add_parser("down", help="stop everything")
    down.add_argument("--purge", action="store_true", help="and remove the data")
    restart = commands.add_parser("restart", help="restart services, and return when they are ready")
    restart.add_argument("names", nargs="*", help="which, such as order_svc (all of them)")
    stop = commands.add_parser("stop", help="stop a part, and let the others go on")
    stop.add_argument("names", nargs="+", help="which, such as order_svc or kafka")
    status = commands.add_parser("status", help="say what runs, and where")
    status.add_argument("name", nargs="?", help="of one part alone, such as order_svc, with its database and its log")
    logs = commands.add_parser("logs", help="show the last lines of the logs")
    logs.add_argument("names", nargs="*", help="whose, such as order_svc or kafka (all of them)")
    logs.add_argument("-f", "--follow", action="store_true", help="and go on showing what is added")
    show = commands.add_parser("demo", help="watch orders go through the saga")
    show.add_argument("--keep", action="store_true", help="leave the stack running")
    arguments = parser.parse_args()
    console = Console()
    _end_in_good_order()
    try:
        stack = Stack(Layout.from_environment())
        match arguments.command:
            case "up":
                code = _up(stack, console)
            case "down":
                code = _down(stack, console, purge=arguments.purge)
            case "restart":
                stack.restart(arguments.names, _teller(console))
                code = 0
            case "stop":
                stack.stop(arguments.names, _teller(console))
                console.print("Next: make up starts again what is stopped.", highlight=False)
                code = 0
            case "status":
                code = _status_of(stack, arguments.name) if arguments.name else _status(stack, console)
            case "logs":
                parts = [_named(stack, name) for name in arguments.names] or stack.parts
                code = print_logs(parts, console, follow=arguments.follow)
            case _:
                code = demo(stack, console, keep=arguments.keep)
    except DevstackError as error:
        print(f"order-saga: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("order-saga: stopped", file=sys.stderr)
        return 130
    return code


def _end_in_good_order() -> None:
    """Let a terminal that is closed and a polite kill end a start as Ctrl-C does: nothing half started stays."""
    endings = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(*_: object) -> None:
        for number in endings:
            signal.signal(number, signal.SIG_IGN)  # the end of it all is not to be interrupted again
        raise KeyboardInterrupt

    for number in endings:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _teller(console: Console) -> Tell:
    return lambda name, doing: console.print(f"  {name:18} {doing}", highlight=False)


def _up(stack: Stack, console: Console) -> int:
    bring_up(stack, console)
    if not remember(stack.folder):
        console.print("ordersaga finds this stack from its own folder only: no note can be written.", highlight=False)
    for part in stack.parts:
        service = MANIFESTS.get(part.name)
        what = f"  {service.description}" if service else _SHOWS.get(part.name, "")
        console.print(f"  {part.name:18} {part.address:18}{what}", highlight=False, soft_wrap=True)
    _say_that_it_is_closed(stack, console)
    console.print(
        f"Next: open {stack.console.url} in a browser\n      {_FIRST_ORDER}\n      make status, make logs, make down",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _say_that_it_is_closed(stack: Stack, console: Console) -> None:
    if stack.security.on:
        console.print(_CLOSED.format(folder=stack.security.ca.parent), highlight=False, soft_wrap=True)


def _down(stack: Stack, console: Console, *, purge: bool) -> int:
    if all(part.pid is None for part in stack.parts):
        console.print(_NOTHING_RUNS, highlight=False)
    stack.down(_teller(console))
    if purge:
        stack.purge()
    return 0


def _status(stack: Stack, console: Console) -> int:
    table = Table("part", "state", "pid", "address", "up for", "memory", box=None, pad_edge=False, header_style="bold")
    for part in stack.parts:
        pid = part.pid
        if pid is None:
            state = "external" if part.external else "[red]not running"
            table.add_row(part.name, state, "", part.address if part.external else "", "", "")
            continue
        process = psutil.Process(pid)
        state = "[green]ready" if part.ready() else "[yellow]not ready"
        minutes, seconds = divmod(int(time.time() - process.create_time()), 60)
        memory = f"{process.memory_info().rss / 1e6:.0f} MB"
        table.add_row(part.name, state, str(pid), part.address, f"{minutes} min {seconds} s", memory)
    console.print(table)
    if all(part.pid is None for part in stack.parts):
        console.print(_NOTHING_RUNS, highlight=False)
    else:
        _say_that_it_is_closed(stack, console)
    return 0


def _status_of(stack: Stack, name: str) -> int:
    """Print what is known of one part, a line for each thing, so that scripts can take one."""
    part = _named(stack, name)
    facts = {"part": name, "pid": part.pid or "not running"}
    if isinstance(part, Service):
        facts |= {"grpc": part.grpc, "metrics": part.metrics, "dsn": part.dsn}
    else:
        facts |= {"address": part.address}
    for what, fact in {**facts, "log": part.log}.items():
        print(f"{what:8} {fact}")
    return 0


def _named(stack: Stack, name: str) -> Server:
    """Return the part called ``name``.

    Raises:
        DevstackError: there is none.
    """
    parts = {part.name: part for part in stack.parts}
    if name not in parts:
        raise DevstackError(f"there is no {name}; there are {', '.join(parts)}")
    return parts[name]


if __name__ == "__main__":
    sys.exit(main())
