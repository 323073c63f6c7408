"""Hot endpoints: what programs call once per message, answered before Django is asked.

Why
    Django and REST framework take 3 to 5 ms of CPU for a request, most of it for what surrounds the
    work: a dozen middlewares and hops between threads, and PostgreSQL, which is asked for the token each
    time. An address that is called once per message has an async function here instead. `make bench`
    (section h) measures what that saves.

An endpoint
    `Endpoint`: the name of a Django route, a pattern for the addresses that are hot, a right, and an async
    function for each method. The function takes a `Request`, and by name what the pattern has named. It
    returns what becomes JSON, or an `Answer`, and raises what a view of REST framework may raise. Its module
    belongs to the app whose work it does (`messages_app.api.hot`); the roof lists it
    (`relayproject.hot`), and that is all.

The same answers as Django's
    Each endpoint has a Django view for the same addresses. It serves people, describes the
    endpoint to OpenAPI, and answers what is not plain. A request is plain if

    * its method has a function here, and its address matches the whole pattern;
    * it has one `Authorization`, of the form `Bearer KEY` (or `Token KEY`), no cookie, and no header twice;
    * what it accepts is JSON, by REST framework's own choice, and it has no `?format=`;
    * its host is allowed, and it came by HTTPS where that is demanded;
    * it has a body only where the method takes one.

    Everything else is handed to Django untouched: sessions, Basic, HTML, OPTIONS, 405, 406, redirects,
    strange hosts, strange addresses. So only the plain cases have to be answered alike, and for each of them
    tests/integration/api/test_hot_side_by_side.py asks both: the status, every header, the body.
    What Django's middlewares add to an answer is not written down again here. They are asked once, at the
    beginning, what they add to an empty one (`relayproject.hot`).

Names
    A name in an address is one part of it: its slashes are sent as `%2F` (`plain.QUOTED_SLASH`).

The order of things
    As in a view: who asks (401), whether he may (403), how often (429), then the function. Errors become
    answers where Django's do (`problems`).

Who asks, and whether he may
    An `Authority` says it, from memory (`access_app.remembering`). It is not imported here: this package
    knows no app. A key that is not remembered is looked up once, whoever asks for it meanwhile.
    A token's expiry, a revoked token and a changed user count within a second. While PostgreSQL is away
    what is remembered holds for 30 s; then, and for keys that are not remembered, the answer is 503.
    Where the address has the name of a channel in it, the right is asked for that one (`Endpoint.channel`),
    before anybody looks whether there is such a channel: 403 says nothing of that.

Limits
    `RELAY_WEB_HOT_REQUESTS_PER_MINUTE` of each token, counted in Redis apart from other requests: 0, the
    default, asks nobody and adds no header. A body may have `Endpoint.most_bytes`; more is 413 before it is
    taken in.

Sharing
    Where a function asks MongoDB or Redis, it asks for all who ask at the same time (`relaybase.gathering`):
    one question is under way, and what arrives meanwhile goes into the next. Most of what is left of a
    request's CPU is the driver's.

Failures
    Where a function raises what nobody expected the answer is 500, and the traceback stands in the log.
    A client that goes away while the function runs is not noticed: the function runs to its end.
    A client that does not read its answer is cut off (`relaybase.http.connections`). A large answer is sent
    in pieces, each once the one before has gone out: so the server holds little of one whose end was sent,
    and what the function has taken up for it (`Answer.over`) is given back then.
    What a function waits for must have a limit of its own, as the clients of `connections` have.

What is deliberately not here
    Sessions, cookies and CSRF, HTML, the audit log (`access_app.actor` knows Django's requests only), and
    Django's ORM, which is not async: a function may not touch PostgreSQL.
"""

from relaybase.http.hot.answers import Encoded
from relaybase.http.hot.application import HotEndpoints
from relaybase.http.hot.endpoint import Answer, Authority, Endpoint, Holder, Trace
from relaybase.http.hot.request import Request

__all__ = ["Answer", "Authority", "Encoded", "Endpoint", "Holder", "HotEndpoints", "Request", "Trace"]
