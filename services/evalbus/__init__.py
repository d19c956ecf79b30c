"""A self-hosted evaluation service on RabbitMQ and Postgres."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalbus.client import AnnotationBenchmark as AnnotationBenchmark
    from evalbus.client import AsyncClient as AsyncClient
    from evalbus.client import Benchmark as Benchmark
    from evalbus.client import BenchmarkExecution as BenchmarkExecution
    from evalbus.client import BenchmarkJob as BenchmarkJob
    from evalbus.client import Client as Client
    from evalbus.client import CSVBenchmark as CSVBenchmark
    from evalbus.client import CsvExportConfig as CsvExportConfig
    from evalbus.client import JsonExportConfig as JsonExportConfig
    from evalbus.client import JsonlExportConfig as JsonlExportConfig
    from evalbus.client import MappedBenchmark as MappedBenchmark
    from evalbus.client import ParquetExportConfig as ParquetExportConfig
    from evalbus.client import QuestionAnsweringBenchmark as QuestionAnsweringBenchmark
    from evalbus.client import Sample as Sample
    from evalbus.client import SummarizationBenchmark as SummarizationBenchmark
    from evalbus.client import WrongSamples as WrongSamples

__all__ = [  # given by __getattr__
    "AnnotationBenchmark",
    "AsyncClient",
    "Benchmark",
    "BenchmarkExecution",
    "BenchmarkJob",
    "CSVBenchmark",
    "Client",
    "CsvExportConfig",
    "JsonExportConfig",
    "JsonlExportConfig",
    "MappedBenchmark",
    "ParquetExportConfig",
    "QuestionAnsweringBenchmark",
    "Sample",
    "SummarizationBenchmark",
    "WrongSamples",
]

_HOME = "evalbus.client"


def __getattr__(name: str) -> object:
    # Looked up at first use: `evalbus --help` and a scoring child need no client and start faster without.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
