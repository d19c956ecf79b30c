"""Of metrics of how much of one text is in another."""

from tests.metric_cases.case import REFERENCE, Case

OVERLAP: list[Case] = [
    Case(
        type="bleu",
        parameters={"references": [REFERENCE]},
        scored=(
            ("the cat sat on the mat", "the cat sat on the mat", (100.0,)),
            # (5/6 · 3/5 · 1/4 · 1/6) to the power of 1/4: no run of four matches, so half a match stands for it.
            ("the cat sat on the mat", "the cat is on the mat", (37.9917842820,)),
            (["a b c d", "no such thing"], "a b c d", (100.0,)),
            ("x", "y", (0.0,)),
            ("", "", (0.0,)),
        ),
        unscored=((None, "Paris", "no_reference"), ([None], "Paris", "no_reference")),
    ),
    Case(
        type="cer",
        parameters={"reference": REFERENCE},
        scored=(("meet", "meat", (0.25,)), ("ab", " abcd ", (1.0,)), (12, "13", (0.5,))),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="chrf",
        parameters={"references": [REFERENCE], "char_order": 2, "beta": 1},
        scored=(
            ("abc", "abc", (100.0,)),
            # Two of three letters and one of two pairs, on both sides.
            ("abc", "abd", (100 * (2 / 3 + 1 / 2) / 2,)),
            ("x", "y", (0.0,)),
        ),
        unscored=((None, "Paris", "no_reference"), ([], "Paris", "no_reference")),
    ),
    Case(
        type="f1",
        parameters={"reference": REFERENCE},
        scored=(
            ("the big apple", "Big apple", (1.0,)),
            ("a b c d", "b x", (0.4,)),
            ("x", "y", (0.0,)),
        ),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="levenshtein",
        parameters={"reference": REFERENCE},
        scored=(
            ("kitten", "sitting", (1 - 3 / 7,)),
            ("", "", (1.0,)),
            ("x", "", (0.0,)),
            (4, "4", (1.0,)),
        ),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="rouge",
        parameters={"reference": REFERENCE},
        scored=(
            ("the cat sat", "cats sat", (0.8, 2 / 3, 0.0, 0.8, 0.8)),
            (["no match", "the cat sat"], "the cat sat", (1.0, 1.0, 1.0, 1.0, 1.0)),
            ("a b\nc d", "c d\na b", (1.0, 2 / 3, 0.0, 0.5, 1.0)),
            ("x", "y", (0.0, 0.0, 0.0, 0.0, 0.0)),
        ),
        unscored=((None, "Paris", "no_reference"), ([None], "Paris", "no_reference")),
    ),
    Case(
        type="ter",
        parameters={"references": [REFERENCE]},
        scored=(
            ("the cat sat on the mat", "the cat sat on the mat", (0.0,)),
            ("a b c d", "c d a b", (25.0,)),
            ("a b", "a b c d e", (150.0,)),
            (["a b c d", "a b"], "a b", (0.0,)),
        ),
        unscored=((None, "Paris", "no_reference"),),
    ),
    Case(
        type="wer",
        parameters={"reference": REFERENCE},
        scored=(
            ("the cat sat", "the cat sat", (0.0,)),
            ("the cat sat", "the dog sat down", (2 / 3,)),
            ("no", "no no no", (2.0,)),
        ),
        unscored=((None, "Paris", "no_reference"),),
    ),
]
