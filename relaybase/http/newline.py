"""JSON that ends its line, so that a prompt does not stand behind what curl prints."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase


class EndLine:
    """Middleware: a line break after each answer that is JSON. What is streamed ends its own lines."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self._get_response(request)
        if isinstance(answer, HttpResponse) and _is_json(answer) and not answer.content.endswith(b"\n"):
            answer.content += b"\n" if answer.content else b""
        return answer


def _is_json(answer: HttpResponse) -> bool:
    content_type: str = answer.get("Content-Type", "").partition(";")[0].strip()
    return content_type.endswith("json")
