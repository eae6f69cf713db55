"""Whether an object that Kubernetes would not take is reported."""

from tools.chart import KUBERNETES, misfits

PORTS = [{"name": "grpc", "port": 50051}]


def service(**spec: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "order-svc"}, "spec": spec}


def test_an_object_as_it_should_be_fits_every_version() -> None:
    assert list(misfits(service(ports=PORTS))) == []


def test_a_misspelt_field_does_not_fit_any_version() -> None:
    found = list(misfits(service(prots=PORTS)))
    assert len(found) == len(KUBERNETES)
    assert all("prots" in line for line in found)


def test_a_field_of_the_wrong_type_does_not_fit() -> None:
    assert list(misfits(service(ports="50051")))
