"""Jobs to explain, made of what each test is about: items, and the scores that models got for them."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from evalbus.results.explaining import columns_for, explain
from evalbus.store.ports import AnswerToExplain, DatasetToExplain, JobToExplain, RowToExplain
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.explanations import Driver, Explanations

NAN = float("nan")
EXACT = {"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"}
WER = {"name": "wer", "type": "wer", "reference": "{{ item.reference }}"}

Item = Mapping[str, object]


def a_job_to_explain(
    n_rows: int,
    *,
    models: Sequence[str] = ("small",),
    metrics: Sequence[Mapping[str, object]] = (EXACT,),
    slices: Sequence[str] = (),
    datasets: Sequence[str] = ("rows",),
    output: str = "{{ item.output }}",
    is_complete: bool = True,
) -> JobToExplain:
    benchmark = Benchmark.model_validate_json(
        json.dumps(
            {
                "name": "bench",
                "datasets": [{"name": name, "source": "rows.jsonl"} for name in datasets],
                "models": [
                    {"name": name, "type": "recorded", "output": output.replace("MODEL", name)}
                    for name in models
                ],
                "metrics": list(metrics),
                "slices": [{"name": name, "where": {"any": 1}} for name in slices],
            }
        )
    )
    return JobToExplain(
        job_no=1,
        month=date(2026, 3, 1),
        job_id=UUID(int=1),
        workspace="team",
        benchmark=benchmark,
        finished_at=datetime(2026, 3, 1, tzinfo=UTC) if is_complete else None,
        is_complete=is_complete,
        datasets=[
            DatasetToExplain(
                dataset_no=number, name=name, n_rows=n_rows, every=1, asked=[None] * len(models)
            )
            for number, name in enumerate(datasets)
        ],
    )


def an_answer(
    *scores: float,
    text: str | None = "Paris",
    truths: Sequence[float] = (),
    is_failed: bool = False,
    errors: Sequence[Mapping[str, object]] = (),
    latency: float | None = None,
    sample: str | None = None,
) -> AnswerToExplain:
    return AnswerToExplain(
        is_failed=is_failed,
        scores=scores,
        truths=truths,
        sample=sample or json.dumps({} if text is None else {"output_text": text}),
        latency=latency,
        errors=[json.dumps(list(errors))] if errors else [],
    )


def rows_of(
    items: Sequence[Item | str | None],
    *answers: Sequence[AnswerToExplain | None],
    slices: Sequence[int] | None = None,
) -> list[RowToExplain]:
    """A sequence of answers for each model; an item that is text is taken as it is."""
    return [
        RowToExplain(
            row_index=place,
            row_id=f"row-{place}",
            item=json.dumps(item) if isinstance(item, Mapping) else item,
            slices=0 if slices is None else slices[place],
            answers=[given[place] for given in answers],
        )
        for place, item in enumerate(items)
    ]


def explained(
    job: JobToExplain, *rows: Sequence[RowToExplain], at_a_time: int = 1000
) -> Explanations:
    """The rows of each dataset, so many at a time."""
    columns = [columns_for(job) for _ in job.datasets]
    for seen, of_dataset in zip(columns, rows, strict=True):
        for first in range(0, len(of_dataset), at_a_time):
            seen.add(of_dataset[first : first + at_a_time])
    return explain(job, columns)


def explained_scores(
    items: Sequence[Item],
    scores: Sequence[float],
    *,
    slices: Mapping[str, Sequence[bool]] | None = None,
) -> Explanations:
    """Of one model and one metric."""
    named = dict(slices or {})
    bits = [
        sum(1 << place for place, members in enumerate(named.values()) if members[row])
        for row in range(len(items))
    ]
    job = a_job_to_explain(len(items), slices=tuple(named))
    return explained(job, rows_of(items, [an_answer(score) for score in scores], slices=bits))


def drivers_in(explanations: Explanations) -> list[Driver]:
    return [driver for score in explanations.metric_dependent for driver in score.drivers.found]
