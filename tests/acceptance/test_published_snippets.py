"""The snippets that evaluation platforms publish about benchmark results, run as they stand on our client.

Only the lines that build the client are ours. What they print is compared with what is published.
"""

import asyncio
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest

from evalbus.client import AsyncClient, Client
from evalbus.errors import NotFound
from tests.readme import README
from tests.system import System

WORKSPACE = "my-workspace"
JOB = "my-job-name"
OTHER_JOBS = ("llama-nightly", "mistral-nightly")

ROWS = (
    {"input": "What is 2+2?", "output": "The answer is 4", "reference": "4"},
    {"input": "Capital of France?", "output": "Paris is the capital", "reference": "Paris"},
    {"input": "Color of sky?", "output": "Blue", "reference": "blue"},
    {"input": "Largest planet?", "output": "Jupiter", "reference": "Jupiter"},
    {"input": "Water formula?", "output": "H2O", "reference": "H2O"},
)

EXACT_MATCH = {"name": "exact-match", "type": "exact-match", "reference": "{{ item.reference }}"}
STRING_CHECK = {
    "name": "string-check",
    "type": "string-check",
    "operation": "contains",
    "left_template": "{{ sample.output_text }}",
    "right_template": "{{ item.reference }}",
}

BENCHMARK: dict[str, object] = {
    "name": "my-benchmark",
    "datasets": [{"name": "questions", "rows": list(ROWS)}],
    "models": [{"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}],
    "metrics": [EXACT_MATCH, STRING_CHECK],
}

AGGREGATE_SCORES = """
    aggregate = client.evaluation.benchmark_jobs.results.aggregate_scores.download(
        job="my-job-name",
    )
    for score in aggregate.scores:
        print(f"{score.name}: mean={score.mean} type={score.score_type}")
"""

ROW_SCORES = """
    row_scores = client.evaluation.benchmark_jobs.results.row_scores.download(
        job="my-job-name",
    )
    # Iterate through rows (JSONL format)
    for row in row_scores:
        item = row.item # Original dataset row
        sample = row.sample # Model output payload (often empty for offline jobs)
        metrics = row.metrics # Dict[str, List[MetricScore]] keyed by metric reference
        requests = row.requests # Request/response logs captured during evaluation
        for metric_ref, scores in metrics.items():
            for score in scores:
                print(f"{metric_ref}:{score.name}={score.value}")
"""

LIST = """
    for benchmark_job in client.evaluation.benchmark_job_results.list():
        for metric_result in benchmark_job.results:
            print(f"{benchmark_job.name} / {metric_result.metric}: {[s.name for s in metric_result.scores]}")
"""

FILTER = """
    results = client.evaluation.benchmark_job_results.list(
        filter={"benchmark": "my-workspace/my-benchmark"},
    )
"""

AGGREGATE_FIELDS = """
    results = client.evaluation.benchmark_job_results.list(
        aggregate_fields=["mean"]
    )
"""

SORT = """
    # Sort by creation time (newest first):
    results = client.evaluation.benchmark_job_results.list(sort="-created_at")
"""

SEARCH = """
    # Substring match on name:
    results = client.evaluation.benchmark_job_results.list(search={"name": "llama"})
"""

SEARCH_EXPLICITLY = """
    # Equivalent explicit form:
    results = client.evaluation.benchmark_job_results.list(search={"name": {"$like": "llama"}})
"""

SEARCH_DATES = """
    # Results created after a specific date:
    results = client.evaluation.benchmark_job_results.list(search={"created_at": {"$gt": "2025-01-01T00:00:00"}})
"""

ITERATE = """
    for result in client.evaluation.benchmark_job_results.list():
        print(result.name)
"""

PAGE = """
    page = client.evaluation.benchmark_job_results.list(page=1, page_size=25)
    print(f"Page {page.pagination.page} of {page.pagination.total_pages}")
    print(f"{page.pagination.total_results} total results")
    for result in page.data:
        print(result.name)
"""

RETRIEVE = """
    result = client.evaluation.benchmark_job_results.retrieve("my-job-name")
"""

DELETE = """
    client.evaluation.benchmark_job_results.delete("my-job-name")
"""

AGGREGATE_FRAME = """
    import pandas as pd
    aggregate = client.evaluation.benchmark_job_results.retrieve("my-job-name")
    rows = []
    for metric_result in aggregate.results:
        for score in metric_result.scores:
            row = score.to_dict()
            row["metric_ref"] = metric_result.metric
            rows.append(row)
    df_agg = pd.DataFrame(rows)
    print(df_agg[["metric_ref", "name", "mean", "std_dev", "min", "max", "count"]])
"""

ROW_FRAME = """
    import pandas as pd
    row_scores = client.evaluation.benchmark_jobs.results.row_scores.download(
        job="my-job-name",
    )
    # Flatten row scores into a DataFrame
    rows = []
    for row in row_scores:
        flat_row = {**row.item}
        for metric_ref, scores in row.metrics.items():
            for score in scores:
                flat_row[f"{metric_ref}:{score.name}"] = score.value
        rows.append(flat_row)
    df_rows = pd.DataFrame(rows)
    print(df_rows)
"""

LOW_SCORES = """
    # Find rows where any score is below threshold
    score_cols = df_rows.select_dtypes(include="number").columns
    low_scores = df_rows[df_rows[score_cols].min(axis=1) < 0.7]
    print(f"Found {len(low_scores)} samples needing review")
"""

IN_ORDER = (
    *(AGGREGATE_SCORES, ROW_SCORES, LIST, FILTER, AGGREGATE_FIELDS, SORT),
    *(SEARCH, SEARCH_EXPLICITLY, SEARCH_DATES, ITERATE, PAGE, RETRIEVE),
    *(AGGREGATE_FRAME, ROW_FRAME, LOW_SCORES, DELETE),
)

# As it is published, on a display of two decimals.
PUBLISHED_AGGREGATES = """\
                 metric_ref          name  mean  std_dev  min  max  count
0  my-workspace/exact-match   exact-match   0.6     0.49  0.0  1.0      5
1 my-workspace/string-check  string-check   0.8     0.40  0.0  1.0      5
"""

# As it is published, but for the names of the score columns: the snippet puts the metric's reference before them.
PUBLISHED_ROWS = """\
                input                output reference  exact-match  string-check
0        What is 2+2?       The answer is 4         4          0.0           1.0
1  Capital of France?  Paris is the capital     Paris          0.0           1.0
2       Color of sky?                  Blue      blue          1.0           0.0
3     Largest planet?               Jupiter   Jupiter          1.0           1.0
4      Water formula?                   H2O       H2O          1.0           1.0
"""


class Notebook:
    """Runs snippets one after the other, each with the names that the earlier ones left."""

    def __init__(self, client: Client) -> None:
        self.names: dict[str, Any] = {"client": client}

    def run(self, snippet: str) -> str:
        """What it prints."""
        printed = io.StringIO()
        with (
            redirect_stdout(printed),
            pd.option_context("display.precision", 2, "display.width", None),
        ):
            exec(dedent(snippet), self.names)
        return printed.getvalue()

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


def run_the_jobs(client: Client) -> None:
    for job in (JOB, *OTHER_JOBS):
        client.jobs.start(BENCHMARK, job=job)
        assert client.jobs.wait(job, timeout_seconds=60).status == "completed"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The whole system in this process, with the jobs that the snippets name."""
    folder = tmp_path_factory.mktemp("embedded")
    with Client.embedded(folder, workspace=WORKSPACE) as opened:
        run_the_jobs(opened)
        yield opened


@pytest.fixture
def notebook(client: Client) -> Notebook:
    return Notebook(client)


def names_of(results: Any) -> list[str]:
    return [result.name for result in results]


def test_aggregate_scores_are_downloaded(notebook: Notebook) -> None:
    printed = notebook.run(AGGREGATE_SCORES)

    assert printed == "exact-match: mean=0.6 type=range\nstring-check: mean=0.8 type=range\n"
    aggregate = notebook["aggregate"]
    assert [score for each in aggregate.results for score in each.scores] == list(aggregate.scores)
    exact, contains = aggregate.scores
    assert (exact.count, exact.nan_count, exact.sum, exact.min, exact.max) == (5, 0, 3, 0, 1)
    assert (exact.variance, exact.std_dev) == pytest.approx((0.24, 0.24**0.5), rel=1e-12)
    assert [exact.percentiles.p30, exact.percentiles.p40, exact.percentiles.p50] == [0, 0.4, 1]
    assert sum(each.count for each in exact.histogram.bins) == exact.count
    assert (contains.sum, contains.percentiles.p20, contains.percentiles.p30) == (4, 0.2, 0.8)


def test_row_scores_are_iterated_over_in_the_order_of_the_dataset(notebook: Notebook) -> None:
    printed = notebook.run(ROW_SCORES)

    expected = [
        (0.0, 1.0),
        (0.0, 1.0),
        (1.0, 0.0),
        (1.0, 1.0),
        (1.0, 1.0),
    ]
    assert printed.splitlines() == [
        line
        for exact, contains in expected
        for line in (
            f"my-workspace/exact-match:exact-match={exact}",
            f"my-workspace/string-check:string-check={contains}",
        )
    ]
    assert notebook["item"] == ROWS[-1]
    assert notebook["sample"] == {"output_text": "H2O"}
    assert notebook["requests"] == []


def test_results_are_listed_with_their_metrics(notebook: Notebook) -> None:
    printed = notebook.run(LIST)

    assert printed.splitlines() == [
        line
        for job in (*reversed(OTHER_JOBS), JOB)
        for line in (
            f"{job} / my-workspace/exact-match: ['exact-match']",
            f"{job} / my-workspace/string-check: ['string-check']",
        )
    ]


def test_results_are_filtered_by_benchmark(notebook: Notebook) -> None:
    notebook.run(FILTER)
    matching = names_of(notebook["results"])

    notebook.run(FILTER.replace("my-benchmark", "another-benchmark"))
    others = names_of(notebook["results"])

    assert set(matching) == {JOB, *OTHER_JOBS}
    assert others == []


def test_only_the_fields_asked_for_are_told(notebook: Notebook) -> None:
    notebook.run(AGGREGATE_FIELDS)

    (exact,) = notebook["results"].data[0].results[0].scores
    assert (exact.name, exact.count, exact.mean) == ("exact-match", 5, 0.6)
    assert exact.model_dump(exclude={"name", "count", "mean"}, exclude_none=True) == {}


def test_results_are_sorted(notebook: Notebook) -> None:
    notebook.run(SORT)

    assert names_of(notebook["results"]) == [*reversed(OTHER_JOBS), JOB]


@pytest.mark.parametrize("snippet", [SEARCH, SEARCH_EXPLICITLY], ids=["bare", "explicit"])
def test_results_are_searched_by_a_part_of_their_name(notebook: Notebook, snippet: str) -> None:
    notebook.run(snippet)

    assert names_of(notebook["results"]) == ["llama-nightly"]


def test_results_are_searched_by_date(notebook: Notebook) -> None:
    notebook.run(SEARCH_DATES)
    since = names_of(notebook["results"])

    notebook.run(SEARCH_DATES.replace("2025", "9025"))
    in_the_future = names_of(notebook["results"])

    assert set(since) == {JOB, *OTHER_JOBS}
    assert in_the_future == []


def test_iterating_goes_through_every_page(notebook: Notebook) -> None:
    printed = notebook.run(ITERATE)
    by_one = notebook.run(ITERATE.replace("list()", "list(page_size=1)"))

    assert printed.split() == [*reversed(OTHER_JOBS), JOB]
    assert by_one == printed


def test_a_page_says_where_it_stands(notebook: Notebook) -> None:
    printed = notebook.run(PAGE)

    assert printed.splitlines() == [
        *("Page 1 of 1", "3 total results"),
        *(*reversed(OTHER_JOBS), JOB),
    ]


def test_a_result_is_retrieved_by_its_name(notebook: Notebook) -> None:
    notebook.run(RETRIEVE)

    result = notebook["result"]
    assert result.name == JOB
    assert result.benchmark == "my-workspace/my-benchmark"
    assert (result.dataset, result.model) == ("my-workspace/questions", "my-workspace/recorded")
    with pytest.raises(NotFound, match="nobody-ran-this"):
        notebook.run(RETRIEVE.replace(JOB, "nobody-ran-this"))


def test_the_published_table_of_aggregates_is_reproduced(notebook: Notebook) -> None:
    printed = notebook.run(AGGREGATE_FRAME)

    assert words_of(printed) == words_of(PUBLISHED_AGGREGATES)


def test_the_published_table_of_rows_is_reproduced(notebook: Notebook) -> None:
    notebook.run(ROW_FRAME)
    found = notebook.run(LOW_SCORES)

    frame = notebook["df_rows"]
    assert list(frame.columns) == [
        *("input", "output", "reference"),
        *("my-workspace/exact-match:exact-match", "my-workspace/string-check:string-check"),
    ]
    shortened = frame.rename(columns=lambda name: name.rpartition(":")[2])
    assert words_of(shortened.to_string()) == words_of(PUBLISHED_ROWS)
    assert found == "Found 3 samples needing review\n"
    assert list(notebook["low_scores"].index) == [0, 1, 2]


def words_of(table: str) -> list[list[str]]:
    """Line by line; how wide a column is depends on the version of pandas."""
    return [line.split() for line in table.splitlines()]


def test_rows_without_a_value_stay_numeric_in_a_frame(tmp_path: Path) -> None:
    rows = [{"output": "4", "reference": "4"}, {"output": "no idea", "reference": "5"}]
    number = {
        "name": "number",
        "type": "number-check",
        "operation": "equals",
        "left_template": "{{ sample.output_text }}",
        "right_template": "{{ item.reference }}",
    }
    benchmark = BENCHMARK | {
        "datasets": [{"name": "sums", "rows": rows}],
        "metrics": [number],
    }

    with Client.embedded(tmp_path / "data", workspace=WORKSPACE) as opened:
        opened.jobs.start(benchmark, job=JOB)
        opened.jobs.wait(JOB, timeout_seconds=60)
        notebook = Notebook(opened)
        notebook.run(ROW_FRAME)
        notebook.run(LOW_SCORES)
        notebook.run(AGGREGATE_SCORES)

    column = notebook["df_rows"]["my-workspace/number:number-check"]
    assert list(notebook["score_cols"]) == ["my-workspace/number:number-check"]
    assert column.isna().tolist() == [False, True]
    (score,) = notebook["aggregate"].scores
    assert (score.mean, score.count, score.nan_count, score.n_failed) == (1.0, 1, 1, 0)


def test_a_deleted_result_is_gone_from_everywhere(tmp_path: Path) -> None:
    with Client.embedded(tmp_path / "data", workspace=WORKSPACE) as opened:
        run_the_jobs(opened)
        notebook = Notebook(opened)
        notebook.run(DELETE)

        left = names_of(opened.evaluation.benchmark_job_results.list())
        for again in (RETRIEVE, DELETE):
            with pytest.raises(NotFound, match=JOB):
                notebook.run(again)
        with pytest.raises(NotFound, match=JOB):
            opened.results.compare([JOB, "llama-nightly"])

    assert set(left) == set(OTHER_JOBS)


def test_a_result_outlives_its_job(tmp_path: Path) -> None:
    with Client.embedded(tmp_path / "data", workspace=WORKSPACE) as opened:
        opened.jobs.start(BENCHMARK, job=JOB)
        opened.jobs.wait(JOB, timeout_seconds=60)
        before = opened.evaluation.benchmark_job_results.retrieve(JOB)

        opened.jobs.delete(JOB)

        with pytest.raises(NotFound):
            opened.jobs.get(JOB)
        assert opened.evaluation.benchmark_job_results.retrieve(JOB) == before
        notebook = Notebook(opened)
        assert "exact-match: mean=0.6" in notebook.run(AGGREGATE_SCORES)


def test_results_of_another_workspace_are_seen_only_from_there(client: Client) -> None:
    elsewhere = names_of(client.evaluation.benchmark_job_results.list(workspace="elsewhere"))

    assert elsewhere == []
    with pytest.raises(NotFound):
        client.evaluation.benchmark_job_results.retrieve(JOB, workspace="elsewhere")


def test_the_readme_does_what_it_says(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    (code,) = (block for block in blocks if "benchmark_job_results" in block)

    with Client.embedded(tmp_path / "data") as opened:
        for job in ("nightly", "tuned"):
            opened.jobs.start(BENCHMARK | {"name": "capitals"}, job=job)
            opened.jobs.wait(job, timeout_seconds=60)
        printed = Notebook(opened).run(code).splitlines()

    assert printed[:3] == ["tuned 0.6", "nightly 0.6", "1 ['nightly']"]
    assert printed[3].endswith("default/exact-match [0.0]")
    assert len(printed) == 3 + len(ROWS) * 2


def test_the_snippets_say_the_same_over_rabbitmq(services: System, client: Client) -> None:
    embedded = Notebook(client)
    # Deleting comes last, and is not for the client that other tests share.
    expected = [embedded.run(snippet) for snippet in IN_ORDER[:-1]]

    with Client(amqp_url=services.amqp_url, workspace=WORKSPACE) as distributed:
        run_the_jobs(distributed)
        notebook = Notebook(distributed)
        printed = [notebook.run(snippet) for snippet in IN_ORDER]
        left = names_of(distributed.evaluation.benchmark_job_results.list())

    assert printed[:-1] == expected
    assert left == list(reversed(OTHER_JOBS))


async def test_the_asynchronous_client_has_the_same_resources(services: System) -> None:
    async with AsyncClient(amqp_url=services.amqp_url, workspace=WORKSPACE) as opened:
        async with asyncio.timeout(120):
            await opened.jobs.start(BENCHMARK, job=JOB)
            await opened.jobs.wait(JOB)
        results = opened.evaluation.benchmark_jobs.results
        aggregate = await results.aggregate_scores.download(job=JOB)
        values = [
            score.value
            async for row in results.row_scores.download(job=JOB, limit=2)
            for scores in row.metrics.values()
            for score in scores
        ]
        page = await opened.evaluation.benchmark_job_results.list(page=1, page_size=25)
        names = [result.name async for result in opened.evaluation.benchmark_job_results.list()]
        one = await opened.evaluation.benchmark_job_results.retrieve(JOB)
        deleted = await opened.evaluation.benchmark_job_results.delete(JOB)

    assert [score.mean for score in aggregate.scores] == [0.6, 0.8]
    assert values == [0.0, 1.0, 0.0, 1.0]
    assert (page.pagination.total_results, names) == (1, [JOB])
    assert one.results == aggregate.results
    assert deleted.id == f"{WORKSPACE}/{JOB}"
    assert deleted.message == "Resource deleted successfully"
