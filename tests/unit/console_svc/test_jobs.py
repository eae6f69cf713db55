"""Jobs: each thing has a result, whatever becomes of the others, and only their owner sees them."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from console_svc.failures import CallFailed
from console_svc.job import load
from console_svc.jobs import Item, Job, Jobs
from console_svc.visitors import Visitor


async def ended(jobs: Jobs, job_id: str) -> None:
    for _ in range(200):
        job = jobs.get(job_id, "mine")
        if job is not None and job.ended:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the job does not end")


async def test_things_are_done_some_at_a_time_with_a_result_for_each() -> None:
    sizes: list[int] = []

    async def work(items: list[Item]) -> None:
        sizes.append(len(items))
        for item in items:
            item.end(f"{item.key} was done", good=item.key != "3")

    jobs = Jobs()
    job = jobs.start("Try", "mine", [Item(str(number), "/") for number in range(5)], work, 2)
    await ended(jobs, job.id)
    assert sizes == [2, 2, 1]
    assert (job.count("done"), job.count("failed"), job.count("waiting")) == (4, 1, 0)
    assert job.items[3].text == "3 was done"


async def test_a_job_that_breaks_off_says_so_and_what_was_not_done() -> None:
    async def work(items: list[Item]) -> None:
        if items[0].key == "1":
            raise ValueError("the roof fell in")
        items[0].end("done", good=True)

    jobs = Jobs()
    job = jobs.start("Try", "mine", [Item("0", "/"), Item("1", "/")], work, 1)
    await ended(jobs, job.id)
    assert "the roof fell in" in job.trouble
    assert (job.count("done"), job.count("waiting")) == (1, 1)


async def test_another_visitor_s_job_is_none() -> None:
    async def work(_: list[Item]) -> None:
        """Do nothing."""

    jobs = Jobs()
    job = jobs.start("Try", "mine", [], work, 1)
    assert jobs.get(job.id, "theirs") is None
    assert jobs.get("unheard-of", "mine") is None
    await jobs.close()


async def nothing(_: list[Item]) -> None:
    """Do nothing."""


async def test_a_job_that_goes_on_is_kept_and_the_oldest_that_has_ended_makes_room() -> None:
    jobs, go_on = Jobs(), asyncio.Event()

    async def wait(_: list[Item]) -> None:
        await go_on.wait()

    def begin(number: int) -> Job:
        return jobs.start(f"Wait {number}", "mine", [Item("0", "/")], wait, 1)

    first = begin(0)
    second = jobs.start("Try", "mine", [], nothing, 1)
    await ended(jobs, second.id)
    others = [begin(number) for number in range(98)]
    last = begin(100)
    assert jobs.get(second.id, "mine") is None
    assert all(jobs.get(one.id, "mine") for one in (first, *others, last))
    with pytest.raises(CallFailed, match="100 jobs are under way") as refused:
        begin(101)
    assert refused.value.status == 429
    go_on.set()
    await ended(jobs, last.id)
    assert jobs.get(begin(102).id, "mine") is not None
    await jobs.close()


async def test_a_job_is_its_subject_s_by_a_later_token_too_and_nobody_else_s() -> None:
    jobs = Jobs()
    job = jobs.start("Try", Visitor("a token", "ann").subject, [], nothing, 1)

    def visit(visitor: Visitor) -> Any:
        return SimpleNamespace(sources=SimpleNamespace(jobs=jobs), parts={"job_id": job.id}, visitor=visitor)

    assert (await load(visit(Visitor("a later token", "ann"))))["job"] is job
    with pytest.raises(CallFailed, match="no such job"):
        await load(visit(Visitor("a token", "bob")))
    await jobs.close()
