"""One job in embedded mode, timed from the command until its result can be queried.

usage: python -m tests.benchmarks.embedded_job DATA_DIR BENCHMARK_FILE   prints {"seconds": …}
"""

import json
import sys
from pathlib import Path

from evalbus.client import Client
from tests.benchmarks.throughput import job_seconds

if __name__ == "__main__":
    with Client.embedded(data_dir=Path(sys.argv[1])) as client:
        print(json.dumps({"seconds": job_seconds(client, Path(sys.argv[2]))}))
