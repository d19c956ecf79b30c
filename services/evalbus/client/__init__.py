"""Asking evalbus from Python: `AsyncClient`, `Client` for code without an event loop, and benchmarks as objects."""

from evalbus.client.asynchronous import AsyncClient
from evalbus.client.benchmark import Benchmark
from evalbus.client.benchmark_file import load_benchmark
from evalbus.client.benchmark_job import BenchmarkExecution, BenchmarkJob
from evalbus.client.csv_benchmark import CSVBenchmark
from evalbus.client.mapped_benchmark import MappedBenchmark
from evalbus.client.sample_benchmarks import (
    AnnotationBenchmark,
    QuestionAnsweringBenchmark,
    SummarizationBenchmark,
)
from evalbus.client.samples import Sample, WrongSamples
from evalbus.client.synchronous import Client
from evalbus.exporting import (
    CsvExportConfig,
    JsonExportConfig,
    JsonlExportConfig,
    ParquetExportConfig,
)

__all__ = [
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
    "load_benchmark",
]
