"""``ordersaga token``: a token for development, by a key in a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from joserfc.jwk import ECKey
from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from ordersaga_cli import show
from ordersaga_cli.line import DURATION, Command, Failed, json_option
from ordersaga_cli.own_files import read_own
from sagakit.rpc import local_issuer
from sagakit.rpc.scopes import all_scopes

USER = ("orders:read", "orders:write", "products:read")
"""What a customer needs."""
_CONTRACTS = (file.DESCRIPTOR for file in (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2))
OPERATOR = tuple(sorted({"orders:any", *all_scopes(_CONTRACTS, scope)}))
"""Every scope there is. No method asks for orders:any alone: it stands beside another."""
_ISSUER = "ordersaga-development"
_AUDIENCE = "ordersaga"


@click.command(
    cls=Command,
    examples=[
        "ordersaga token --subject 7",
        "ordersaga token --subject ann --operator --lifetime 8h",
        "ordersaga token --key key.json --subject 7 --scope orders:read --json",
    ],
    then="`export ORDERSAGA_TOKEN=$(ordersaga token --subject 7)`, then any other command.",
)
@click.option("--subject", required=True, help="Who the caller is; a user's number, to place and see its orders.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(OPERATOR),
    metavar="SCOPE",
    help=f"What it may do, of {' '.join(OPERATOR)}; give it once for each.  [default: {' '.join(USER)}]",
)
@click.option("--operator", is_flag=True, help="Let it do everything, for everybody.")
@click.option("--lifetime", type=DURATION, default="1h", show_default=True, help="How long the token is good.")
@click.option("--issuer", default=_ISSUER, show_default=True, help="Who says so; AUTH_ISSUER of the services.")
@click.option("--audience", default=_AUDIENCE, show_default=True, help="Whom it is for; AUTH_AUDIENCE of the services.")
@click.option(
    "--key",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".devstack/issuer/key.json"),
    show_default=True,
    help="The key that signs it. Where there is none it is made, with its public part in jwks.json beside it.",
)
@json_option
def token(
    *,
    subject: str,
    scopes: tuple[str, ...],
    operator: bool,
    lifetime: timedelta,
    issuer: str,
    audience: str,
    key_file: Path,
    as_json: bool,
) -> None:
    """Make a token for development.

    Services take it that are started with AUTH_MODE=jwt, AUTH_ISSUER and AUTH_AUDIENCE as here, and AUTH_JWKS_FILE, the
    file jwks.json. In production tokens come from an issuer that knows its users.
    """
    if operator and scopes:
        raise click.UsageError("give either --operator or --scope")
    granted = OPERATOR if operator else scopes or USER
    made = local_issuer.token(
        _key(key_file),
        issuer=issuer,
        audience=audience,
        subject=subject,
        scopes=granted,
        lifetime_seconds=lifetime.total_seconds(),
    )
    if as_json:
        expires = (datetime.now(UTC) + lifetime).isoformat(timespec="seconds")
        said = {"issuer": issuer, "audience": audience, "subject": subject, "scopes": list(granted)}
        show.document({"token": made, **said, "expires": expires, "jwks_file": str(_published(key_file).absolute())})
    else:
        click.echo(made)


def _key(file: Path) -> ECKey:
    try:
        if file.exists():
            read_own(file)  # who can write the key can sign in our place
            return local_issuer.read_key(file)
        key = local_issuer.make_key()
        file.parent.mkdir(parents=True, exist_ok=True)
        local_issuer.write_key(key, file)
        _published(file).write_text(local_issuer.published(key))
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"{file} {error}") from error
    click.echo(f"Made the key {file}; services verify its tokens by AUTH_JWKS_FILE={_published(file)}.", err=True)
    return key


def _published(key_file: Path) -> Path:
    return key_file.with_name("jwks.json")
