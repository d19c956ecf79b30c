"""How many of the facts that a summary must have are in it."""

from evalbus.metrics.base import ScoreDeclaration
from evalbus.metrics.judges.criteria_judge import (
    CriteriaJudge,
    CriteriaParameters,
    CriteriaTemplate,
)


class KeyFacts(CriteriaJudge):
    """Asks live models which key facts a summary states, and gives the share of them: its recall.

    `item.key_facts` is a list of texts, each worth the same; `{text: points}` makes some worth more, 64 at most. A row
    without key facts has no score (`no_reference`), and so has one whose judge did not decide about every fact
    (`unparsable`). What the summary says beside them is not looked at. Of several judges the mean is given, and
    `agreement`: the share of pairs that decide alike, over all facts. The remark says of each fact whether it
    is there, and why.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {
        ...         "type": "key-facts",
        ...         "model": {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"},
        ...     },
        ...     item={"key_facts": ["It rained.", "The match was put off."]},
        ...     output_text="Rain.",
        ...     answers=[{"output_text": '{"criteria": [{"number": 1, "met": true}, {"number": 2, "met": false}]}'}],
        ... )
        {'recall': 0.5}
    """

    class Parameters(CriteriaParameters):
        criteria: CriteriaTemplate = "{{ item.key_facts }}"

    formula = (
        "Key facts that the summary states, by all key facts; with points, the points of these."
    )
    source = "Key facts as in RELAI's summarization benchmarks."
    task = (
        "You check which facts a summary states. The criteria are the facts: one is met if the summary says it, in"
        " whatever words; it is not met if the summary only hints at it, or says otherwise."
    )
    score_declared = ScoreDeclaration(
        name="recall",
        direction="higher",
        minimum=0.0,
        maximum=1.0,
        description="The share of the key facts that the summary states.",
    )
