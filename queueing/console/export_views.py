"""`dead/export/`: the filtered dead letters, streamed as CSV. Who took them, and how many, is in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from queueing.console.choosing import chosen
from queueing.console.export import chunks
from queueing.console.filter import Filter
from queueing.console.link import client
from queueing.console.logbook import write_down
from queueing.console.services import in_words


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    wanted = Filter(request.GET)
    if not wanted.is_valid():
        return HttpResponseBadRequest("Not a filter of dead letters.", content_type="text/plain")
    choice = wanted.choice()
    entry = write_down(request.user, f"dead letters: {choice}", "Exports dead letters as CSV")
    name = f"dead-letters-{timezone.now():%Y%m%d-%H%M%S}.csv"
    return StreamingHttpResponse(
        _stream(chunks(chosen(choice, client())), entry),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


async def _stream(found: Iterator[tuple[bytes, int]], entry: LogEntry) -> AsyncIterator[bytes]:
    """Each chunk is read in a thread: the event loop has shoppers to serve."""
    written, trouble = 0, b""
    try:
        while (chunk := await sync_to_async(_next)(found)) is not None:
            text, letters = chunk
            written += letters
            yield text
    except RedisError:
        trouble = b'"broken off: Redis does not answer any more, so this is not all"\r\n'
    letters_in_words = f"{written:,} dead letter{'' if written == 1 else 's'}"
    said = f"Exported {letters_in_words} as CSV{', then Redis stopped answering' if trouble else ''}"
    await sync_to_async(in_words)(entry, said)
    if trouble:
        yield trouble


def _next(found: Iterator[tuple[bytes, int]]) -> tuple[bytes, int] | None:
    return next(found, None)
