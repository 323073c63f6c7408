"""What holds for single messages holds at tens of thousands a second, and while the writer is killed."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing

from benchmarks import trial
from benchmarks.load import Shape, make_load
from benchmarks.relay import Relay
from tests.acceptance.stack import Stack

RATE = 25_000.0
MESSAGES = 100_000
REPLACED_SECONDS = 20.0


def test_a_writer_killed_at_full_rate_loses_nothing_and_the_books_balance(
    stack: Stack, wait_until: Callable[..., None]
) -> None:
    shape = Shape("full-rate-")
    with closing(Relay(stack)) as relay, relay.listening(shape):
        assert trial.run(relay, make_load(shape, 10, RATE), patience_seconds=REPLACED_SECONDS).lost == 0
        epoch, writer, _ = stack.lease("writer")
        killer = threading.Timer(2.0, os.kill, (writer, signal.SIGKILL))
        killer.start()
        result = trial.run(relay, make_load(shape, MESSAGES, RATE), patience_seconds=REPLACED_SECONDS)
        killer.join()

        assert result.lost == 0
        assert stack.lease("writer")[0] > epoch, "the writer was not killed"
        wait_until(lambda: counted(stack, shape) == MESSAGES + 10, what="every message counted once")
        quarantine = relay.collection.database["quarantine"]
        assert quarantine.count_documents({"channel": {"$in": shape.names}}) == 0

        # The API stops at the watermark: it shows all of it, in order, once the last one is stored.
        shown = [message["position"] for message in stack.messages(shape.names[0])]
        assert len(shown) == (MESSAGES + 10) // shape.channels
        assert shown == sorted(set(shown))


def counted(stack: Stack, shape: Shape) -> int:
    answers = [stack.http.get(f"/api/v1/channels/{name}").json() for name in shape.names]
    return sum(answer["messages_stored"] for answer in answers)
