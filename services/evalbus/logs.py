"""How evalbus logs: by the standard library's loggers, so that a program that uses it decides what becomes of it.

Inside a service, `configure` decides: one line for each fact on standard error, for people or for machines.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from evalbus.settings import Settings


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose events are records of the standard logger of that name, their values as `extra`."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            _spared,
            structlog.stdlib.render_to_log_kwargs,
        ],
    )
    return logger


# The standard library refuses values under the names that it uses itself.
TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def _spared(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    kept = {"event", "exc_info", "stack_info", "stackLevel"}
    return {f"{k}_" if k in TAKEN and k not in kept else k: v for k, v in event.items()}


def configure(settings: Settings, *, level: str | None = None) -> None:
    """Set up logging for the whole process; `level` stands in for EVALBUS_LOG_LEVEL where that was not given.

    Other libraries come out the same way, from warnings upwards.
    """
    chosen = settings.log_level if "log_level" in settings.model_fields_set else level
    number = logging.getLevelNamesMapping()[(chosen or settings.log_level).upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("evalbus").setLevel(number)


def _rendering(settings: Settings) -> list[Processor]:
    is_terminal = sys.stderr.isatty()
    if settings.log_format == "json" or (settings.log_format == "auto" and not is_terminal):
        # Local variables would carry prompts, answers and secrets into the log.
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=plain)]
