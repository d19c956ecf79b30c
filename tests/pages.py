"""A page of HTML as a browser reads it."""

from collections.abc import Sequence
from html.parser import HTMLParser

VOID = ("meta", "rect", "line")
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Elements with their attributes, each closed in its turn, and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, Attributes]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open, f"{self._open} are never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} is closed where it is not open"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """White space is one space."""
        return " ".join(" ".join(self.texts).split())

    def attributes_of(self, tag: str) -> Sequence[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]

    def references(self) -> Sequence[str | None]:
        """Everything that a browser might go and get, or go to."""
        return [
            value
            for _, attributes in self.elements
            for name, value in attributes.items()
            if name in ("src", "href", "xlink:href", "action", "srcset", "style")
        ]
