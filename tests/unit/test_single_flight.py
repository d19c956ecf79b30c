"""The same work asked for by several at once: done once, and by the next one where the first did not finish."""

import asyncio

import pytest

from evalbus.evaluator.single_flight import SingleFlight
from tests.buses import eventually


class Work:
    """Ends when it is told to, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.ends: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.begun += 1
        return await asyncio.shield(self.ends)


async def begun(flights: SingleFlight[str], name: str, work: Work) -> asyncio.Task[str]:
    task = asyncio.create_task(flights.do(name, work))
    await asyncio.sleep(0)
    return task


async def test_whoever_asks_for_the_same_gets_the_one_outcome() -> None:
    # given
    flights, work, unused = SingleFlight[str](), Work(), Work()
    first = await begun(flights, "a", work)
    second = await begun(flights, "a", unused)

    # when
    work.ends.set_result("done")

    # then
    assert list(await asyncio.gather(first, second)) == ["done", "done"]
    assert (work.begun, unused.begun) == (1, 0)


async def test_other_work_does_not_wait() -> None:
    # given
    flights, slow, quick = SingleFlight[str](), Work(), Work()
    quick.ends.set_result("quick")
    first = await begun(flights, "a", slow)

    # when
    outcome = await flights.do("b", quick)

    # then
    assert outcome == "quick"
    first.cancel()


async def test_what_was_done_is_done_again_when_it_is_asked_for_later() -> None:
    # given
    flights, work = SingleFlight[str](), Work()
    work.ends.set_result("done")

    # when
    await flights.do("a", work)
    await flights.do("a", work)

    # then
    assert work.begun == 2


async def test_where_the_first_fails_the_second_does_it_and_the_third_waits_for_that() -> None:
    # given
    flights, fails, works, unused = SingleFlight[str](), Work(), Work(), Work()
    first, second, third = [await begun(flights, "a", each) for each in (fails, works, unused)]

    # when
    fails.ends.set_exception(RuntimeError("no"))
    with pytest.raises(RuntimeError):
        await first
    await eventually(lambda: works.begun == 1)
    works.ends.set_result("done")

    # then
    assert list(await asyncio.gather(second, third)) == ["done", "done"]
    assert (works.begun, unused.begun) == (1, 0)


async def test_where_the_first_is_cut_off_the_second_does_it() -> None:
    # given
    flights, first_work, work = SingleFlight[str](), Work(), Work()
    first = await begun(flights, "a", first_work)
    second = await begun(flights, "a", work)

    # when
    first.cancel()
    work.ends.set_result("done")

    # then
    assert await second == "done"


async def test_whoever_waits_can_be_cut_off_without_harm_to_the_first() -> None:
    # given
    flights, work = SingleFlight[str](), Work()
    first = await begun(flights, "a", work)
    second = await begun(flights, "a", work)

    # when
    second.cancel()
    await asyncio.wait([second])
    work.ends.set_result("done")

    # then
    assert second.cancelled()
    assert await first == "done"
