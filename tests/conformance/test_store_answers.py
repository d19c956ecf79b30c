"""Answers of live models are kept once, by the digest of what they depend on, for as long as they may be of use."""

from hashlib import sha256
from uuid import UUID, uuid4

from evalbus_schemas.chunks import Answer
from tests.builders import a_new_job, an_asked_row
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


def an_answer(
    text: str, *, request: str = "2 + 2?", job_id: UUID | None = None, is_shared: bool = True
) -> Answer:
    return Answer(
        key=sha256(request.encode()).hexdigest(),
        job_id=job_id or uuid4(),
        row="capitals/live/0/0",
        is_shared=is_shared,
        sample={"output_text": text},
        asked=an_asked_row(),
    )


async def test_an_answer_is_found_by_its_key(stores: Stores) -> None:
    four, five = an_answer("4"), an_answer("5", request="2 + 3?")
    await stores.answers.keep([four, five])

    found = await stores.answers.find([five.key, "0" * 64])

    assert found == [five]


async def test_the_first_answer_stays(stores: Stores) -> None:
    first, other = an_answer("4"), an_answer("four")

    await stores.answers.keep([first])
    await stores.answers.keep([other])

    assert await stores.answers.find([first.key]) == [first]


async def test_hostile_text_is_kept_as_it_is(stores: Stores) -> None:
    answer = an_answer("\x00 \ud7ff \N{PILE OF POO} \\u0000")

    await stores.answers.keep([answer])

    assert await stores.answers.find([answer.key]) == [answer]


async def test_old_answers_are_forgotten(stores: Stores) -> None:
    answer = an_answer("4")
    await stores.answers.keep([answer])
    await stores.value("UPDATE answer SET created_at = now() - interval '31 days' RETURNING 1")

    await stores.upkeep.forget(event_days=30, answer_days=30)

    assert await stores.answers.find([answer.key]) == []


async def test_answers_for_one_job_alone_go_after_its_end(stores: Stores) -> None:
    job = await stores.a_completed_job(a_new_job())
    own = an_answer("4", job_id=job.job_id, is_shared=False)
    shared = an_answer("5", request="2 + 3?", job_id=job.job_id)
    await stores.answers.keep([own, shared])
    await stores.value("UPDATE job SET finished_at = now() - interval '2 hours' RETURNING 1")

    await stores.upkeep.forget(event_days=30, answer_days=30)

    assert await stores.answers.find([own.key, shared.key]) == [shared]
