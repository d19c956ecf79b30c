"""Text that can be written down, whatever it was put together from."""


def whole(text: str) -> str:
    """The same text with U+FFFD for every half of a character (a lone surrogate), which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
