"""Jobs: each thing has a result, whatever becomes of the others, and only their owner sees them."""

import asyncio

from console_svc.jobs import Item, Jobs


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
