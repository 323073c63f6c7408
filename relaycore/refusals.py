"""What Redis means when it refuses: the wrong server, no room, no right, or something else.

What is to be done differs. A server that is not the one that takes writes will not become it while one
waits: connect anew, and the address is looked up again. One that is full takes what is kept for it once
it has room. One that denies a right denies it until somebody changes the user.

A refusal begins with a code: `READONLY You can't write against a read only replica.` Where a script
has met it, Redis 6.2 puts a preface before the code, and up to 7.0 a denied right has none; later
versions put the place in the script behind it. A driver may have taken the leading `ERR` away. The
forms in `tests/unit/relaycore/test_refusals.py` came from Redis 6.2.14, 7.0.15, 8.2.3 and Valkey 9.1.2.
"""

import re
from enum import Enum, auto
from typing import Final


class Refusal(Enum):
    """What an error that Redis answers means for whoever asked.

    WRONG_SERVER: it is not the server that takes writes, or not yet. Connect anew
    FULL:         it takes no writes for now. Keep them, and try again
    RIGHTS:       this user may not do that; `missing_right` says what
    OTHER:        none of these
    """

    WRONG_SERVER = auto()
    FULL = auto()
    RIGHTS = auto()
    OTHER = auto()


_CODES: Final = {
    # A replica; what had blocked on it while it was the primary; one that sends clients on (Valkey 8).
    **dict.fromkeys(("READONLY", "MASTERDOWN", "UNBLOCKED", "REDIRECT"), Refusal.WRONG_SERVER),
    # It has just started, or fetches everything from its primary.
    "LOADING": Refusal.WRONG_SERVER,
    # A node of a cluster.
    **dict.fromkeys(("MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "CLUSTERDOWN"), Refusal.WRONG_SERVER),
    **dict.fromkeys(("OOM", "MISCONF", "NOREPLICAS"), Refusal.FULL),
    **dict.fromkeys(("NOPERM", "NOAUTH", "WRONGPASS"), Refusal.RIGHTS),
}
_PREFACE: Final = re.compile(
    r"(?:ERR )?(?:Error running script \(call to \w+\): )?(?:@\w+: ?\d+: )*"
    r"(?:EXECABORT Transaction discarded because of: )?-?"
)
_CODE: Final = re.compile(r"[A-Z]+(?= |$)")
_SENTENCES: Final = (
    (re.compile(r"ACL failure in script: "), Refusal.RIGHTS),
    (re.compile(r"The user executing the script (?:can't|is lacking) "), Refusal.RIGHTS),
    (
        re.compile(r"(?:Lua script|Script) attempted to access a (?:non local key in a cl|slot not s)"),
        Refusal.WRONG_SERVER,
    ),
    (re.compile(r"Attempted to access a non local key in a cluster"), Refusal.WRONG_SERVER),
)
_RIGHTS: Final = (
    (re.compile(r"permissions to run the ('[^']+' command)"), "the {}"),
    (re.compile(r"permissions to access the ('.*' (?:key|channel))"), "the {}"),
    (re.compile(r"permissions to access (?:a|one of the) (key|channel)"), "a {}"),
    (re.compile(r"script can't run this (command)"), "a {} in a script"),
    (re.compile(r"script can't access at least one of the (key)s"), "a {} in a script"),
    (re.compile(r"script can't publish to the (channel)"), "a {} in a script"),
)


def classify(error: str) -> Refusal:
    """What an error means. `error` is its text as Redis sent it, with its code."""
    preface = _PREFACE.match(error)
    text = error[preface.end() :] if preface else error
    code = _CODE.match(text)
    if code and code[0] in _CODES:
        return _CODES[code[0]]
    return next((meaning for sentence, meaning in _SENTENCES if sentence.match(text)), Refusal.OTHER)


def missing_right(error: str) -> str | None:
    """What the user lacks, for example "the 'eval' command" or "a channel"; None where Redis does not say."""
    if classify(error) is not Refusal.RIGHTS:
        return None
    found = ((words, pattern.search(error)) for pattern, words in _RIGHTS)
    return next((words.format(match[1]) for words, match in found if match), None)
