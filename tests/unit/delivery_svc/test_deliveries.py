"""The rule for the addresses that can be delivered to."""

import pytest

from delivery_svc.deliveries import Wanted, refusal

DOORS = [
    "", "Main Street 1", "Poboxstraat 4", "Box Hill, Pole Road 2", "12 Apo Boxer St", "Postfachweg 3",
    "Postbusstraat 1", "Post Office Lane 2", "Old Post Office, Box Hill", "Via Po, Box 3", "Pob Lane 3",
    "Boxwood Ave 1", "Postal Road 9",
    "Calle Apartado 3", "5 Po River Rd, Boxford", "Tempo Box 7", "Pôstfachweg 3",
]  # fmt: skip
BOXES = [
    "PO Box 42", "p.o. box 7, Springfield", "Acme Ltd\nP. O. BOX 1", "po box", "Po-Box 3", "P.O.-Box 3", "POBox 3",
    "pobox", "P O Box 3", "P.O.Box 3", "PO Box42", "PO  Box\t3", "P.-O.-Box 9", "PO\u00a0Box 3", "PO\u2013Box 3",
    "\uff30\uff2f \uff22\uff4f\uff58 3", "(PO Box 3)", "Main Street 1, PO BOX 3, Springfield", "POB 12", "P.O.B. 12",
    "POB12", "Post Office Box 3", "post-office box 3", "Post-Box 3", "POSTFACH 12", "Postfach", "postfach12",
    "Postbus 5", "POSTBOKS 7", "Boîte postale 4", "BOITE POSTALE 4", "Boi\u0302te Postale 4", "Casella Postale 8",
    "Apartado de Correos 2", "Apartado Postal 2", "Pôstfach 12", "Apartádo postal 5", "P.O. Bóx 3", "PO Bo\u0301x 3",
]  # fmt: skip


@pytest.mark.parametrize("address", DOORS)
def test_an_address_with_a_door_is_delivered_to(address: str) -> None:
    assert refusal(Wanted(1, 1, address)) is None


@pytest.mark.parametrize("address", BOXES)
def test_a_post_office_box_is_refused(address: str) -> None:
    assert refusal(Wanted(1, 1, address)) == "UNDELIVERABLE_ADDRESS"
