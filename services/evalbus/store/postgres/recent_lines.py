"""Items of stretches that were stored a moment ago and will soon be sent, so that they need not be read back."""

from collections import OrderedDict

BYTES_MAX = 32 * 1024 * 1024


class RecentLines:
    """Each is asked for once for every model; the oldest go first when there are too many."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, int, int], tuple[bytes, int]] = OrderedDict()

    def put(self, lines: bytes, *, job_no: int, dataset_no: int, first_row: int, uses: int) -> None:
        key = (job_no, dataset_no, first_row)
        if uses < 1 or key in self._kept or len(lines) > self._bytes_max:
            return
        self._kept[key] = (lines, uses)
        self._bytes += len(lines)
        while self._bytes > self._bytes_max:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._bytes -= len(oldest)

    def take(self, *, job_no: int, dataset_no: int, first_row: int) -> bytes | None:
        """Forgotten with its last use; None: read them from the database."""
        key = (job_no, dataset_no, first_row)
        found = self._kept.get(key)
        if found is None:
            return None
        lines, uses = found
        if uses > 1:
            self._kept[key] = (lines, uses - 1)
        else:
            del self._kept[key]
            self._bytes -= len(lines)
        return lines
