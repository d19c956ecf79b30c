"""How the process logs: one line for each fact on standard error, for people or for machines."""

import logging
import sys

import structlog
from structlog.typing import Processor

from evalbus.settings import Settings


def configure(settings: Settings, *, level: str | None = None) -> None:
    """Set up structlog for the whole process; `level` stands in for EVALBUS_LOG_LEVEL where that was not given.

    Libraries that log by the standard library come out the same way, from warnings upwards.
    """
    chosen = settings.log_level if "log_level" in settings.model_fields_set else level
    number = logging.getLevelNamesMapping()[(chosen or settings.log_level).upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(settings),
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def _rendering(settings: Settings) -> list[Processor]:
    is_terminal = sys.stderr.isatty()
    if settings.log_format == "json" or (settings.log_format == "auto" and not is_terminal):
        return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=is_terminal)]
