"""What one or several live models think of an answer: numbers in ranges, and labels of rubrics."""

import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from evalbus.metrics.base import RATIONALE_CHARACTERS_MAX, Batch, Columns, LiveMetric, Note, Remark
from evalbus.metrics.judges.answer_schema import EXPLANATION, closed_object, explained, nested
from evalbus.metrics.judges.combining import Combine
from evalbus.metrics.judges.default_prompt import default_prompt
from evalbus.metrics.judges.judged_score import ScoreOfJudges, agreement_name
from evalbus.metrics.judges.panel import Panel, PanelParameters, silent_rows
from evalbus.metrics.judges.parsers import JsonParser, RegexParser
from evalbus.metrics.judges.scales import JudgedScore
from evalbus.metrics.judges.verdicts import rationale_of
from evalbus.metrics.patterns import DISTRIBUTION
from evalbus.models.parameters import PromptParameter
from evalbus.templates import Template
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

SCORES_MAX = 16

BY_NAME: Final = JsonParser(type="json")


class LlmJudge(LiveMetric):
    """Asks live models for scores of an answer; each score is a number in a range or a label of a rubric.

    A judge's value is looked for in the JSON of its answer, or by a pattern. The whole answer may be that JSON, or
    the first object in it that is, with prose or a code fence around. There is no guessing: an answer that is cut
    off, contradicts itself, or gives what is neither a number of the range nor a label of the rubric has no score
    (`unparsable`, `out_of_range`, `unknown_label`), and what the judge said is kept as the rationale. A row whose
    model said nothing (null) is not asked about.

    Of several judges all must give a value. Numbers are combined to their mean, labels to the most frequent; among
    equally frequent ones the nearest to the mean of all, and `tie` where that decides nothing either. A further score
    says how far they agree: the share of pairs with the same label, or 1 less the mean distance of two numbers in
    widths of the range.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {
        ...         "type": "llm-judge",
        ...         "model": {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"},
        ...         "scores": [{"name": "helpful", "minimum": 1, "maximum": 5}],
        ...     },
        ...     item={"question": "Capital of France?"},
        ...     output_text="Paris",
        ...     answers=[{"output_text": '{"explanation": "It is.", "helpful": 4}'}],
        ... )
        {'helpful': 4.0}
    """

    class Parameters(PanelParameters):
        scores: Annotated[tuple[JudgedScore, ...], Field(min_length=1, max_length=SCORES_MAX)]
        prompt: Annotated[
            PromptParameter | None,
            Field(
                description="What is asked, with item and sample in reach; by default the scores, the item and the answer."
            ),
        ] = None
        system_prompt: TemplateText | None = None
        combine: Annotated[
            Combine | None,
            Field(
                description="Of several judges; by default majority for rubrics, mean for ranges."
            ),
        ] = None

        @model_validator(mode="after")
        def _scores_can_be_told_apart(self) -> Self:
            names = [score.name for score in self.scores]
            if len(self.judges) > 1:
                names += [agreement_name(name) for name in names]
            if len(set(names)) < len(names):
                raise ValueError("two scores have the same name")
            paths = [steps for steps in map(_steps, self.scores) if steps is not None]
            if any(right[: len(left)] == left for left, right in permutations(paths, 2)):
                raise ValueError("two scores are read from the same place")
            return self

        @model_validator(mode="after")
        def _default_prompt_fits(self) -> Self:
            if self.prompt is None and any(score.parser != BY_NAME for score in self.scores):
                raise ValueError(
                    "a score with a parser of its own needs a prompt that says what to answer"
                )
            return self

    formula = (
        "What the judge says, inside the score's range or among its labels. Of several judges the mean of their"
        " numbers, or the most frequent label; agreement is the share of pairs of judges with the same label, or"
        " 1 - mean |a - b| / (maximum - minimum) over the pairs of numbers."
    )
    source = (
        "Zheng et al. 2023 (LLM-as-a-judge); parameters as those of NeMo Evaluator's llm-judge."
    )
    libraries: tuple[str, ...] = (DISTRIBUTION,)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._panel = Panel(
            parameters,
            limits,
            prompt=parameters.prompt or default_prompt(parameters.scores),
            system_prompt=parameters.system_prompt,
            answer_schema=_schema(parameters.scores),
        )
        self.respondents = self._panel.respondents
        self._judged = [
            ScoreOfJudges(score, combine=parameters.combine, judges=self._panel.names)
            for score in parameters.scores
        ]
        if not any(isinstance(score.parser, RegexParser) for score in parameters.scores):
            self.libraries = ()
        self.scores = tuple(score for judged in self._judged for score in judged.declared)

    def templates(self) -> Mapping[str, Template]:
        return self._panel.templates()

    def questions(self, batch: Batch) -> Sequence[Sequence[JsonObject | None]]:
        return self._panel.questions(batch.items, batch.samples, silent_rows(batch))

    def score(self, batch: Batch) -> Columns:
        notes = silent_rows(batch)
        remarks: dict[tuple[int, int], Remark] = {}
        rows = [
            [math.nan] * len(self.scores)
            if row in notes
            else self._score_row(batch, row, notes, remarks)
            for row in range(len(batch))
        ]
        values = [[of_row[place] for of_row in rows] for place in range(len(self.scores))]
        return Columns(values=values, notes=notes, remarks=remarks)

    def _score_row(
        self,
        batch: Batch,
        row: int,
        notes: dict[int, Note],
        remarks: dict[tuple[int, int], Remark],
    ) -> list[float]:
        """Its values; why there are none, and what the judges said, is added to the notes and remarks."""
        said = self._panel.said(batch, row)
        if isinstance(said, Note):
            notes[row] = said
            return [math.nan] * len(self.scores)
        rationale = rationale_of(
            self._panel.names,
            [one.text for one in said],
            # The same stands with each score, and a row's remarks shall not grow with their number.
            characters_max=RATIONALE_CHARACTERS_MAX // len(self._judged),
        )
        values: list[float] = []
        problems: list[Note] = []
        for judged in self._judged:
            opinion = judged.opinion(said)
            remarks[row, len(values)] = Remark(
                label=opinion.label, rationale=rationale, detail=opinion.detail
            )
            values += opinion.values
            if opinion.note is not None:
                problems.append(opinion.note)
        if problems:
            message = "; ".join(problem.message for problem in problems)
            notes[row] = Note(code=problems[0].code, message=message)
        return values


def _steps(score: JudgedScore) -> tuple[str | int, ...] | None:
    """To its value in the JSON of an answer; None for one that is found by a pattern."""
    parser = score.parser
    return parser.path(score.name).steps if isinstance(parser, JsonParser) else None


def _schema(scores: Sequence[JudgedScore]) -> JsonObject | None:
    """Of an answer that all scores can be read from; None if one is not found by keys alone."""
    places: dict[tuple[str, ...], JsonObject] = {}
    for score in scores:
        steps = _steps(score) or ()
        keys = tuple(step for step in steps if isinstance(step, str))
        if not keys or keys != steps:
            return None
        places[keys] = score.schema_of_answer
    properties = nested(places)
    return closed_object(properties) if EXPLANATION in properties else explained(properties)
