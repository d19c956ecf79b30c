"""How far an answer to a question fulfils the rubrics of that question."""

from evalbus.metrics.base import ScoreDeclaration
from evalbus.metrics.judges.criteria_judge import (
    CriteriaJudge,
    CriteriaParameters,
    CriteriaTemplate,
    QuestionTemplate,
)


class QARubrics(CriteriaJudge):
    """Asks live models which rubrics of a question an answer fulfils, and gives the share of points it earns.

    `item.rubrics` is `{text: points}`; a list of texts, or of `{description, points}`, will do as well, 64 at most.
    Points below 0 are for what a good answer does not do: they are taken off where it does, and do not count as
    points that can be earned; the score is never less than 0. A row without rubrics has no score (`no_reference`), and
    so has one whose judge did not decide about every rubric (`unparsable`). Of several judges the mean is given, and
    `agreement`: the share of pairs that decide alike, over all rubrics. The remark says of each rubric
    whether it is met, and why.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {
        ...         "type": "qa-rubrics",
        ...         "model": {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"},
        ...     },
        ...     item={"question": "Capital of France?", "rubrics": {"names Paris": 3, "one sentence": 1}},
        ...     output_text="Paris",
        ...     answers=[{"output_text": '{"criteria": [{"number": 1, "met": true}, {"number": 2, "met": false}]}'}],
        ... )
        {'qa-rubrics': 0.75}
    """

    class Parameters(CriteriaParameters):
        criteria: CriteriaTemplate = "{{ item.rubrics }}"
        question: QuestionTemplate = "{{ item.question }}"

    formula = "Points of the rubrics that are met, by the sum of all points above 0; at least 0."
    source = (
        "Rubrics with points as in RELAI's question-answering benchmarks; points below 0 as in HealthBench"
        " (Arora et al. 2025)."
    )
    task = "You check the answer to a question against criteria."
    score_declared = ScoreDeclaration(
        name="qa-rubrics", direction="higher", minimum=0.0, maximum=1.0
    )
