"""With what each metric scored: kept once, told with the result, and no numbers are compared across a difference."""

from collections.abc import Sequence

import pytest

from evalbus.errors import Conflict, Malformed
from evalbus.store.ports import Derived
from evalbus_schemas.benchmark import Benchmark, MetricPlugin, Params
from evalbus_schemas.queries import CompareResults, GetResult
from evalbus_schemas.scores import Signature
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_signature,
    samples_of,
)
from tests.scoring import a_plugin, signature_of
from tests.servers.versions import on_each_postgres
from tests.stores import Stores, open_stores

pytestmark = on_each_postgres

OLD, NEW = a_signature(release="1.0"), a_signature(release="2.0")


async def a_job_signed(
    stores: Stores,
    name: str,
    *of_chunks: Sequence[Signature],
    benchmark: Benchmark | None = None,
) -> None:
    """A job with a chunk of one row for each of these, which are the signatures of all its metrics."""
    new = a_new_job(name=name, benchmark=benchmark)
    await stores.a_job_read(new, rows=len(of_chunks), in_chunks_of=1)
    for sent, signatures in zip(await stores.take(), of_chunks, strict=True):
        scored = a_scored_chunk(sent, signatures=signatures)
        await stores.scores.keep(scored, samples_of(scored))
    assert await stores.finalize() == name


async def signatures_of(stores: Stores, name: str) -> list[tuple[Signature, ...]]:
    result = await stores.results.result(GetResult(result=name))
    return [entry.signatures for entry in result.results]


async def differences(stores: Stores, *columns: str) -> list[str]:
    """Why these are refused; compared by force they say the same."""
    with pytest.raises(Conflict) as refused:
        await stores.comparisons.compare(CompareResults(columns=columns))
    forced = await stores.comparisons.compare(CompareResults(columns=columns, force=True))
    assert all(difference in refused.value.message for difference in forced.differences)
    return list(forced.differences)


# --- kept ---------------------------------------------------------------------------------------


async def test_each_metric_has_the_one_signature_that_every_chunk_came_with(
    stores: Stores,
) -> None:
    benchmark = a_benchmark(datasets=("a", "b"), metrics=("one", "two"))
    other = Signature(
        type="f1", version="3", parameters={"reference": 'a NUL \0, "🎉"'}, libraries={}
    )
    await stores.a_job_read(a_new_job(name="job", benchmark=benchmark), rows=3, in_chunks_of=1)
    for sent in await stores.take():
        scored = a_scored_chunk(sent, signatures=[OLD, other])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    found = await signatures_of(stores, "job")

    assert found == [(OLD,), (other,)] * 2


async def test_evaluators_with_different_releases_leave_both_signatures(stores: Stores) -> None:
    await a_job_signed(stores, "job", [NEW], [OLD], [NEW], [OLD])

    assert await signatures_of(stores, "job") == [(OLD, NEW)]


async def test_a_service_that_was_started_again_adds_none(
    stores: Stores, database_url: str
) -> None:
    await stores.a_job_read(a_new_job(name="job"), rows=2, in_chunks_of=1)
    first, last = (a_scored_chunk(sent, signatures=[OLD]) for sent in await stores.take())
    await stores.scores.keep(first, samples_of(first))

    async with open_stores(database_url) as restarted:
        await restarted.scores.keep(last, samples_of(last))
        await restarted.finalize()

    assert await signatures_of(stores, "job") == [(OLD,)]


@pytest.mark.parametrize(
    ("of_last", "expected"), [(OLD, (OLD,)), (NEW, (OLD, NEW))], ids=["the same", "another"]
)
async def test_a_chunk_that_was_scored_twice_has_the_signature_of_what_was_kept(
    stores: Stores, of_last: Signature, expected: tuple[Signature, ...]
) -> None:
    await stores.a_job_read(a_new_job(name="job"), rows=2, in_chunks_of=1)
    first, last = await stores.take()
    for sent, signature in ((first, OLD), (first, NEW), (last, of_last)):
        scored = a_scored_chunk(sent, signatures=[signature])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    assert await signatures_of(stores, "job") == [expected]


async def test_an_answer_that_was_refused_leaves_no_signature(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="job"), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    short = a_scored_chunk(sent, n_rows=1, signatures=[NEW])
    with pytest.raises(Malformed):
        await stores.scores.keep(short, samples_of(short))
    scored = a_scored_chunk(sent, signatures=[OLD])
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    assert await signatures_of(stores, "job") == [(OLD,)]


@pytest.mark.parametrize("signatures", [[OLD], [OLD] * 3])
async def test_signatures_of_other_metrics_than_the_jobs_are_refused(
    stores: Stores, signatures: list[Signature]
) -> None:
    benchmark = a_benchmark(metrics=("one", "two"))
    await stores.a_job_read(a_new_job(benchmark=benchmark), rows=2, in_chunks_of=2)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, signatures=signatures)

    with pytest.raises(Malformed, match="signatures of 2 metrics"):
        await stores.scores.keep(scored, samples_of(scored))


@pytest.mark.parametrize(
    ("of_retry", "expected"), [(OLD, (OLD,)), (NEW, (OLD, NEW))], ids=["the same", "another"]
)
async def test_a_retry_has_the_signatures_of_the_rows_that_it_took_over(
    stores: Stores, of_retry: Signature, expected: tuple[Signature, ...]
) -> None:
    # given
    params = Params(parallelism=64, ignore_request_failure=True)
    benchmark = a_benchmark(models=("live",), params=params)
    source, _ = await stores.a_job_read(
        a_new_job(name="source", benchmark=benchmark, live=("live",)), rows=2, in_chunks_of=2
    )
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[1.0, None]], errors=[a_failed_row(1)], signatures=[OLD])
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()
    how = Derived(source=source.job_id, how="retry")
    await stores.jobs.create(
        a_new_job(name="retry", benchmark=benchmark, live=("live",), derivation=how)
    )

    # when
    await stores.take_over()
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, signatures=[of_retry])
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    # then
    assert await signatures_of(stores, "retry") == [expected]


async def test_a_rescore_has_only_its_own_signature(stores: Stores) -> None:
    await a_job_signed(stores, "source", [OLD])
    source = await stores.jobs.job("default", "source")
    how = Derived(source=source.job_id, how="rescore")
    await stores.jobs.create(a_new_job(name="rescore", derivation=how))
    await stores.take_over()
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, signatures=[NEW])
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    assert await signatures_of(stores, "rescore") == [(NEW,)]


# --- compared -----------------------------------------------------------------------------------


async def test_equal_signatures_are_compared(stores: Stores) -> None:
    await a_job_signed(stores, "one", [OLD])
    await a_job_signed(stores, "two", [OLD])

    comparison = await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    assert comparison.differences == ()


async def test_other_releases_are_refused_by_name(stores: Stores) -> None:
    await a_job_signed(stores, "one", [OLD])
    await a_job_signed(stores, "two", [NEW])

    found = await differences(stores, "one", "two")

    assert found == [
        "the releases (words 1.0, words 2.0) of default/exact-match differ between one and two"
    ]


async def test_another_version_or_kind_of_metric_is_refused_by_name(stores: Stores) -> None:
    await a_job_signed(stores, "one", [OLD])
    await a_job_signed(stores, "two", [OLD.model_copy(update={"version": "2"})])
    await a_job_signed(stores, "three", [a_signature(type="f1")])

    assert await differences(stores, "one", "two", "three") == [
        "the kinds (exact-match 1 and exact-match 2) of default/exact-match differ between one and two",
        "the kinds (exact-match 1 and f1 1) of default/exact-match differ between one and three",
    ]


async def test_a_result_that_two_releases_scored_is_compared_with_none_not_even_itself(
    stores: Stores,
) -> None:
    benchmark = a_benchmark(models=("old", "new"))
    await a_job_signed(stores, "one", [OLD])
    await a_job_signed(stores, "both", [OLD], [NEW])
    await stores.a_job_read(a_new_job(name="mixed", benchmark=benchmark), rows=1)
    for sent, signature in zip(await stores.take(), (OLD, NEW), strict=True):
        scored = a_scored_chunk(sent, signatures=[signature])
        await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    releases = "the releases (words 1.0, words 2.0) of default/exact-match differ"
    assert f"{releases} between one and both" in await differences(stores, "one", "both")
    assert await differences(stores, "mixed") == [f"{releases} inside mixed"]


async def test_one_model_of_a_mixed_result_by_itself_is_refused_as_well(stores: Stores) -> None:
    await a_job_signed(stores, "both", [OLD], [NEW])

    assert await differences(stores, "both") == [
        "the releases (words 1.0, words 2.0) of default/exact-match differ inside both"
    ]


def matching(**parameters: str) -> Benchmark:
    return a_benchmark(metrics=(a_plugin("exact-match", reference="Paris", **parameters),))


def signed(benchmark: Benchmark) -> list[Signature]:
    """As an evaluator signs."""
    return [signature_of(metric) for metric in benchmark.metrics]


async def test_a_default_that_is_written_out_is_no_difference(stores: Stores) -> None:
    metric: MetricPlugin = matching().metrics[0]
    default = str(signature_of(metric).parameters["normalize"])
    short, long = matching(), matching(normalize=default)
    await a_job_signed(stores, "short", signed(short), benchmark=short)
    await a_job_signed(stores, "long", signed(long), benchmark=long)

    comparison = await stores.comparisons.compare(CompareResults(columns=("short", "long")))

    assert comparison.differences == ()


async def test_other_parameters_are_a_difference(stores: Stores) -> None:
    strict, loose = matching(normalize="none"), matching(normalize="strip")
    await a_job_signed(stores, "strict", signed(strict), benchmark=strict)
    await a_job_signed(stores, "loose", signed(loose), benchmark=loose)

    assert await differences(stores, "strict", "loose") == [
        "the parameters (normalize) of default/exact-match differ between strict and loose"
    ]


async def test_results_without_signatures_are_compared_by_what_was_written(stores: Stores) -> None:
    # given
    plain, strict = matching(), matching(normalize="none")
    await a_job_signed(stores, "unsigned", [], benchmark=plain)
    await a_job_signed(stores, "unsigned-too", [], benchmark=plain)
    await a_job_signed(stores, "signed", signed(plain), benchmark=plain)
    await a_job_signed(stores, "strict", signed(strict), benchmark=strict)

    # when
    comparison = await stores.comparisons.compare(
        CompareResults(columns=("unsigned", "unsigned-too", "signed"))
    )

    # then
    assert comparison.differences == ()
    assert await signatures_of(stores, "unsigned") == [()]
    assert await differences(stores, "unsigned", "strict") == [
        "the parameters (normalize) of default/exact-match differ between unsigned and strict"
    ]


async def test_the_result_of_an_older_release_has_no_signatures(stores: Stores) -> None:
    await a_job_signed(stores, "old", [OLD])
    await stores.value("UPDATE result SET signatures = DEFAULT RETURNING 1")

    assert await signatures_of(stores, "old") == [()]


async def test_differences_of_a_metric_that_only_one_has_do_not_matter(stores: Stores) -> None:
    two = a_benchmark(metrics=("exact-match", "other"))
    await a_job_signed(stores, "one", [OLD])
    await a_job_signed(stores, "two", [OLD, NEW], benchmark=two)

    comparison = await stores.comparisons.compare(CompareResults(columns=("one", "two")))

    assert comparison.differences == ()
