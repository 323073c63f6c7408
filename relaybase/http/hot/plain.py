"""Which requests are plain enough to be answered without Django.

When in doubt a request is not: Django's answer is always right.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, cast
from urllib.parse import unquote

from django.conf import settings
from django.http import QueryDict
from django.http.request import split_domain_port, validate_host
from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request as RestRequest
from rest_framework.settings import api_settings
from rest_framework.views import APIView

Headers = Mapping[bytes, bytes]

QUOTED_SLASH: Final = "\0"

_PATH: Final = "relay.path"

_MOST_PARAMETERS: Final = 100
"""Django refuses a thousand."""

_MOST_BYTES: Final = 1024
"""Of the headers that are remembered as plain or not."""

_NO_PARAMETERS: Final = QueryDict("")


@dataclass(frozen=True, slots=True)
class Way:
    """How a request has come.

    is_plain: its host is allowed, it came by HTTPS if it must, and it wants JSON
    is_https: it came by HTTPS
    """

    is_plain: bool
    is_https: bool


_STRANGE: Final = Way(is_plain=False, is_https=False)


def path_of(scope: Mapping[str, Any]) -> str:
    """The path below the root, as Django takes it, but for slashes that were sent as `%2F`: `QUOTED_SLASH`.

    So a name that has slashes is one part of it. Empty if it cannot be one of ours.
    """
    known: str | None = scope.get(_PATH)
    if known is None:
        known = _path_of(scope)
        if isinstance(scope, dict):
            scope[_PATH] = known  # Each application on the way to the one that answers asks for it.
    return known


def _path_of(scope: Mapping[str, Any]) -> str:
    path: str = scope["path"]
    if QUOTED_SLASH in path:
        return ""
    sent: bytes = scope.get("raw_path") or b""
    if b"%2" in sent and b"%2f" in sent.lower():
        path = "/".join(
            unquote(part).replace("/", QUOTED_SLASH) for part in sent.decode("latin-1").split("/")
        )
    root = settings.FORCE_SCRIPT_NAME or scope.get("root_path")
    return path.removeprefix(root) if root else path


def headers_of(scope: Mapping[str, Any]) -> Headers | None:
    """The headers by name; None if one is there twice, which Django joins."""
    sent: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(sent)
    return headers if len(headers) == len(sent) else None


def key_of(headers: Headers) -> str | None:
    """The key of a token; None if there is none, or anything else than one."""
    words = headers.get(b"authorization", b"").split()
    if len(words) == 2 and words[0].lower() in {b"bearer", b"token"} and words[1].isascii():
        return words[1].decode()
    return None


def parameters_of(query: bytes) -> QueryDict | None:
    """What comes after the question mark; None if it chooses a renderer, or may be more than Django takes."""
    if not query:
        return _NO_PARAMETERS
    if not query.isascii() or query.count(b"&") >= _MOST_PARAMETERS:
        return None
    found = QueryDict(query.decode())
    return None if api_settings.URL_FORMAT_OVERRIDE in found else found


def way_of(scope: Mapping[str, Any], headers: Headers) -> Way:
    """How a request has come."""
    host, accept = headers.get(b"host", b""), headers.get(b"accept", b"*/*")
    proto = headers.get(_proto_header())
    if len(host) + len(accept) + len(proto or b"") > _MOST_BYTES:
        return _STRANGE
    return _way(scope["scheme"], host, accept, proto)


def _proxy() -> tuple[str, str]:
    return settings.SECURE_PROXY_SSL_HEADER or ("", "")


@functools.lru_cache(maxsize=1)
def _proto_header() -> bytes:
    """The header in which a proxy says that it was asked by HTTPS; empty where there is no such proxy."""
    return _proxy()[0].removeprefix("HTTP_").replace("_", "-").lower().encode()


@functools.lru_cache(maxsize=256)
def _way(scheme: str, host: bytes, accept: bytes, proto: bytes | None) -> Way:
    is_https = scheme == "https"
    if proto is not None:
        # As `HttpRequest.scheme` has it.
        is_https = proto.decode("latin-1").split(",", 1)[0].strip() == _proxy()[1]
    is_plain = (
        _is_allowed(host.decode("latin-1"))
        and (is_https or not settings.SECURE_SSL_REDIRECT)
        and not settings.USE_X_FORWARDED_HOST
        and _wants_json(accept.decode("latin-1"))
    )
    return Way(is_plain, is_https)


def _is_allowed(host: str) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _wants_json(accept: str) -> bool:
    """Whether REST framework would answer with plain JSON, as it does for `*/*`."""
    request = cast(RestRequest, SimpleNamespace(query_params={}, headers={"accept": accept}))
    renderers = [renderer() for renderer in APIView.renderer_classes]
    try:
        chosen, media_type = APIView.content_negotiation_class().select_renderer(request, renderers)
    except NotAcceptable:
        return False
    return isinstance(chosen, JSONRenderer) and media_type == JSONRenderer.media_type
