import pytest

from relaycore.refusals import Refusal, classify, missing_right

FULL, OTHER, RIGHTS, WRONG_SERVER = Refusal.FULL, Refusal.OTHER, Refusal.RIGHTS, Refusal.WRONG_SERVER

BEFORE_6 = "ERR Error running script (call to f_db8d8f6383e1): @user_script:1: @user_script: 1: "
"""What Redis 6.2 puts before the error of a command in a script; after `pcall` only its last part."""
BEHIND_7 = " script: db8d8f6383e1a67ce23db65efd679a334c123806, on @user_script:1."
BEHIND_VALKEY = " script: on @user_script:1."

READONLY = "READONLY You can't write against a read only replica."
MASTERDOWN = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
OOM = "OOM command not allowed when used memory > 'maxmemory'."
NOREPLICAS = "NOREPLICAS Not enough good replicas to write."
MISCONF = "MISCONF Errors writing to the AOF file: No space left on device"


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (READONLY, WRONG_SERVER),
        (MASTERDOWN, WRONG_SERVER),
        (OOM, FULL),
        (NOREPLICAS, FULL),
        (MISCONF, FULL),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        f"{BEFORE_6}-{{}}",
        f"{BEFORE_6.removeprefix('ERR ')}-{{}}",
        "@user_script: 1: -{}",
        f"{{}}{BEHIND_7}",
        f"{{}}{BEHIND_VALKEY}",
        "EXECABORT Transaction discarded because of: {}",
    ],
)
def test_a_code_means_the_same_in_every_form(form: str, code: str, meaning: Refusal) -> None:
    assert classify(form.format(code)) is meaning


@pytest.mark.parametrize(
    "error",
    [
        "LOADING Redis is loading the dataset in memory",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "REDIRECT 127.0.0.1:6380",
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CROSSSLOT Keys in request don't hash to the same slot",
        "CLUSTERDOWN Hash slot not served",
        "CLUSTERDOWN The cluster is down",
        f"{BEFORE_6}Lua script attempted to access a non local key in a cluster node",
        f"ERR Script attempted to access a non local key in a cluster node{BEHIND_7}",
        f"ERR Script attempted to access a slot not served{BEHIND_7}",
        f"ERR Attempted to access a non local key in a cluster node{BEHIND_VALKEY}",
    ],
)
def test_what_only_another_server_can_answer_is_the_wrong_server(error: str) -> None:
    assert classify(error) is WRONG_SERVER


CANNOT = "The user executing the script can't "


@pytest.mark.parametrize(
    ("error", "right"),
    [
        ("NOPERM this user has no permissions to run the 'set' command", "the 'set' command"),
        (
            "NOPERM this user has no permissions to run the 'eval' command or its subcommand",
            "the 'eval' command",
        ),
        ("NOPERM User u has no permissions to run the 'client|id' command", "the 'client|id' command"),
        ("NOPERM this user has no permissions to access one of the keys used as arguments", "a key"),
        ("NOPERM this user has no permissions to access one of the channels used as arguments", "a channel"),
        ("NOPERM No permissions to access a key", "a key"),
        ("NOPERM No permissions to access a channel", "a channel"),
        ("NOPERM User u has no permissions to access the 'a's' key", "the 'a's' key"),
        (
            f"ERR ACL failure in script: User u has no permissions to run the 'set' command{BEHIND_7}",
            "the 'set' command",
        ),
        (
            "ERR ACL failure in script: User u has no permissions to run the 'set' command",
            "the 'set' command",
        ),
        (f"ERR ACL failure in script: No permissions to access a key{BEHIND_VALKEY}", "a key"),
        (f"ACL failure in script: No permissions to access a channel{BEHIND_VALKEY}", "a channel"),
        (f"{BEFORE_6}{CANNOT}run this command or subcommand", "a command in a script"),
        (f"@user_script: 1: {CANNOT}run this command or subcommand", "a command in a script"),
        (f"ERR {CANNOT}run this command or subcommand{BEHIND_7}", "a command in a script"),
        (
            f"ERR {CANNOT}access at least one of the keys mentioned in the command arguments{BEHIND_7}",
            "a key in a script",
        ),
        (
            f"{BEFORE_6}{CANNOT}publish to the channel mentioned in the command",
            "a channel in a script",
        ),
        ("ERR The user executing the script is lacking the permissions for the command", None),
        ("NOAUTH Authentication required.", None),
        ("WRONGPASS invalid username-password pair or user is disabled.", None),
    ],
)
def test_a_denied_right_is_named_where_redis_names_it(error: str, right: str | None) -> None:
    assert classify(error) is RIGHTS
    assert missing_right(error) == right


@pytest.mark.parametrize(
    "error",
    [
        "",
        "ERR",
        "ERR unknown command 'READONLY', with args beginning with: ",
        "ERR Error running script (call to f_1): @user_script:1: user_script:1: READONLY",
        "ERR value is not an integer or out of range",
        "READONLYISH what is this",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "UNKILLABLE Sorry the script already executed write commands against the dataset.",
        "NOGROUP No such key 'orchestrator_channel' or consumer group 'writers'",
        "WRONGTYPE Operation against a key holding the wrong kind of value NOPERM",
        "EXECABORT Transaction discarded because of previous errors.",
    ],
)
def test_everything_else_is_something_else(error: str) -> None:
    assert classify(error) is OTHER
    assert missing_right(error) is None
