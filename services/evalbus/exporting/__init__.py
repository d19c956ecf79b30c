"""A job as a file: formats make bytes of its datapoints, sinks keep them whole or not at all."""

from evalbus.exporting.base import Sink, WrongExport
from evalbus.exporting.configs import (
    CsvExportConfig,
    ExportConfig,
    JsonExportConfig,
    JsonlExportConfig,
    ParquetExportConfig,
    checked_config,
    config_of,
    config_of_command,
)
from evalbus.exporting.local import LocalFile
from evalbus.exporting.writing import file_chunks, save

__all__ = [
    "CsvExportConfig",
    "ExportConfig",
    "JsonExportConfig",
    "JsonlExportConfig",
    "LocalFile",
    "ParquetExportConfig",
    "Sink",
    "WrongExport",
    "checked_config",
    "config_of",
    "config_of_command",
    "file_chunks",
    "save",
]
