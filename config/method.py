"""The innermost middleware: 405 in the API's own shape, and the whole chain around it in one thread."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase


def api_method_not_allowed(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """django-ninja answers a wrong method in plain text, past its exception handlers; here it gets the one shape.

    It is sync only, and innermost, on purpose. Under ASGI each of Django's own middlewares would hop to a thread and
    back twice per request; behind a sync one they all run in one thread, one after the other.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code != 405 or not request.path.startswith("/api/"):
            return response
        message = f"{request.method} is not for this address; {response['Allow']} is."
        shaped = JsonResponse({"error": {"code": "method_not_allowed", "message": message}}, status=405)
        shaped["Allow"] = response["Allow"]
        return shaped

    return answer
