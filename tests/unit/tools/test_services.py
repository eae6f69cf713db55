"""What `make lint` says of services that lack something, and of messages that nobody handles."""

from dataclasses import replace
from pathlib import Path

from ordersaga.messages import RECORDS, CancelDeliveryCommand, CreateDeliveryCommand, DeliveryCreated

from sagakit.service.manifest import Manifest, found
from tools import services
from tools.paths import ROOT

ALL = found(ROOT)
DELIVERY = ALL["delivery_svc"]
PAYMENT = Manifest("payment_svc", "", grpc_port=50061, metrics_port=9111, rules="payments", reads=(), writes=())


def test_the_services_of_this_repository_are_complete() -> None:
    assert list(services.problems()) == []


def test_a_command_that_nobody_consumes_is_named_and_where_to_say_who_does() -> None:
    without = {**ALL, "delivery_svc": replace(DELIVERY, reads=(CancelDeliveryCommand,))}
    (told,) = services.lonely_records(without, RECORDS)
    assert told.startswith("schemas/create-delivery-command/CreateDeliveryCommand.avsc: no service consumes it")
    assert "`reads` of the manifest" in told


def test_a_reply_that_nobody_publishes_is_named() -> None:
    without = {**ALL, "delivery_svc": replace(DELIVERY, writes=())}
    told = list(services.lonely_records(without, [DeliveryCreated]))
    assert ["DeliveryCreated.avsc: no service publishes it" in line for line in told] == [True]


def test_a_command_that_a_manifest_reads_and_no_handler_takes_is_named() -> None:
    more = {"product_svc": replace(ALL["product_svc"], reads=(*ALL["product_svc"].reads, CreateDeliveryCommand))}
    (told,) = services.unhandled_records(more)
    assert told == (
        "product_svc/handlers.py: the manifest reads CreateDeliveryCommand, and nothing handles it; write @handles(…)"
    )


def test_a_command_that_is_handled_and_not_read_is_named() -> None:
    (told,) = services.unhandled_records({"delivery_svc": replace(DELIVERY, reads=(CreateDeliveryCommand,))})
    assert told == "delivery_svc/manifest.py: handlers.py handles CancelDeliveryCommand; name it in `reads`"


def test_a_group_without_a_service_and_a_service_without_a_group_are_named() -> None:
    told = list(services.wrong_groups({"payment_svc": PAYMENT}, ["order_svc"]))
    assert told[0].endswith("no service is called order_svc; remove it, or give order_svc/ a manifest")
    assert "payment_svc is missing; add it" in told[1]


def test_a_service_without_an_entry_in_the_chart_is_told_the_line_to_add() -> None:
    missing, unknown = services.missing_in_chart({"payment_svc": PAYMENT}, ["order"])
    assert missing.endswith("payment_svc is missing; add the line `payment: {}` and run `make gen`")
    assert unknown.endswith("there is no order_svc; remove order and run `make gen`")


def test_a_service_that_docker_compose_does_not_start_is_named() -> None:
    missing, unknown = services.missing_in_compose({"payment_svc": PAYMENT}, ["kafka", "order-migrate", "order-svc"])
    assert missing.startswith("compose.yaml: payment_svc is missing; copy another service's two blocks")
    assert unknown == "compose.yaml: there is no order_svc; remove order-svc"


def test_a_service_that_mypy_does_not_check_or_that_is_not_installed_is_named() -> None:
    def pyproject(files: list[str], include: list[str]) -> dict[str, object]:
        return {"tool": {"mypy": {"files": files}, "setuptools": {"packages": {"find": {"include": include}}}}}

    payment = {"payment_svc": PAYMENT}
    assert list(services.missing_in_pyproject(payment, pyproject(["*_svc"], ["*_svc*"]))) == []
    mypy, setuptools = services.missing_in_pyproject(payment, pyproject(["order_svc"], ["order_svc*"]))
    assert mypy == 'pyproject.toml: tool.mypy.files: payment_svc is missing; let "*_svc" stand there'
    assert setuptools.startswith("pyproject.toml: tool.setuptools.packages.find.include: payment_svc is missing")


def test_a_folder_of_a_service_without_a_manifest_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "payment_svc"
    (folder / "migrations").mkdir(parents=True)
    for name in ("__main__.py", "tables.py"):
        (folder / name).touch()
    (told,) = services.incomplete_folders(tmp_path)
    assert told.startswith("payment_svc/: has no manifest.py, which says what the service is; docs/how-to/")


def test_two_services_on_one_port_are_named() -> None:
    told = list(
        services.shared_ports({"order_svc": ALL["order_svc"], "payment_svc": replace(PAYMENT, grpc_port=50051)})
    )
    assert [line.split(";")[0] for line in told] == [
        "order_svc/manifest.py: the port 50051 is taken twice",
        "payment_svc/manifest.py: the port 50051 is taken twice",
    ]
