"""A program that consumes, to be killed: no test imports it, and it needs nothing but Python.

It says "held" when it has been given messages and nobody knows yet what it did with them, and waits a moment.
A careful one works, says so to the server, and fetches on; a careless one says so before it works.
"""

import json
import sys
import time
import urllib.request


def post(url: str, key: str, data: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(data).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=40) as answer:
        found: dict[str, object] = json.loads(answer.read())
        return found


def main(url: str, key: str, mode: str, manner: str, record: str) -> None:
    """`url`: of the subscription. `record`: a file with a line for each message that was worked on."""
    with open(record, "a") as file:  # noqa: PTH123 -- it imports little, so that it starts soon
        while True:
            page: dict[str, object] = post(f"{url}/fetch", key, {"max": 20, "wait_seconds": 5})
            received = time.time() * 1000
            messages: list[dict[str, dict[str, object]]] = page["messages"]  # type: ignore[assignment]
            if not messages:
                continue

            def work(messages: object = messages, received: float = received) -> None:
                for message in messages:  # type: ignore[attr-defined]
                    file.write(json.dumps({**message, "received": received}) + "\n")
                file.flush()

            def settle(page: object = page, messages: object = messages) -> None:
                if mode == "cursor":
                    post(f"{url}/commit", key, {name: page[name] for name in ("position", "generation")})  # type: ignore[index]
                else:
                    post(f"{url}/ack", key, {"tokens": [one["delivery"]["token"] for one in messages]})  # type: ignore[attr-defined]

            first, then = (work, settle) if manner == "careful" else (settle, work)
            first()
            print("held", flush=True)
            time.sleep(0.05)
            then()


if __name__ == "__main__":
    main(*sys.argv[1:])
