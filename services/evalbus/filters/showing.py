"""What may be kept of a text, and how an error shows what somebody wrote: short, in characters that can be sent."""

CHARACTERS_MAX = 60
BITS_MAX = 256


def sendable(text: str) -> str:
    """Its beginning, half a surrogate pair written as an escape."""
    return text[:CHARACTERS_MAX].encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """A container only by its sort: it may be a bomb, and writing it out would set that off."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(sendable(value))
        case int() if value.bit_length() > BITS_MAX:
            return "a huge number"
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def is_storable(text: str) -> bool:
    """Postgres takes neither NUL nor half a surrogate pair."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
