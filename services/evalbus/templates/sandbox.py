"""The Jinja environment for text that other people wrote: sandboxed, strict about what is missing, JSON for values."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_context
from jinja2.exceptions import TemplateRuntimeError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from evalbus.characters import cut
from evalbus.errors import Invalid
from evalbus.templates.base import MISSING_FIELD, Context, Template, TemplateError, names_shown
from evalbus.templates.joined import too_long
from evalbus.templates.text import as_text

SHOWN_MAX = 200
BEGINNING_MAX = 80


class _NoSuchName(UndefinedError):
    """A name that stands alone and means nothing in this row."""


class _Missing(StrictUndefined):
    """A value that is not there; using it is an error that says which there are."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        super().__init__(hint, obj, name, _NoSuchName if obj is missing else exc)

    @property
    def _undefined_message(self) -> str:
        name, found = self._undefined_name, self._undefined_obj
        if found is missing:
            return f"there is no {name!r}"
        if isinstance(found, dict):
            return (
                f"there is no {name!r} (there are: {names_shown(cast('dict[str, object]', found))})"
            )
        return f"there is no {name!r} in a {type(found).__name__}"


class _Sandbox(ImmutableSandboxedEnvironment):
    """A dot finds a field before a method, so that a field called `items` or `values` can be used."""

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict):
            fields = cast("dict[str, object]", obj)
            if attribute in fields:
                return fields[attribute]
        return super().getattr(obj, attribute)


@pass_context
def _finalize(_context: object, value: object) -> object:
    """Inside text a value reads as it does alone: `true` and `null`, not `True` and `None`."""
    if value is None or isinstance(value, bool | float | dict | list):
        return as_text(value)  # pyright: ignore[reportUnknownArgumentType]
    return value


# One for the process: it holds no state but Jinja's bounded cache of lexers.
#
# Compiling must not run anything: it is done where benchmarks are accepted, without the limits of a
# scoring child, and `{{ 'a' * 10**10 }}` has a constant to fold. Hence no optimizer, and a finalizer
# that asks for the context, which no constant has.
SANDBOX = _Sandbox(
    undefined=_Missing,
    finalize=_finalize,
    optimized=False,
    keep_trailing_newline=True,
    autoescape=False,  # the output is text for a metric, never a web page
)
# A row that is rendered again gives the same text.
del SANDBOX.globals["lipsum"], SANDBOX.filters["random"]


def parse(text: str) -> nodes.Template:
    """Raises Invalid for text that is no template, with the place in it."""
    with refusing_what_is_no_template(text):
        return SANDBOX.parse(text)


@contextmanager
def refusing_what_is_no_template(text: str) -> Generator[None]:
    where = f"not a template: {_begins(text)!r}"
    shown = {"found": text[:SHOWN_MAX]}
    try:
        yield
    except TemplateSyntaxError as error:
        raise Invalid(f"{where}: {error.message} (line {error.lineno})", dict(shown)) from None
    except (RecursionError, SyntaxError, MemoryError):
        # Jinja writes Python, whose compiler has limits of its own.
        raise Invalid(f"{where}: too deeply nested", dict(shown)) from None
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{where}: {error}", dict(shown)) from None


def _begins(text: str) -> str:
    """Enough of a template to find it in a file."""
    return cut(text.strip(), BEGINNING_MAX)


class Sandboxed(Template):
    """A template that needs the interpreter; it gives text of at most `characters_max`."""

    def __init__(self, text: str, *, characters_max: int) -> None:
        super().__init__(text)
        with refusing_what_is_no_template(text):
            self._template = SANDBOX.from_string(text)
        self._characters_max = characters_max

    def render(self, context: Context) -> str:
        pieces: list[str] = []
        characters = 0
        try:
            for piece in self._template.generate(context):
                characters += len(piece)
                if characters > self._characters_max:
                    raise too_long(self._shown, self._characters_max)
                pieces.append(piece)
        except (TemplateError, MemoryError):
            raise
        except _NoSuchName as error:
            raise TemplateError(
                MISSING_FIELD, f"{self._shown}: {error} (there are: {names_shown(context)})"
            ) from None
        except UndefinedError as error:
            raise TemplateError(MISSING_FIELD, f"{self._shown}: {error}") from None
        except Exception as error:
            # The template is a program of the user's: whatever it raises concerns this row alone.
            raise TemplateError(
                "template_failed", f"{self._shown}: {type(error).__name__}: {error}"
            ) from None
        return "".join(pieces)

    @property
    def _shown(self) -> str:
        return _begins(self.text)
