"""A saga is drawn from its declaration, and the drawing on its page is that of today."""

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.saga.mermaid import mermaid
from tools.paths import ROOT


def test_the_page_shows_the_order_saga_as_it_is_declared() -> None:
    page = (ROOT / "docs" / "architecture" / "saga.md").read_text()
    assert f"```mermaid\n{mermaid(ORDER_SAGA)}\n```" in page, "python -c: print(mermaid(ORDER_SAGA)) into the page"


def test_each_step_leads_to_the_next_and_each_undo_to_the_one_before() -> None:
    lines = [line.strip() for line in mermaid(ORDER_SAGA).splitlines()]
    assert lines[0] == "flowchart LR"
    assert 'do1["create-delivery<br/>CreateDeliveryCommand<br/>the pivot"] --> completed' in lines
    assert "undo1 -.-> undo0" in lines
    assert "undo0 -.-> compensated" in lines
