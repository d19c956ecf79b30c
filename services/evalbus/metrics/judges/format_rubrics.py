"""How far a text keeps to rubrics of its form."""

from evalbus.metrics.base import ScoreDeclaration
from evalbus.metrics.judges.criteria_judge import (
    CriteriaJudge,
    CriteriaParameters,
    CriteriaTemplate,
)


class FormatRubrics(CriteriaJudge):
    """Asks live models which rubrics of format a text keeps to, and gives the share of points it earns.

    `item.format_rubrics` is what `item.rubrics` is for `qa-rubrics`, and points are counted as there. Of several
    judges the mean is given, and `agreement`.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {
        ...         "type": "format-rubrics",
        ...         "model": {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"},
        ...     },
        ...     item={"format_rubrics": {"has a heading": 2, "one paragraph": 2}},
        ...     output_text="A text.",
        ...     answers=[{"output_text": '{"criteria": [{"number": 1, "met": false}, {"number": 2, "met": true}]}'}],
        ... )
        {'format-rubrics': 0.5}
    """

    class Parameters(CriteriaParameters):
        criteria: CriteriaTemplate = "{{ item.format_rubrics }}"

    formula = "Points of the rubrics that are met, by the sum of all points above 0; at least 0."
    source = "Format rubrics as in RELAI's summarization benchmarks."
    task = "You check the format of a text against criteria. Look at its form (length, headings, lists, layout), not at what it says."
    score_declared = ScoreDeclaration(
        name="format-rubrics", direction="higher", minimum=0.0, maximum=1.0
    )
