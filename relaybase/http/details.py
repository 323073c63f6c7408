"""The body of an answer that is an error: problem details, as RFC 9457 has them."""

from http import HTTPStatus
from typing import Any, Final

CONTENT_TYPE: Final = "application/problem+json"

NOT_VALID: Final = "This token is unknown, expired or revoked."


def problem_details(status: int, detail: str, kind: str = "", **more: Any) -> dict[str, Any]:
    """`detail` is a sentence for a reader; `kind` becomes the type, by which programs tell errors apart."""
    return {
        "type": f"urn:relay:problem:{kind}" if kind else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
