"""Reading JSON bodies from strangers."""

import json
from collections.abc import Mapping
from typing import IO, Any, Final, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

from relaybase.http.bodies import MAX_BODY_BYTES, TOO_LARGE


class BodyTooLarge(APIException):
    """More than any request here needs. ASGI's requests were refused before (`relaybase.http.bodies`)."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = TOO_LARGE


class GuardedJSONParser(JSONParser):
    """JSON in UTF-8 (RFC 8259) of a limited size and depth, whose text is really text.

    The charset of the content type is not looked at: JSON has only the one.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Decode the body.

        Raises:
            BodyTooLarge: over `MAX_BODY_BYTES`.
            ParseError: not JSON, nested too deeply, or with half a surrogate pair in it.
        """
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return decode(body)


def decode(body: bytes, *, is_lenient: bool = False) -> Any:
    """What this JSON says.

    is_lenient: what is no UTF-8 is read as U+FFFD; halves of surrogate pairs are for the caller to look for

    Raises:
        ParseError: not JSON, nested too deeply, or with half a surrogate pair in it.
    """
    try:
        decoded = _decoder.decode(body.decode(errors="replace" if is_lenient else "strict"))
        # "\ud800" alone is JSON, but no server can store it and no answer can repeat it.
        if not is_lenient and (len(body) > _SHORT_BYTES or b"\\u" in body):
            json.dumps(decoded, ensure_ascii=False).encode()
    except RecursionError as exc:
        raise ParseError("The body is nested too deeply.") from exc
    except UnicodeEncodeError as exc:
        raise ParseError("The body has half of a surrogate pair in it, which is not text.") from exc
    except ValueError as exc:
        raise ParseError(f"The body is not JSON: {exc}.") from exc
    return decoded


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


_decoder: Final = json.JSONDecoder(parse_constant=_refuse)

_SHORT_BYTES: Final = 256
"""A body of no more cannot be nested too deeply."""
