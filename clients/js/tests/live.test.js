import assert from "node:assert/strict";
import { test } from "node:test";

import { EventSource } from "eventsource";

import { bytesOf, live, LiveError } from "../src/index.js";
import { PlayedRelay, STORY } from "./relay.js";

const ALL = STORY.map(([kind, data]) => (kind === "message" ? data.id : kind));
const QUICK = { first: 5, most: 20 };

/** Watch until everything has come, it is over, or nothing has for so long. */
function watch(url, options = {}, seconds = 10) {
  const seen = [];
  const states = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`only ${seen.length} came: ${seen}`)), seconds * 1000);
    const end = (error) => {
      clearTimeout(timer);
      watching.close();
      resolve({ seen, states, error, id: watching.id });
    };
    const see = (what) => (seen.push(what), what === (options.until ?? "caught-up") && end());
    const watching = live(url, {
      channels: "orders",
      EventSource,
      pauseMs: QUICK,
      onMessage: (message) => see(message.id),
      onGap: () => see("gap"),
      onReset: () => see("stream-reset"),
      onCaughtUp: () => see("caught-up"),
      onState: (state) => states.push(state),
      onError: end,
      ...options,
    });
    options.started?.(watching);
  });
}

async function relaying(breaks, use) {
  const relay = await new PlayedRelay(breaks).start();
  try {
    return await use(relay);
  } finally {
    await relay.stop();
  }
}

/** The same chance each time, from a seed (mulberry32). */
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function breaksOf(seed) {
  const random = chance(seed);
  const statuses = [500, 502, 503, 429, 408];
  return Array.from({ length: 10 }, () =>
    random() < 0.3
      ? { status: statuses[Math.floor(random() * statuses.length)] }
      : { bytes: Math.floor(random() * 1500), isClean: random() < 0.5 },
  );
}

for (let seed = 1; seed <= 20; seed += 1) {
  test(`over any break everything comes once and in order (seed ${seed})`, async () => {
    const { seen } = await relaying(breaksOf(seed), (relay) => watch(relay.url));
    assert.deepEqual(seen, ALL);
  });
}

test("control: an EventSource alone is at its end after one 503", async () => {
  await relaying([{ bytes: 900 }, { status: 503 }], async (relay) => {
    const source = new EventSource(`${relay.url}/api/v1/live?channel=orders`);
    await new Promise((resolve) => {
      source.addEventListener("error", () => source.readyState === EventSource.CLOSED && resolve());
    });
    assert.equal(relay.requests.length, 2);
  });
});

test("control: opened anew without the last id, everything comes twice", async () => {
  class Forgetful extends EventSource {
    constructor(url, init) {
      const bare = new URL(url);
      bare.searchParams.delete("last_event_id");
      super(bare, init);
    }
  }
  const breaks = [{ bytes: 900 }, { status: 503 }];
  const { seen } = await relaying(breaks, (relay) => watch(relay.url, { EventSource: Forgetful }));
  assert.equal(seen.filter((each) => each === "id-0").length, 2);
});

test("a server that is killed and started again is found again", async () => {
  const relay = await new PlayedRelay([{ bytes: 700 }]).start();
  const watched = watch(relay.url);
  while (relay.requests.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const port = relay.server.address().port;
  await relay.stop();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const again = await new PlayedRelay().start(port);
  const { seen, states } = await watched;
  await again.stop();
  assert.deepEqual(seen, ALL);
  assert.deepEqual(states.filter((state) => state !== "connecting").slice(0, 3), ["live", "away", "live"]);
});

test("it asks for what is wanted, and goes on behind what it was given before", async () => {
  await relaying([{ status: 503 }, {}, {}], async (relay) => {
    const since = new Date("2026-11-26T12:00:00Z");
    const { id } = await watch(relay.url, {
      channels: ["a&b", "größe"],
      since,
      filter: { kind: ["x"] },
      filterScope: "attributes",
      token: "rly_SECRET",
      until: "id-3",
    });
    const { asked, headers } = relay.requests[0];
    assert.deepEqual(asked.getAll("channel"), ["a&b", "größe"]);
    assert.equal(asked.get("since"), "2026-11-26T12:00:00.000Z");
    assert.equal(asked.get("filter"), '{"kind":["x"]}');
    assert.equal(asked.get("filter_scope"), "attributes");
    assert.equal(asked.get("last_event_id"), null);
    assert.ok(relay.requests.every((request) => request.headers.authorization === "Bearer rly_SECRET"));
    assert.ok(relay.requests.every((request) => !String(request.asked).includes("SECRET")));
    assert.equal(headers.accept, "text/event-stream");
    assert.equal(id, "4");
    const { seen } = await watch(`${relay.url}/`, { since: "earliest", after: id });
    assert.deepEqual(seen, ALL.slice(4));
    assert.equal(relay.requests.at(-1).asked.get("since"), null);
  });
});

for (const status of [400, 401, 403, 404]) {
  test(`${status} will not pass: it is over, and says why`, async () => {
    await relaying([{ bytes: 900 }, { status }, { status }], async (relay) => {
      const { error, states, seen } = await watch(relay.url);
      assert.ok(error instanceof LiveError);
      assert.deepEqual([error.status, error.type, error.message], [status, "urn:relay:problem:some", "So it is."]);
      assert.equal(states.at(-1), "closed");
      assert.deepEqual(seen, ALL.slice(0, seen.length));
    });
  });
}

test("a ticket that has expired is replaced, once", async () => {
  const tickets = ["first", "second", "third", "fourth"];
  const ticket = () => tickets.shift();
  await relaying([{ bytes: 900 }, { status: 401 }, { status: 401 }, {}], async (relay) => {
    const { seen } = await watch(relay.url, { ticket });
    assert.deepEqual(seen, ALL);
    assert.equal(relay.requests.at(-1).asked.get("ticket"), "second");
  });
  await relaying(Array(9).fill({ status: 401 }), async (relay) => {
    const { error } = await watch(relay.url, { ticket });
    assert.equal(error.status, 401);
    assert.equal(tickets.length, 0);
  });
});

test("a ticket that is not to be had now is asked for again", async () => {
  let times = 0;
  const ticket = async () => {
    times += 1;
    if (times < 3) {
      throw new Error("not now");
    }
    return "there";
  };
  const { seen } = await relaying([], (relay) => watch(relay.url, { ticket }));
  assert.deepEqual(seen, ALL);
});

test("no content is the end, and no error", async () => {
  await relaying([{ bytes: 900 }, { status: 204 }, { status: 204 }], async (relay) => {
    const states = await new Promise((resolve) => {
      const said = [];
      const onState = (state) => (said.push(state), state === "closed" && resolve(said));
      live(relay.url, { channels: "orders", EventSource, pauseMs: QUICK, onMessage: () => {}, onState });
    });
    assert.equal(states.at(-1), "closed");
  });
});

test("what is no JSON is an error, and is not asked for again", async () => {
  const relay = new PlayedRelay();
  relay.answer = (_, response) => {
    relay.requests.push(0);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("data: {secret\n\n");
  };
  await relay.start();
  const { error } = await watch(relay.url);
  await relay.stop();
  assert.match(error.message, /not JSON/);
  assert.doesNotMatch(error.message, /secret/);
  assert.equal(relay.requests.length, 1);
});

test("closed, it is closed at once and for good", async () => {
  await relaying([{ status: 503 }, { status: 503 }], async (relay) => {
    const seen = [];
    const watching = live(relay.url, {
      channels: "orders",
      EventSource,
      pauseMs: QUICK,
      onMessage: (message) => {
        seen.push(message.id);
        watching.close();
      },
    });
    while (seen.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(seen, ["id-0"]);
    assert.equal(watching.state, "closed");
    assert.equal(relay.sockets.size, 0);
    const count = relay.requests.length;
    live(relay.url, { channels: "orders", EventSource, onMessage: () => {} }).close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(relay.requests.length, count, "what was closed is not opened");
  });
});

test("an address that cannot be one is an error", async () => {
  const { error, states } = await watch("ht!tp://[");
  assert.equal(error.status, 0);
  assert.match(error.message, /cannot be there/);
  assert.equal(states.at(-1), "closed");
});

test("what cannot be meant is refused", () => {
  const onMessage = () => {};
  assert.throws(() => live("", { channels: "a", onMessage, EventSource, since: new Date("no") }), RangeError);
  assert.throws(() => live("", { channels: [], onMessage, EventSource }), /at least one/);
  assert.throws(() => live("", { channels: "a", EventSource }), /onMessage/);
  assert.throws(() => live("", { channels: "a", onMessage, EventSource: undefined }), /EventSource/);
  globalThis.EventSource = class {};
  try {
    assert.throws(() => live("", { channels: "a", onMessage, token: "rly_x" }), /Use a ticket/);
  } finally {
    delete globalThis.EventSource;
  }
});

test("a payload is bytes again", () => {
  assert.deepEqual([...bytesOf({ message: "/wA=", encoding: "base64" })], [255, 0]);
  assert.deepEqual([...bytesOf({ message: "ü", encoding: "utf-8" })], [195, 188]);
});
