"""`evalbus results explain`: what the rows of a job say about its scores, as sections that a person reads from the top."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, JobName, Workspace
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import (
    JsonFlag,
    MarkdownFlag,
    Style,
    chosen,
    write_document,
    write_table,
    write_text,
)
from evalbus.reporting.findings import left_out_of, rows_table, said, summary_of
from evalbus.writing.markdown import escaped
from evalbus.writing.names import bare
from evalbus.writing.tables import Table, printable
from evalbus_schemas.explanations import (
    DatasetExplanation,
    Explanations,
    RowShown,
    ScoreExplanation,
)

ROWS_SHOWN = 3
"""Of each model; --json has all."""
TEXT_CHARACTERS = 60


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, then sentences, each perhaps with points below, then a table."""

    title: str
    level: int = 2
    sentences: Sequence[str] = ()
    points: Sequence[str] = ()
    table: Table | None = field(default=None)


def explain(
    job: JobName,
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
) -> None:
    """What goes with low scores: slices, features of items and answers, the worst rows, how models differ, errors.

    Also of a job that has not completed: then about the rows it has.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown)
    settings = client_settings()

    async def work() -> Explanations:
        async with asking_client(settings, workspace) as client:
            return await client.results.explain(job)

    found = loop.run(work)
    if style is Style.JSON:
        write_document(found)
        return
    for number, section in enumerate(sections(found)):
        _write(section, style, is_first=not number)


def sections(explanations: Explanations) -> Iterator[Section]:
    """Scores first: that is what somebody asks about."""
    yield Section(title="Explanations", level=1, sentences=summary_of(explanations))
    for score in explanations.metric_dependent:
        yield from _of_score(score)
    for dataset in explanations.metric_independent:
        yield _of_dataset(dataset)


def _of_score(score: ScoreExplanation) -> Iterator[Section]:
    yield Section(
        title=f"{score.score_id} on {bare(score.dataset)}", sentences=[score.summary.text]
    )
    yield Section(
        title="What goes with it",
        level=3,
        sentences=list(filter(None, (score.drivers.text, left_out_of(score.drivers)))),
        points=list(map(said, score.drivers.found)),
    )
    if len(score.summary.models) > 1:
        yield Section(
            title="How the models differ",
            level=3,
            sentences=[score.models.text],
            points=[*(one.text for one in score.models.pairs), *map(said, score.models.where)],
        )
    yield Section(
        title="The worst rows",
        level=3,
        sentences=[score.worst_rows.text],
        table=_rows(
            [(one.model, row) for one in score.worst_rows.models for row in one.rows[:ROWS_SHOWN]]
        ),
    )
    yield Section(
        title="Where they disagree",
        level=3,
        sentences=[score.disagreements.text],
        table=_rows([(one.model, one.row) for one in score.disagreements.with_people]),
    )
    if score.errors.categories:
        yield Section(
            title="Without a value",
            level=3,
            sentences=[score.errors.text],
            points=[one.text for one in score.errors.categories],
        )


def _of_dataset(dataset: DatasetExplanation) -> Section:
    return Section(
        title=f"The data of {bare(dataset.dataset)}",
        sentences=[dataset.rows.text],
        points=[
            *(part.text for part in (dataset.fields, dataset.lengths, dataset.duplicates)),
            dataset.scripts.text,
            *(one.text for one in dataset.answers.models),
        ],
    )


def _rows(rows: Sequence[tuple[str, RowShown]]) -> Table | None:
    return rows_table(rows, text_max=TEXT_CHARACTERS) if rows else None


def _write(section: Section, style: Style, *, is_first: bool) -> None:
    is_markdown = style is Style.MARKDOWN
    mark = "#" * section.level + " " if is_markdown else ""
    say = escaped if is_markdown else printable
    lines = [] if is_first else [""]
    lines.append(f"{mark}{say(section.title)}")
    if section.sentences:
        lines += [
            *([""] if is_markdown else []),
            " ".join(map(say, section.sentences)),
        ]
    if section.points:
        lines += [*([""] if is_markdown else []), *(f"- {say(point)}" for point in section.points)]
    write_text("\n".join(lines))
    if section.table is not None:
        write_text("")
        write_table(section.table, style)
