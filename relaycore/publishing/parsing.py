"""The messages in the body of a request.

======================================  =====================================================
media type                              body
======================================  =====================================================
`text/plain`,                           one payload, byte for byte
`application/octet-stream`
`application/json`                      one message as an object, or `{"messages": [object, …]}`
`application/x-ndjson`                  one such object a line; empty lines are none
======================================  =====================================================

An object has `message`, a string, and may have `id`, `encoding` (`"base64"`: the string is the payload's
base64), `attributes` (of strings) and `content_type`. What else it has is an error: a misspelt `id` would
double on a retry. So is a name that is there twice: one of its values would be passed over.

All of a body is taken, or nothing: the first message that is none is the error, with its index from 0.
"""

import itertools
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from relaycore.errors import BadBody, BadMessage, MessageTooLarge, TooMuchAtOnce
from relaycore.publishing.strict import NameTwice, decoder

MOST_MESSAGES: Final = 10_000
MOST_BYTES: Final = 16 << 20
"""Of one body, also after it was unpacked."""

MOST_ID_BYTES: Final = 255

_MEMBERS: Final = frozenset({"message", "id", "encoding", "attributes", "content_type"})
_FORM: Final = 'one with `message`, a string, such as {"message": "hello"}'
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_LIST_BEGINS: Final = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*"messages"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*')
_NEXT: Final = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
# A message is an object of strings, and in it perhaps one more. Possessive, so that nothing is tried twice.
_STRING: Final = r'"(?:[^"\\]++|\\.)*+"'
_INNER: Final = rf'\{{(?:[^"{{}}\[\]]++|{_STRING}){{0,400}}+\}}'
_SHAPE: Final = re.compile(rf'\{{(?:[^"{{}}\[\]]++|{_STRING}|{_INNER}){{0,80}}+\}}', re.DOTALL)
_STRANGE_CHARACTERS: Final = 64 << 10
"""So much is decoded of what has another shape: enough to say what is wrong with it. Lists in lists take
forty times their size as Python's objects: 16 MiB, which gzip packs into 16 KiB, would take 600 MB, and
nobody else in this process would get a turn for a second."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LIST_ENDS: Final = re.compile(r"[ \t\r\n]*\][ \t\r\n]*\}[ \t\r\n]*\Z")


class Message(NamedTuple):
    """One message to publish. `id`: by which its publisher knows it; None if it does not say."""

    payload: bytes
    id: str | None = None
    attributes: Mapping[str, str] = _NOTHING
    content_type: str = ""


def parse(media_type: str, body: bytes, most_bytes: int) -> list[Message]:
    """The messages of a body.

    media_type: one of `FORMS`
    most_bytes: of one payload

    Raises:
        BadBody: the body is not in the form that its media type says.
        BadMessage: the first message that is none; `index` says which.
        MessageTooLarge: the first payload with more than `most_bytes`.
        TooMuchAtOnce: more than `MOST_MESSAGES`.
    """
    return FORMS[media_type](body, most_bytes)


def _payload(body: bytes, most_bytes: int) -> list[Message]:
    _require_size(body, 0, most_bytes)
    return [Message(body)]


def _json(body: bytes, most_bytes: int) -> list[Message]:
    text = _text(body)
    if (begin := _LIST_BEGINS.match(text)) is not None:
        # One after another: whoever else runs in this process gets a turn in between.
        return _messages(_listed(text, begin.end()), most_bytes)
    found = _decoded(text)
    if isinstance(found, dict) and "messages" in found:
        if len(found) > 1 or not isinstance(found["messages"], list):
            raise BadBody('The body is {"messages": [...]} without anything else, or one message.')
        return _messages(iter(found["messages"]), most_bytes)
    return _messages(iter([found]), most_bytes)


def _ndjson(body: bytes, most_bytes: int) -> list[Message]:
    # Line by line: millions of empty ones would take many times their memory at once.
    lines = (line for line in BytesIO(body) if not line.isspace())
    return _messages((_line(line, index) for index, line in enumerate(lines)), most_bytes)


FORMS: Final[Mapping[str, Callable[[bytes, int], list[Message]]]] = {
    "text/plain": _payload,
    "application/octet-stream": _payload,
    "application/json": _json,
    "application/x-ndjson": _ndjson,
}
"""By media type."""


def _messages(found: Iterator[Any], most_bytes: int) -> list[Message]:
    messages = []
    for index, item in enumerate(found):
        if index >= MOST_MESSAGES:
            raise TooMuchAtOnce(f"A request may bring {MOST_MESSAGES} messages. Send the others in another.")
        try:
            messages.append(_message(item, index, most_bytes))
        except BadMessage as exc:
            exc.index = index
            raise
    if not messages:
        raise BadBody("There is no message in the body.")
    return messages


def _message(item: Any, index: int, most_bytes: int) -> Message:
    if not isinstance(item, dict):
        raise BadMessage(f"Message {index} is not an object. A message is {_FORM}.")
    text = item.get("message")
    if not isinstance(text, str):
        raise BadMessage(f"Message {index} has no `message` that is a string. A message is {_FORM}.")
    if len(item) == 1:
        payload = _utf8(text, index)
        _require_size(payload, index, most_bytes)
        return Message(payload)
    if not item.keys() <= _MEMBERS:
        unknown = ", ".join(sorted(repr(name)[:60] for name in item.keys() - _MEMBERS))
        raise BadMessage(f"Message {index} has {unknown}. It may have {', '.join(sorted(_MEMBERS))}.")
    payload = _encoded(text, item.get("encoding"), index)
    _require_size(payload, index, most_bytes)
    return Message(
        payload,
        _id(item.get("id"), index),
        _attributes(item.get("attributes"), index),
        _content_type(item.get("content_type"), index),
    )


def _encoded(text: str, encoding: Any, index: int) -> bytes:
    if encoding is None:
        return _utf8(text, index)
    if encoding != "base64":
        raise BadMessage(f'Message {index} has an encoding that is not known: it may be "base64".')
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise BadMessage(f"Message {index} is not base64.") from None


def _id(id: Any, index: int) -> str | None:
    if id is None:
        return None
    if not isinstance(id, str) or not 1 <= len(_utf8(id, index)) <= MOST_ID_BYTES:
        raise BadMessage(f"Message {index} has an id that is not a string of 1 to {MOST_ID_BYTES} bytes.")
    return id


def _attributes(attributes: Any, index: int) -> Mapping[str, str]:
    if attributes is None:
        return _NOTHING
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise BadMessage(f"Message {index} has attributes that are not an object of strings.")
    return attributes


def _content_type(content_type: Any, index: int) -> str:
    if content_type is None:
        return ""
    # It goes into headers of others later on.
    if not isinstance(content_type, str) or not re.fullmatch(
        r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", content_type
    ):
        raise BadMessage(f"Message {index} has a content_type that is not visible ASCII characters.")
    return content_type


def _utf8(text: str, index: int) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadMessage(f"Message {index} has half of a surrogate pair in it, which is not text.") from None


def _require_size(payload: bytes, index: int, most_bytes: int) -> None:
    if len(payload) > most_bytes:
        raise MessageTooLarge(
            f"Message {index} has {len(payload)} bytes; one may have {most_bytes} (RELAY_MESSAGE_MAX_BYTES).",
            index,
        )


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadBody("The body is not UTF-8.") from None


def _decoded(text: str) -> Any:
    try:
        return _whole(text)
    except RecursionError:
        raise BadBody("The body is nested too deeply.") from None
    except NameTwice as exc:
        raise BadBody(f"The body has {exc}.") from None
    except ValueError as exc:
        raise BadBody(f"The body is not JSON: {exc}.") from None


def _line(line: bytes, index: int) -> Any:
    try:
        return _whole(line.decode())
    except UnicodeDecodeError:
        raise BadMessage(f"Message {index} is not UTF-8.", index) from None
    except RecursionError:
        raise BadMessage(f"Message {index} is nested too deeply.", index) from None
    except NameTwice as exc:
        raise BadMessage(f"Message {index} has {exc}.", index) from None
    except ValueError as exc:
        raise BadMessage(f"Message {index} is not JSON: {exc}.", index) from None


def _whole(text: str) -> Any:
    """What all of this text is. Raises ValueError and RecursionError, as `_element`."""
    item, end = _element(text, _after_space(text, 0))
    if (end := _after_space(text, end)) < len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return item


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _element(text: str, at: int) -> tuple[Any, int]:
    """What begins here, and where it ends. It is decoded as far as it may be a message."""
    most = at + _STRANGE_CHARACTERS
    if len(text) <= most or _SHAPE.match(text, at) is not None:
        return decoder.raw_decode(text, at)
    try:
        item, end = decoder.raw_decode(text[at:most])
    except json.JSONDecodeError as exc:
        why = f"{exc.msg}, or more than a message has in it"
        raise json.JSONDecodeError(why, text, at + exc.pos) from None
    return item, at + end


def _listed(text: str, at: int) -> Iterator[Any]:
    """The elements of the list that begins here, up to the end of the body."""
    if text.startswith("]", at):
        _require_end(text, at)
        return
    for index in itertools.count():
        try:
            item, at = _element(text, at)
        except RecursionError:
            raise BadBody("The body is nested too deeply.") from None
        except NameTwice as exc:
            raise BadMessage(f"Message {index} has {exc}.", index) from None
        except ValueError as exc:
            raise BadBody(f"The body is not JSON: {exc}.") from None
        yield item
        if (separator := _NEXT.match(text, at)) is None:
            _require_end(text, at)
            return
        at = separator.end()


def _require_end(text: str, at: int) -> None:
    if _LIST_ENDS.match(text, at) is None:
        raise BadBody(
            f'The body is not {{"messages": [...]}} without anything else: see character {at} of it.'
        )
