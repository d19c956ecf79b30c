"""Look-ups with text between them: what the sandbox would give, without it."""

from collections.abc import Sequence

from evalbus.templates.base import Context, Template, TemplateError
from evalbus.templates.lookup import Lookup
from evalbus.templates.text import as_text


class Joined(Template):
    """`{{ item.id }}-{{ item.part }}`; text of at most `characters_max`."""

    def __init__(self, text: str, pieces: Sequence[str | Lookup], *, characters_max: int) -> None:
        super().__init__(text)
        self._pieces = pieces
        self._characters_max = characters_max

    def render(self, context: Context) -> str:
        joined = "".join(
            piece if isinstance(piece, str) else as_text(piece.render(context))
            for piece in self._pieces
        )
        if len(joined) > self._characters_max:
            raise too_long(self.text, self._characters_max)
        return joined


def too_long(text: str, characters_max: int) -> TemplateError:
    return TemplateError(
        "template_too_long", f"{text.strip()}: renders to more than {characters_max} characters"
    )
