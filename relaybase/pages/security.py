"""What browsers may do with a page of Relay."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase

# Payloads are from strangers. Should one ever come into a page as markup, it finds no way to run:
# scripts come as files of this site only. Styles may be inline, REST framework's pages need that.
POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class ContentSecurityPolicy:
    """Middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self._get_response(request)
        answer["Content-Security-Policy"] = POLICY
        return answer
