"""Taking a secret out of whatever comes back from where it was sent."""

import re

from pydantic import SecretStr

ORDINARY_CHARACTERS_MAX = 7
"""A secret this short, such as `none` or `dummy`, is found in ordinary text as well."""


class Redaction:
    """Puts `[NAME]` in the place of one secret, also where it is escaped as JSON or for a URL."""

    def __init__(self, name: str, secret: SecretStr) -> None:
        value = secret.get_secret_value()
        self._mark = f"[{name}]"
        self._pattern = re.compile("".join(map(_spellings, value)))
        self._bytes_pattern = re.compile(self._pattern.pattern.encode())
        self.is_ordinary = len(value) <= ORDINARY_CHARACTERS_MAX

    def text(self, text: str) -> str:
        return self._pattern.sub(self._mark, text)

    def body(self, body: bytes) -> bytes:
        return self._bytes_pattern.sub(self._mark.encode(), body)


def _spellings(character: str) -> str:
    """Every way in which one character of a secret may be written, JSON inside of JSON included.

    The longer ones come first. A run of backslashes has an end, so that an answer of nothing else is read in one go.
    """
    number, itself = ord(character), re.escape(character)
    return rf"(?:\\{{1,7}}[uU]00(?i:{number:02x})|%(?i:{number:02x})|\\{{1,7}}{itself}|{itself})"
