"""Policies that begin at a tick."""

from hypothesis import given
from hypothesis import strategies as st

from relaycore.capturing import policies as module
from relaycore.capturing.policies import Policies, read, written
from relaycore.policy import CONTENT, EVERY, Policy

FIELD = Policy("field", "id")
ORDERS = b"orders"
some_policies = st.sampled_from([CONTENT, EVERY, FIELD])
some_channels = st.sampled_from([b"a", b"b", b"c"])


def test_content_holds_for_what_was_never_announced_and_needs_no_announcement() -> None:
    policies = Policies()
    policies.want(ORDERS, CONTENT)
    assert policies.in_force(ORDERS) == CONTENT
    assert policies.is_settled
    assert not policies.waits(ORDERS)


def test_what_the_table_wants_is_not_in_force_before_a_tick_has_announced_it() -> None:
    policies = Policies()
    policies.want(ORDERS, EVERY)
    assert policies.in_force(ORDERS) == CONTENT
    assert policies.is_pending(ORDERS)
    assert policies.to_announce() == ((ORDERS, EVERY),)
    assert policies.in_force(ORDERS) == CONTENT, "announcing is not hearing"
    policies.follow(((ORDERS, EVERY),))
    assert policies.in_force(ORDERS) == EVERY
    assert policies.is_settled


def test_a_new_channel_is_not_to_be_heard_under_content_if_it_is_to_have_another_policy() -> None:
    policies = Policies()
    policies.want(ORDERS, EVERY)
    assert policies.waits(ORDERS)
    policies.follow(((ORDERS, EVERY),))
    assert not policies.waits(ORDERS)


def test_a_channel_that_changes_from_one_announced_policy_to_another_goes_on_being_heard() -> None:
    policies = Policies()
    policies.restart({ORDERS: EVERY})
    policies.want(ORDERS, FIELD)
    assert policies.is_pending(ORDERS)
    assert not policies.waits(ORDERS)


def test_a_change_back_to_content_is_announced_and_then_stands_nowhere() -> None:
    policies = Policies()
    policies.restart({ORDERS: EVERY})
    policies.want(ORDERS, CONTENT)
    assert policies.to_announce() == ((ORDERS, CONTENT),)
    policies.follow(((ORDERS, CONTENT),))
    assert policies.all_in_force == {}


def test_of_a_channel_that_the_table_has_no_more_nothing_is_left_in_force() -> None:
    """Else who starts it anew would begin with a policy that nobody has asked for."""
    policies = Policies()
    policies.restart({ORDERS: EVERY})
    assert policies.to_announce() == ((ORDERS, CONTENT),)
    policies.want(ORDERS, EVERY)
    assert policies.is_settled
    policies.forget(ORDERS)
    assert policies.to_announce() == ((ORDERS, CONTENT),)


def test_a_wish_that_is_taken_back_before_it_was_announced_is_announced_no_more() -> None:
    policies = Policies()
    policies.want(ORDERS, EVERY)
    policies.want(ORDERS, CONTENT)
    assert policies.to_announce() == ()


def test_one_tick_announces_so_many_and_the_next_one_the_rest() -> None:
    policies = Policies()
    for number in range(module._AT_ONCE + 1):
        policies.want(b"%d" % number, EVERY)
    first = policies.to_announce()
    assert len(first) == module._AT_ONCE
    policies.follow(first)
    assert policies.to_announce() == ((b"%d" % module._AT_ONCE, EVERY),)


def test_on_a_new_connection_only_what_stands_beside_the_stream_is_in_force() -> None:
    policies = Policies()
    policies.want(ORDERS, EVERY)
    policies.follow(((ORDERS, EVERY), (b"bills", FIELD)))
    policies.restart({})
    assert policies.in_force(ORDERS) == policies.in_force(b"bills") == CONTENT
    assert policies.to_announce() == ((ORDERS, EVERY),)


def test_what_redis_has_forgotten_is_announced_again() -> None:
    policies = Policies()
    policies.restart({ORDERS: EVERY})
    policies.want(ORDERS, EVERY)
    policies.want(b"bills", CONTENT)
    policies.announce_again()
    assert policies.to_announce() == ((ORDERS, EVERY),)
    assert not policies.waits(ORDERS), "it goes on being heard"
    policies.follow(((ORDERS, EVERY),))
    assert policies.is_settled


@given(
    st.dictionaries(some_channels, some_policies),
    st.dictionaries(some_channels, some_policies),
    st.lists(st.tuples(some_channels, some_policies)),
)
def test_whatever_was_in_force_what_is_announced_leads_to_what_the_table_says(
    table: dict[bytes, Policy], standing: dict[bytes, Policy], others: list[tuple[bytes, Policy]]
) -> None:
    policies = Policies()
    policies.restart({channel: policy for channel, policy in standing.items() if policy != CONTENT})
    for channel, policy in table.items():
        policies.want(channel, policy)
    policies.follow(tuple(others))
    policies.follow(policies.to_announce())
    assert policies.is_settled
    assert dict(policies.all_in_force) == {
        channel: policy for channel, policy in table.items() if policy != CONTENT
    }


# --- beside the stream -------------------------------------------------------------------


def test_what_is_written_beside_the_stream_is_read_again_and_content_stands_nowhere() -> None:
    assert [written(policy) for policy in (CONTENT, EVERY, FIELD)] == ["", '"every"', '{"field": "id"}']
    assert read([(ORDERS, written(EVERY).encode()), (b"bills", written(FIELD).encode())]) == {
        ORDERS: EVERY,
        b"bills": FIELD,
    }


def test_what_is_no_policy_nobody_has_announced() -> None:
    nonsense = [b"", b"every", b'"none"', b"[]", b'{"field": 1}', b"\xff", b"{"]
    assert read((b"%d" % number, text) for number, text in enumerate(nonsense)) == {}
