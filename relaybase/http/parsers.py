"""Reading JSON bodies from strangers."""

import json
from collections.abc import Mapping
from typing import IO, Any, Final

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

from relaybase.http.bodies import MAX_BODY_BYTES, TOO_LARGE
from relaycore.publishing import strict


class BodyTooLarge(APIException):
    """More than any request here needs. ASGI's requests were refused before (`relaybase.http.bodies`)."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = TOO_LARGE


class GuardedJSONParser(JSONParser):
    """JSON in UTF-8 (RFC 8259) of a limited size and depth, whose text is really text, and no name twice.

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
            ParseError: as `decode`.
        """
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return decode(body)


def decode(body: bytes, *, is_lenient: bool = False) -> Any:
    """What this JSON says.

    is_lenient: what is no UTF-8 is read as U+FFFD; of a name that is there twice the last value counts;
        halves of surrogate pairs are for the caller to look for

    Raises:
        ParseError: not JSON, nested too deeply, or with half a surrogate pair or a name twice in it.
    """
    try:
        if is_lenient:
            return _lenient.decode(body.decode(errors="replace"))
        decoded = strict.decoder.decode(body.decode())
        # "\ud800" alone is JSON, but no server can store it and no answer can repeat it.
        if len(body) > _SHORT_BYTES or b"\\u" in body:
            json.dumps(decoded, ensure_ascii=False).encode()
    except RecursionError as exc:
        raise ParseError("The body is nested too deeply.") from exc
    except UnicodeEncodeError as exc:
        raise ParseError("The body has half of a surrogate pair in it, which is not text.") from exc
    except strict.NameTwice as exc:
        raise ParseError(f"The body has {exc}.") from exc
    except ValueError as exc:
        raise ParseError(f"The body is not JSON: {exc}.") from exc
    return decoded


_lenient: Final = json.JSONDecoder(parse_constant=strict.refuse)

_SHORT_BYTES: Final = 256
"""A body of no more cannot be nested too deeply."""
