"""The rule which addresses can be delivered to."""

import pytest

from delivery_svc.deliveries import Wanted, refusal


@pytest.mark.parametrize("address", ["", "Main Street 1", "Poboxstraat 4", "Box Hill, Pole Road 2", "12 Apo Boxer St"])
def test_an_address_with_a_door_is_delivered_to(address: str) -> None:
    assert refusal(Wanted(1, 1, address)) is None


@pytest.mark.parametrize("address", ["PO Box 42", "p.o. box 7, Springfield", "Acme Ltd\nP. O. BOX 1", "po box"])
def test_a_post_office_box_is_refused(address: str) -> None:
    assert refusal(Wanted(1, 1, address)) == "UNDELIVERABLE_ADDRESS"
