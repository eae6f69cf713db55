"""The program as the job runs it, again and again."""

import copy

import pytest

from cluster_secrets.__main__ import keep, main
from cluster_secrets.cluster import NotDone
from cluster_secrets.plan import Plan
from cluster_secrets.wanted import TO_TELL
from tests.unit.cluster_secrets.in_memory import Api
from tests.unit.cluster_secrets.plans import NOW, PLAN


@pytest.fixture
def api() -> Api:
    """A cluster in which there is nothing yet."""
    return Api()


def run(api: Api, plan: Plan = PLAN) -> list[str]:
    """Run the job, and return its lines."""
    api.asked.clear()
    with api.connected() as cluster:
        return list(keep(cluster, plan, NOW))


def with_workloads(api: Api) -> Api:
    """Have what the chart makes there, after the first installation."""
    run(api)
    api.run("deployments", "demo-order-svc", "demo-order-login")
    api.run("deployments", "demo-product-svc", "demo-product-login")
    api.run("statefulsets", "demo-postgres", "demo-order-login", "demo-product-login")
    return api


def test_the_first_run_makes_every_secret_and_tells_nobody(api: Api) -> None:
    lines = run(api)
    assert {line.split(":")[0] for line in lines} == {f"secret {name}" for name in PLAN.secrets}
    assert all(line.endswith("made") for line in lines)
    assert {name for name in PLAN.logins if TO_TELL in api.secret(name)["metadata"]["annotations"]} == set()


def test_no_line_has_a_password(api: Api) -> None:
    lines = "\n".join(run(api))
    assert not [one for name in PLAN.logins for one in api.secret(name)["data"].values() if one in lines]


def test_the_next_run_writes_nothing(api: Api) -> None:
    with_workloads(api)
    before = copy.deepcopy(api.objects)
    assert run(api) == []
    assert api.asked == []
    assert api.objects == before


def test_other_passwords_of_a_part_restart_who_reads_them_and_nobody_else(api: Api) -> None:
    with_workloads(api).remove("demo-order-login")
    run(api)
    assert api.restarted() == {"demo-order-svc", "demo-postgres"}


def test_another_certificate_restarts_nobody(api: Api) -> None:
    with_workloads(api).remove("demo-order-tls")
    assert run(api) == ["secret demo-order-tls: ca.crt, tls.crt, tls.key made"]
    assert api.restarted() == set()


def test_a_run_that_is_interrupted_before_it_has_told_the_readers_is_gone_on_with(api: Api) -> None:
    with_workloads(api).remove("demo-order-login")
    api.refuses = lambda request: request == "PATCH demo-postgres"
    with pytest.raises(NotDone, match="403, secrets is forbidden"):
        run(api)
    made = api.secret("demo-order-login")["data"]
    api.refuses = lambda _: False
    run(api)
    assert api.restarted() == {"demo-order-svc", "demo-postgres"}
    assert api.secret("demo-order-login")["data"] == made
    assert run(api) == []


def test_a_workload_that_is_not_there_is_left_out(api: Api) -> None:
    run(api)
    api.remove("demo-order-login")
    assert run(api) == ["secret demo-order-login: database, kafka made"]


def test_a_secret_that_changes_meanwhile_is_not_overwritten(api: Api) -> None:
    run(api)
    del api.secret("demo-order-login")["data"]["kafka"]

    def somebody_else(request: str) -> bool:
        if request == "PATCH demo-order-login":
            api.secret("demo-order-login")["metadata"]["resourceVersion"] = "9"
        return False

    api.refuses = somebody_else
    with pytest.raises(NotDone, match="409, the object has been modified"):
        run(api)


def test_a_plan_that_cannot_be_read_ends_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cluster_secrets", "{}"])
    with pytest.raises(SystemExit, match="secrets not made: 2 validation errors for Plan"):
        main()
