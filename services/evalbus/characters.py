"""Text that can be written down, whatever it was put together from."""


def cut(text: str, characters_max: int) -> str:
    """The text, or so much of its beginning with an ellipsis behind it."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def whole(text: str) -> str:
    """The same text with U+FFFD for every half of a character (a lone surrogate), which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
