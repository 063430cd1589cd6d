"""One JSON shape for every error of the API, and calm pages for people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came from another page or an old tab."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": {"code": "csrf_failed", "message": reason}}, status=403)
    return render(request, "errors/csrf.html", status=403)
