"""What is said about bytes that cannot be read: always the file, the line and the byte."""

import orjson

from evalbus.datasets.base import UNDECODABLE
from evalbus.errors import SourceBroken

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def fault(shown: str, line: int, byte: int, said: str) -> SourceBroken:
    """`line` counts from 1, `byte` from 0, both in the unpacked file."""
    return SourceBroken(UNDECODABLE, f"{shown}:{line}: {said} (byte {byte})")


def not_utf8(
    shown: str, line: int, line_at: int, content: bytes, error: UnicodeDecodeError
) -> SourceBroken:
    """For bytes that begin on `line`, `line_at` bytes into the file."""
    guess = "; is it UTF-16?" if line_at == 0 and content.startswith(_UTF16_MARKS) else ""
    below = content.count(b"\n", 0, error.start)
    return fault(shown, line + below, line_at + error.start, f"not UTF-8 ({error.reason}{guess})")


def not_json(
    shown: str, line: int, line_at: int, content: bytes, error: orjson.JSONDecodeError
) -> SourceBroken:
    """For bytes that begin on `line`, `line_at` bytes into the file."""
    try:
        content.decode()
    except UnicodeDecodeError as undecodable:
        return not_utf8(shown, line, line_at, content, undecodable)
    read = len(error.doc[: error.pos].encode())
    said = f"{error.msg} (column {error.colno})"
    return fault(shown, line + content.count(b"\n", 0, read), line_at + read, said)
