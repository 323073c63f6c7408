"""`messages tail`: what is published is in the terminal as soon as it is stored."""

import statistics
import time

from tests.acceptance.stack import Stack
from tests.acceptance.tail import Tail


def test_what_is_published_is_printed_at_once(stack: Stack) -> None:
    stack.listen_to("tailed")
    with Tail(stack, "tailed") as tail:
        tail.wait_for(lambda text: stack.redis.publish("tailed", text))
        milliseconds = []
        for number in range(30):
            time.sleep(0.1)
            began = time.perf_counter()
            stack.redis.publish("tailed", f"message {number}")
            while not tail.shows(f"message {number}"):
                assert time.perf_counter() - began < 10
                time.sleep(0.0005)
            milliseconds.append((time.perf_counter() - began) * 1000)
        print(f"p50 {statistics.median(milliseconds):.1f} ms, worst {max(milliseconds):.1f} ms")
        # 15 ms on a quiet machine (`make bench`). Without being told it looks once a second.
        assert statistics.median(milliseconds) < 150
        assert tail.stop() == 0
