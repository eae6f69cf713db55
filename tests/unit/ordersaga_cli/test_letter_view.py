"""``ordersaga dlq show``: the last line says what can be done about a letter."""

from ordersaga_cli.letter_view import hint


def letter(reason: str) -> dict[str, object]:
    return {"group": "product_svc", "key": "decrease-product-command-3-17@5f0c1d9e27ab", "reason": reason}


def test_what_is_mended_is_replayed() -> None:
    said = hint(letter("UNKNOWN_SCHEMA"))
    assert "then `ordersaga dlq replay product_svc decrease-product-command-3-17@5f0c1d9e27ab`" in said


def test_an_id_that_was_given_twice_is_not_replayed_but_settled_with_the_customers() -> None:
    said = hint(letter("REUSED_ID"))
    assert "ordersaga dlq replay" not in said
    assert "Ask both customers" in said
    assert said.endswith("then `ordersaga dlq drop product_svc decrease-product-command-3-17@5f0c1d9e27ab`")
