"""What wraps a handler: each middleware is one idea in one file.

A middleware takes the batch and the next step, and calls it (or not, or with fewer). The innermost step calls the
handlers. An exception means: nothing of this batch happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from queueing.message import Delivery

Step = Callable[[Sequence[Delivery]], None]
Middleware = Callable[[Sequence[Delivery], Step], None]


def compose(middlewares: Iterable[Middleware], innermost: Step) -> Step:
    """The first middleware is the outermost."""
    step = innermost
    for middleware in reversed(list(middlewares)):
        step = partial(_call, middleware, step)
    return step


def _call(middleware: Middleware, following: Step, batch: Sequence[Delivery]) -> None:
    middleware(batch, following)
