"""Every mutant by its name: small wrong changes of the source, each with the test that must notice it."""

from tests.mutants.callers import CALLERS
from tests.mutants.console import CONSOLE
from tests.mutants.going_back import GOING_BACK
from tests.mutants.kit import KIT
from tests.mutants.mutant import Mutant
from tests.mutants.saga import SAGA
from tests.mutants.secrets_made import SECRETS_MADE
from tests.mutants.security import SECURITY
from tests.mutants.services import DELIVERIES, ORCHESTRATOR, ORDERS, PRODUCTS
from tests.mutants.tls import TLS
from tests.mutants.untrusted import UNTRUSTED

MUTANTS: dict[str, Mutant] = {
    **KIT, **GOING_BACK, **SAGA, **ORDERS, **PRODUCTS, **DELIVERIES, **ORCHESTRATOR, **TLS, **UNTRUSTED, **SECURITY,
    **CALLERS, **CONSOLE, **SECRETS_MADE,
}  # fmt: skip
