"""A JSON body, taken apart or refused."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from django.conf import settings

from orders.errors import Refused

# Larger than any honest body by far; nginx's client_max_body_size is the same.
LARGEST: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

T = TypeVar("T", bound=msgspec.Struct)


def parse(body: bytes | None, decoder: msgspec.json.Decoder[T], *, what: str) -> T:
    """
    body: None is larger than anybody reads.
    decoder: of a struct whose values contain no colon, so that fields can be counted.

    Raises:
        Refused: too large, no JSON, not of this form, or a field is there twice.
    """
    if body is None or len(body) > LARGEST:
        raise Refused("body_too_large")
    try:
        found = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused("invalid", f"The body is not {what}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Refused("malformed_json") from error
    if body.count(b":") != len(found.__struct_fields__):
        # JSON leaves open which of two wins: a gateway may have judged the one, and we would sell the other.
        raise Refused("invalid", f"The body is not {what}: a field is there twice.")
    return found
