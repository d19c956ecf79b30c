"""multiple-choice: what answers choose, and which references can be understood."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring import one_score

CITIES = ["London", "Paris", "Paris, Texas", "Rome"]


def chosen(answer: str, reference: object, choices: object = None) -> tuple[float, str]:
    item = {"reference": reference, "choices": choices, "output": answer}
    given_choices = {} if choices is None else {"choices": "{{ item.choices }}"}
    return one_score("multiple-choice", item, reference="{{ item.reference }}", **given_choices)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("b)", "B"),
        (" (b).\n", "B"),
        ("**C**", "C"),
        ("[D]", "D"),
        ("$\\boxed{C}$", "C"),
        ("so it is $\\boxed{\\text{C}}$", "C"),
        ("The answer is (B).", "B"),
        ("the answer is b", "B"),
        ("Answer: D because A is wrong", "D"),
        ("**Answer:** C", "C"),
        ("Answer:\n\nB", "B"),
        ("The correct option is option D, not A.", "D"),
        ("The best answer would be C.", "C"),
        ("I would go with B", "B"),
        ("I choose option (A)", "A"),
        ("C is the correct answer.", "C"),
        ("(C) is correct", "C"),
        ("The answer is A. No, wait: the answer is B.", "B"),
        ("The answer is a city that I know. Answer: d", "D"),
        ("Let me think.\nA is a letter.\n\nD", "D"),
        ("B\nBecause it is so.", "B"),
        ("B) Paris", "B"),
        ("(c) Rome", "C"),
        ("C. Rome is in Italy.", "C"),
        ("The answer is B or b", "B"),
    ],
)
def test_an_answer_chooses_a_letter(answer: str, letter: str) -> None:
    assert chosen(answer, letter) == (1.0, "")
    assert chosen(answer, "E") == (0.0, "")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "...",
        "I do not know",
        "A good question",
        "The answer is not B",
        "The answer is a city",
        "The answer is A or B.",
        "Answer: (A) and (C)",
        "A) London\nB) Paris",
        "A\nB",
        "Z",
        "The answer is Z",
        "Answer: Bees",
        "أ",
    ],
)
def test_an_answer_without_a_single_choice_gives_no_score(answer: str) -> None:
    # when
    value, reason = chosen(answer, "A")

    # then
    assert math.isnan(value)
    assert reason == "unparsable"


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("Paris", "B"),
        (" paris. ", "B"),
        ("It is Rome, of course.", "D"),
        ("Paris, Texas", "C"),
        ("It is in Paris, Texas.", "C"),
        ("Rome, so the answer is A", "A"),
        ("D", "D"),
    ],
)
def test_the_text_of_an_option_chooses_it(answer: str, letter: str) -> None:
    assert chosen(answer, letter, CITIES) == (1.0, "")


@pytest.mark.parametrize("answer", ["London or Rome", "Londoners", "Berlin", "E"])
def test_no_option_or_several_in_an_answer_give_no_score(answer: str) -> None:
    assert chosen(answer, "A", CITIES)[1] == "unparsable"


@pytest.mark.parametrize(
    ("reference", "choices"),
    [
        ("B", CITIES),
        ("(b)", CITIES),
        (1, CITIES),
        (1.0, CITIES),
        ("1", CITIES),
        ("paris", CITIES),
        ("1", [4, 1, 2]),
        ("B", '["x", "y"]'),
        ("B", None),
        (1, None),
    ],
)
def test_a_reference_is_a_letter_a_text_or_an_index(reference: object, choices: object) -> None:
    assert chosen("B", reference, choices) == (1.0, "")
    assert chosen("A", reference, choices) == (0.0, "")


@pytest.mark.parametrize(
    ("reference", "choices"),
    [
        ("E", CITIES),
        (4, CITIES),
        (-1, CITIES),
        (True, CITIES),
        ("Berlin", CITIES),
        ("x", ["x", "x"]),
        ("A", "Paris"),
        ("A", ["Paris"]),
        ("A", ["x"] * 27),
        ("A", {"text": CITIES}),
        ("K", None),
        ("9" * 5_000, None),
    ],
)
def test_a_reference_or_choices_that_cannot_be_understood_give_no_score(
    reference: object, choices: object
) -> None:
    # when
    value, reason = chosen("A", reference, choices)

    # then
    assert math.isnan(value)
    assert reason == "unparsable"


def test_an_option_of_symbols_is_chosen_by_its_text_alone() -> None:
    assert chosen("+", "B", ["-", "+"]) == (1.0, "")
    assert chosen("1+1", "B", ["-", "+"])[1] == "unparsable"


@given(
    letter=st.sampled_from("ABCDE"),
    before=st.sampled_from(
        ["The answer is ", "answer: ", "I pick ", "So, the correct answer is: "]
    ),
    mark=st.sampled_from(["{}", "({})", "**{}**", "`{}`", "{}.", "[{}]", "**({})**"]),
    story=st.text(alphabet="xyz \n.", max_size=20),
)
def test_the_last_statement_decides_whatever_stands_before_it(
    letter: str, before: str, mark: str, story: str
) -> None:
    # given
    answer = f"The answer is E. {story} {before}{mark.format(letter)}"

    # then
    assert chosen(answer, letter) == (1.0, "")
