"""Of metrics that answer yes or no, or measure one thing."""

from tests.metric_cases.case import OUTPUT, REFERENCE, Case

CHECKS: list[Case] = [
    Case(
        type="contains-all",
        parameters={"expected": [REFERENCE]},
        scored=(
            (["Paris", "France"], "paris is in france", (1.0,)),
            (["Paris", "Rome"], "Paris", (0.0,)),
        ),
        unscored=((None, "Paris", "no_reference"), ([], "Paris", "no_reference")),
    ),
    Case(
        type="contains-any",
        parameters={"expected": [REFERENCE]},
        scored=((["Paris", "Rome"], "it is paris", (1.0,)), ("Rome", "Paris", (0.0,))),
        unscored=((None, "Paris", "no_reference"), ([None, ""], "Paris", "no_reference")),
    ),
    Case(
        type="exact-match",
        parameters={"reference": REFERENCE},
        scored=(("Paris", "paris!", (1.0,)), ("Paris", "Rome", (0.0,)), (4, "4", (1.0,))),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="json-schema",
        parameters={"schema": {"type": "integer"}, "candidate": REFERENCE},
        scored=(("5", "", (1.0,)), ("5.5", "", (0.0,)), ("five", "", (0.0,))),
        unscored=((None, "", "no_candidate"),),
    ),
    Case(
        type="json-valid",
        parameters={"candidate": REFERENCE},
        scored=(('{"a": 1}', "", (1.0,)), ("{'a': 1}", "", (0.0,))),
        unscored=((None, "", "no_candidate"),),
    ),
    Case(
        type="latency",
        parameters={"candidate": REFERENCE},
        scored=((0.25, "", (0.25,)), ("3", "", (3.0,))),
        unscored=((None, "", "not_measured"), ("soon", "", "unparsable")),
    ),
    Case(
        type="length",
        parameters={"candidate": REFERENCE},
        scored=(("Paris", "", (5.0,)), ("", "", (0.0,))),
        unscored=((None, "", "no_candidate"),),
    ),
    Case(
        type="multiple-choice",
        parameters={"reference": REFERENCE},
        scored=(("B", "The answer is (B).", (1.0,)), (2, "b)", (0.0,))),
        unscored=(
            (None, "B", "no_reference"),
            ("B", "A or B", "unparsable"),
            ("none", "B", "unparsable"),
        ),
    ),
    Case(
        type="number-check",
        parameters={"operation": "==", "left_template": OUTPUT, "right_template": REFERENCE},
        scored=((1000, "it is 1,000", (1.0,)), ("$5", "6", (0.0,))),
        unscored=((None, "5", "unparsable"), (5, "five", "unparsable")),
    ),
    Case(
        type="regex",
        parameters={"pattern": "answer: (.+)", "reference": REFERENCE},
        scored=(("Paris", "answer: Paris", (1.0,)), ("Paris", "Paris", (0.0,))),
        unscored=((None, "answer: Paris", "no_reference"),),
    ),
    Case(
        type="string-check",
        parameters={"operation": "contains", "left_template": OUTPUT, "right_template": REFERENCE},
        scored=(("Paris", "Paris, I think", (1.0,)), ("Paris", "paris", (0.0,))),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="tool-calling",
        parameters={"reference": REFERENCE, "candidate": OUTPUT},
        scored=(
            (
                [{"name": "f", "arguments": {"a": 1}}],
                '[{"name": "f", "arguments": {"a": 1.0}}]',
                (1.0,) * 5,
            ),
            ([{"name": "f"}, {"name": "f"}], '[{"name": "f"}]', (0.0, 0.0, 1.0, 0.5, 2 / 3)),
            ([], "[]", (1.0,) * 5),
        ),
        unscored=((None, "[]", "no_reference"), ([], "I cannot do that", "unparsable")),
    ),
]
