"""What a user sees: a channel is started, and what is published on it stays."""

import base64
import subprocess
import sys
import time
from collections.abc import Callable

from tests.acceptance.stack import ROOT, Stack
from tests.ending import end

Wait = Callable[..., None]


def test_a_published_message_is_in_the_api(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("arrives")
    assert stack.redis.publish("arrives", "hello") >= 1
    wait_until(lambda: stack.texts("arrives") == ["hello"])
    [message] = stack.messages("arrives")
    assert stack.http.get(f"/api/v1/messages/{message['id']}").json()["message"] == "hello"
    wait_until(lambda: stack.http.get("/api/v1/channels/arrives").json()["messages_stored"] == 1)
    channel = stack.http.get("/api/v1/channels/arrives").json()
    assert channel["listener"]["epoch"] == stack.lease("listener")[0]


def test_two_hundred_publishes_of_a_hundred_texts_store_a_hundred(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("distinct")
    for number in range(200):
        stack.redis.publish("distinct", f"text {number % 100}")
    stack.redis.publish("distinct", "the end")
    wait_until(lambda: "the end" in stack.texts("distinct"))
    assert stack.texts("distinct") == [f"text {n}" for n in range(100)] + ["the end"]


def test_each_policy_stores_what_it_says(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("by-field", deduplicate={"field": "id"})
    stack.listen_to("by-every", deduplicate="every")
    for text in ('{"id": 1, "v": 1}', '{"id": 1, "v": 2}', '{"id": 2, "v": 3}'):
        stack.redis.publish("by-field", text)
    for _ in range(50):
        stack.redis.publish("by-every", "same")
    wait_until(lambda: len(stack.texts("by-every")) == 50)
    assert stack.texts("by-field") == ['{"id": 1, "v": 1}', '{"id": 2, "v": 3}']


def test_any_bytes_come_back_as_they_were(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("bytes")
    payloads = [b"", b"\x00", b"a\x00b", b"\xff\xfe", "näïve ☃".encode(), b"x" * (1 << 20), b"\xed\xa0\x80"]
    for payload in payloads:
        stack.redis.publish("bytes", payload)
    wait_until(lambda: len(stack.messages("bytes")) == len(payloads))
    back = [
        base64.b64decode(m["message"]) if m["encoding"] == "base64" else m["message"].encode()
        for m in stack.messages("bytes")
    ]
    assert back == payloads


def test_a_channel_is_heard_within_300_ms_and_gone_within_a_second(stack: Stack, wait_until: Wait) -> None:
    times = []
    for attempt in range(5):
        began = time.monotonic()
        stack.listen_to(f"quick-{attempt}")
        times.append(time.monotonic() - began)
        assert stack.http.delete(f"/api/v1/stop-listening/quick-{attempt}").status_code == 204
        wait_until(lambda n=attempt: stack.redis.pubsub_numsub(f"quick-{n}")[0][1] == 0, seconds=1)
    assert sorted(times)[2] < 0.3, times


def test_poison_goes_aside_and_the_rest_flows(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("mixed")
    writer = stack.lease("writer")
    stream = "orchestrator_channel:{0}"
    for number in range(50):
        stack.redis.publish("mixed", f"good {number}")
        if number % 10 == 0:
            stack.redis.publish("mixed", b"x" * ((1 << 20) + 1))
            stack.redis.xadd(stream, {"nonsense": "1"})
            stack.redis.xadd(stream, {"messages": "1", "bson": b"\x05\x00\x00\x00\x00"})
    wait_until(lambda: len(stack.texts("mixed")) == 50)
    assert stack.texts("mixed") == [f"good {number}" for number in range(50)]
    count = "from messages_app.models import Quarantined; print('n', Quarantined.objects.count())"
    assert "n 15" in manage(stack, "shell", "-c", count)
    assert stack.lease("writer") == writer, "the writer was restarted"


def test_celery_shows_what_runs(stack: Stack) -> None:
    said = run(stack, "-m", "celery", "-A", "relayproject", "inspect", "active")
    assert "channels_app.tasks.listen" in said
    assert "messages_app.tasks.write" in said


def test_a_second_beat_and_a_task_sent_twice_change_nothing(stack: Stack) -> None:
    stack.listen_to("calm")
    before = stack.lease("listener"), stack.lease("writer")
    beat = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "relayproject", "beat", "--pidfile=", "-l", "WARNING"],
        cwd=ROOT,
        env=environment(stack),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        code = "from channels_app.tasks import listen; [listen.delay(0) for _ in range(5)]"
        manage(stack, "shell", "-c", code)
        time.sleep(11)  # Two of beat's turns.
        assert beat.poll() is None
    finally:
        end(beat, seconds=20)
    assert (stack.lease("listener"), stack.lease("writer")) == before
    assert stack.redis.pubsub_numsub("calm") == [(b"calm", 2)], "the leader and a standby"


def environment(stack: Stack) -> dict[str, str]:
    return {**stack.environment, "DJANGO_SETTINGS_MODULE": "relayproject.settings"}


def run(stack: Stack, *arguments: str) -> str:
    """Beside a running stack, without naming its servers: they are found through stack.json."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(stack),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def manage(stack: Stack, *arguments: str) -> str:
    return run(stack, "manage.py", *arguments)
