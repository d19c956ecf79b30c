"""Whatever somebody wrote, a reader of Markdown gets it back as text."""

from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from evalbus.writing.markdown import as_markdown, escaped, paragraph
from evalbus.writing.tables import BAR_WIDTH, Bar, Table, bar, printable
from tests.reports import HOSTILE

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

TEXT = {"inline", "text", "text_special", "paragraph_open", "paragraph_close"}
TABLE = {
    f"{part}_{end}"
    for part in ("table", "thead", "tbody", "tr", "th", "td")
    for end in ("open", "close")
}


def tokens(text: str) -> Iterator[Token]:
    for token in READER.parse(text):
        yield token
        yield from token.children or []


def read(text: str) -> str:
    return "".join(
        token.content for token in tokens(text) if token.type in ("text", "text_special")
    )


def seen(text: str) -> str:
    """As people see it: white space is one space, and the joiner that keeps an @ quiet is nothing."""
    return " ".join(text.replace("\u2060", "").split())


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_text_in_a_cell(text: str) -> None:
    table = Table(columns=("before", text, "after"), rows=[("a", text, "b"), (text, None, "b")])

    written = as_markdown(table)

    assert {token.type for token in tokens(written)} <= TEXT | TABLE
    assert [token.type for token in tokens(written)].count("td_open") == 6
    assert seen(printable(text)) in seen(read(written))
    assert len(written.splitlines()) == 4


@pytest.mark.parametrize(
    "text", [*HOSTILE, "+ no list", "12) nor this", "=== no heading", "> nobody said it"]
)
def test_what_others_wrote_is_text_in_a_paragraph_and_in_a_list(text: str) -> None:
    alone, listed = paragraph(text), f"- {paragraph(text)}"

    assert {token.type for token in tokens(alone)} <= TEXT
    assert [token.type for token in tokens(listed)].count("list_item_open") == 1
    assert "heading_open" not in {token.type for token in tokens(listed)}
    assert seen(read(alone)) == seen(read(listed)) == seen(printable(text))


def test_a_name_with_underscores_stays_readable() -> None:
    assert escaped("rouge_1_score") == "rouge_1_score"
    assert escaped("_private_ __all__") == "\\_private\\_ \\_\\_all\\_\\_"


def test_nobody_is_told_of_a_text_with_his_name() -> None:
    assert "@everyone" not in escaped("@everyone look")


@pytest.mark.parametrize(
    ("share", "full"),
    [(0.0, 0), (0.0001, 1), (0.5, 10), (0.9999, BAR_WIDTH - 1), (1.0, BAR_WIDTH)],
)
def test_a_bar_is_empty_for_nothing_and_full_for_all_alone(share: float, full: int) -> None:
    assert bar(share) == "█" * full + "░" * (BAR_WIDTH - full)


def test_bars_stand_on_the_left_and_numbers_on_the_right() -> None:
    table = Table(columns=("share", "n"), rows=[(Bar(0.5), 3)])

    assert as_markdown(table).splitlines()[1] == "| --- | ---: |"
