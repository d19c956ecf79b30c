"""A report as a page: one file that needs nothing else, that everybody can read, and in which every text stays text."""

import re
from itertools import pairwise

import pytest

from evalbus.reporting import Material, as_html, report_of
from evalbus.reporting.html import CELL_MAX
from evalbus.writing.tables import printable
from evalbus_schemas.jobs import JobStatus
from tests.answers import a_job
from tests.pages import Page
from tests.reports import HOSTILE, a_material, some_explanations


def written(material: Material) -> Page:
    return Page(as_html(report_of(material)))


@pytest.fixture(scope="module")
def page() -> Page:
    return written(a_material())


def test_a_page_needs_nothing_but_itself(page: Page) -> None:
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "form", "base", "foreignobject"}
    )
    references = page.references()
    assert references
    assert all(value and value.startswith("#") for value in references)
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert "://" not in page.source
    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    } in page.attributes_of("meta")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_others_wrote_is_text(page: Page, hostile: str) -> None:
    shown = written(a_material(explanations=some_explanations(hostile)))

    assert [tag for tag, _ in shown.elements] == [tag for tag, _ in page.elements]
    assert not [
        name for _, attributes in shown.elements for name in attributes if name.startswith("on")
    ]
    assert " ".join(printable(hostile).split())[: CELL_MAX // 2] in shown.text
    assert not set(shown.source) & set("\x00\x07\x1b\u202e\u2066")


def test_a_long_text_is_cut(page: Page) -> None:
    shown = written(a_material(explanations=some_explanations("x" * 10_000)))

    assert max(map(len, shown.texts)) < 6000, "but for the style"
    assert max(len(text) for text in shown.texts if "x" * 50 in text) <= CELL_MAX
    assert len(shown.source) < 10_000 + len(page.source)


def test_a_page_can_be_heard_as_well_as_seen(page: Page) -> None:
    assert page.attributes_of("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.attributes_of("caption")) == len(page.attributes_of("table"))
    assert {attributes.get("scope") for attributes in page.attributes_of("th")} == {"col", "row"}
    for drawing in page.attributes_of("svg"):
        assert drawing["role"] == "img"
        assert drawing.get("aria-label") or drawing.get("aria-labelledby")
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    named = {
        name for _, a in page.elements for name in (a.get("aria-labelledby") or "").split() if name
    }
    assert named | {a["href"][1:] for a in page.attributes_of("a") if a["href"]} <= set(identifiers)


def test_a_page_is_light_or_dark_and_can_be_printed(page: Page) -> None:
    assert "@media (prefers-color-scheme: dark)" in page.source
    assert "@media print" in page.source
    assert {"name": "color-scheme", "content": "light dark"} in page.attributes_of("meta")


@pytest.mark.parametrize(
    ("above", "below"),
    [("text", "page"), ("soft", "page"), ("soft", "shade"), ("full", "page"), ("text", "notice")],
)
def test_colours_can_be_told_from_their_ground(page: Page, above: str, below: str) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1 for text."""
    light, dark = re.findall(r":root \{([^}]*)\}", page.source)[:2]

    for theme in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#\w{6});", theme))
        first, second = sorted((luminance(colours[above]), luminance(colours[below])))
        assert (second + 0.05) / (first + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative, of an sRGB colour (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_histogram_is_drawn_and_told(page: Page) -> None:
    assert "0 – 0.1: 10 rows; 0.1 – 0.2: 0 rows" in page.text
    assert len(page.attributes_of("figure")) == 2
    heights = [float(a["height"] or 0) for a in page.attributes_of("rect") if "x" in a]
    assert max(heights[:10]) == heights[9] == pytest.approx(9 * heights[0], abs=0.1)


def test_a_partial_job_says_so_above_everything_else() -> None:
    shown = written(
        a_material(job=a_job(status=JobStatus.CANCELLED, rows=5), result=None, slices=())
    )

    assert shown.text.index("PARTIAL: the job was cancelled") < shown.text.index("Summary", 500)
