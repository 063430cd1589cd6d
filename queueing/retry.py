"""When a message that failed comes again: a pure function of its attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, then the dead letter queue.

    first_s, factor, ceiling_s: seconds before the second attempt, growth per attempt, and the longest wait.
    max_attempts: the attempt after whose failure a message is buried.
    """

    max_attempts: int = 5
    first_s: float = 1.0
    factor: float = 3.0
    ceiling_s: float = 300.0

    def delay_s(self, attempt: int, *, rng: random.Random | None = None) -> float | None:
        """Seconds to wait after attempt `attempt` (1-based) failed; None: bury it.

        Jitter draws from the upper half, so that a herd spreads and nobody comes back at once.
        """
        if attempt >= self.max_attempts:
            return None
        longest = min(self.ceiling_s, self.first_s * self.factor ** (attempt - 1))
        return longest * (0.5 + (rng or random).random() / 2)
