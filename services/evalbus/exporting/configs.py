"""How an export is to be written: a class for each format."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from evalbus.exporting.base import WrongExport
from evalbus_schemas.exports import ExportFormat, ExportJob

NUMBER_SIGNS = "+-."


@dataclass(frozen=True)
class JsonExportConfig:
    """One document: `benchmark_metadata`, `execution_metadata`, `data` with the datapoints, `slices`."""

    format: ClassVar[Literal["json"]] = "json"


@dataclass(frozen=True)
class JsonlExportConfig:
    """A datapoint a line, and nothing else."""

    format: ClassVar[Literal["jsonl"]] = "jsonl"


@dataclass(frozen=True)
class CsvExportConfig:
    """A table in UTF-8 with a header. Text is quoted; numbers, True, False and what is missing are not.

    A quote inside of a cell is doubled and an escape character too, as Python's `csv` and pandas read them when they
    are given the same three characters. `\\"` in place of the doubled quote would end the cell for a spreadsheet, and
    what follows it could be run. `neutralise` puts an apostrophe before text that begins with = + - @, a tab or a
    carriage return.

    Raises WrongExport (a ValueError) unless the three are different single characters that no number or line is
    made of.
    """

    format: ClassVar[Literal["csv"]] = "csv"
    sep: str = ","
    quotechar: str = '"'
    escapechar: str = "\\"
    neutralise: bool = True

    def __post_init__(self) -> None:
        characters = {"sep": self.sep, "quotechar": self.quotechar, "escapechar": self.escapechar}
        for name, character in characters.items():
            _check(name, character)
        if len(set(characters.values())) < len(characters):
            found = ", ".join(f"{name} {character!r}" for name, character in characters.items())
            raise WrongExport(f"sep, quotechar and escapechar must differ, found {found}")


@dataclass(frozen=True)
class ParquetExportConfig:
    """The columns of the CSV with their types; needs the extra `parquet`."""

    format: ClassVar[Literal["parquet"]] = "parquet"


ExportConfig = JsonExportConfig | JsonlExportConfig | CsvExportConfig | ParquetExportConfig


def checked_config(config: object) -> ExportConfig:
    """JSON where nothing is said; raises WrongExport (a ValueError) for what is no config."""
    if config is None:
        return JsonExportConfig()
    if not isinstance(config, ExportConfig):
        known = ", ".join(kind.__name__ for kind in get_args(ExportConfig))
        raise WrongExport(f"Invalid export config: wanted one of {known}, found {config!r}")
    return config


def config_of(format: ExportFormat, *, csv: CsvExportConfig | None = None) -> ExportConfig:
    """The config of that format; `csv` is how a CSV is to be written."""
    match format:
        case "json":
            return JsonExportConfig()
        case "jsonl":
            return JsonlExportConfig()
        case "csv":
            return csv or CsvExportConfig()
        case "parquet":
            return ParquetExportConfig()


def config_of_command(command: ExportJob) -> ExportConfig:
    """As the command says; its separators are looked at only where there are cells to separate."""
    if command.format != "csv":
        return config_of(command.format)
    return CsvExportConfig(
        sep=command.sep,
        quotechar=command.quotechar,
        escapechar=command.escapechar,
        neutralise=command.neutralise,
    )


def _check(name: str, character: object) -> None:
    if not isinstance(character, str) or len(character) != 1:
        raise WrongExport(f"{name} must be one character, found {character!r}")
    if name != "sep" and character.isspace():
        raise WrongExport(f"{name} {character!r} is a space, which stands in texts")
    # Numbers are not quoted, and neither is what is missing.
    if character.isalnum() or character in NUMBER_SIGNS:
        raise WrongExport(f"{name} {character!r} is a character that numbers or words are made of")
    if character in "\r\n\0" or not _is_unicode(character):
        raise WrongExport(f"{name} {character!r} cannot stand in a line of text")


def _is_unicode(character: str) -> bool:
    return not 0xD800 <= ord(character) <= 0xDFFF
