"""How far a text keeps to rubrics of its style."""

from evalbus.metrics.base import ScoreDeclaration
from evalbus.metrics.judges.criteria_judge import (
    CriteriaJudge,
    CriteriaParameters,
    CriteriaTemplate,
)


class StyleRubrics(CriteriaJudge):
    """Asks live models which rubrics of style a text keeps to, and gives the share of points it earns.

    `item.style_rubrics` is what `item.rubrics` is for `qa-rubrics`, and points are counted as there. Of several
    judges the mean is given, and `agreement`.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {
        ...         "type": "style-rubrics",
        ...         "model": {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"},
        ...     },
        ...     item={"style_rubrics": {"no jargon": 2, "plain words": 2}},
        ...     output_text="A text.",
        ...     answers=[{"output_text": '{"criteria": [{"number": 1, "met": false}, {"number": 2, "met": true}]}'}],
        ... )
        {'style-rubrics': 0.5}
    """

    class Parameters(CriteriaParameters):
        criteria: CriteriaTemplate = "{{ item.style_rubrics }}"

    formula = "Points of the rubrics that are met, by the sum of all points above 0; at least 0."
    source = "Style rubrics as in RELAI's summarization benchmarks."
    task = "You check the style of a text against criteria. Look at how it is written, not at what it says."
    score_declared = ScoreDeclaration(
        name="style-rubrics", direction="higher", minimum=0.0, maximum=1.0
    )
