"""Growing waits between tries, spread out so that many processes do not try at once."""

import random
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Backoff:
    """Holds how often it was asked since the last success."""

    first_seconds: float
    most_seconds: float
    _tries: int = field(default=0, init=False)

    def next_seconds(self) -> float:
        """The next wait: twice the last one up to the most, and up to a quarter less."""
        whole = min(self.most_seconds, self.first_seconds * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return whole * random.uniform(0.75, 1.0)  # noqa: S311  # it only spreads load

    def reset(self) -> None:
        """It worked: the next wait is a short one again."""
        self._tries = 0
