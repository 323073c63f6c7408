/**
 * Channels of Relay, live: messages the moment they are stored, over any break.
 *
 * An EventSource comes again by itself where a connection breaks off, and sends the id of the last event that it
 * was given. But any answer other than 200 is the end for it, a proxy's 502 too: here it is opened anew then,
 * after a pause by chance, behind the last id. Whether there is any use in that, the EventSource does not say, so
 * the address is asked once more, by `fetch`: an answer that will not become another one is the end.
 */

const FIRST_PAUSE_MS = 1000;
const MOST_PAUSE_MS = 30_000;
const CLOSED = 2;

/** These may pass. So may every status from 500 on, and no answer. */
const PASSING = new Set([408, 425, 429]);

const EVENTS = {
  "message": "onMessage",
  "gap": "onGap",
  "stream-reset": "onReset",
  "caught-up": "onCaughtUp",
};

/** Why it is over. `status` is 0 where Relay has not answered with one. */
export class LiveError extends Error {
  constructor(status, type, detail) {
    super(detail);
    this.name = "LiveError";
    this.status = status;
    this.type = type;
  }
}

/** Watch channels of the Relay at `url`, until `close()`. */
export function live(url, options) {
  return new Live(url, options);
}

/** The payload of a message, byte for byte. */
export function bytesOf(message) {
  if (message.encoding !== "base64") {
    return new TextEncoder().encode(message.message);
  }
  return Uint8Array.from(atob(message.message), (char) => char.codePointAt(0));
}

class Live {
  #site;
  #options;
  #asked;
  #EventSource;
  #source = null;
  #asking = null;
  #timer = null;
  #id;
  #state = "connecting";
  #failures = 0;
  #refusals = 0;

  constructor(url, options) {
    this.#site = String(url).replace(/\/+$/, "");
    this.#options = { ...options, channels: [options.channels].flat() };
    this.#EventSource = options.EventSource ?? globalThis.EventSource;
    this.#id = options.after ?? "";
    if (this.#options.channels.length === 0) {
      throw new TypeError("Which channels? Name at least one.");
    }
    if (typeof options.onMessage !== "function") {
      throw new TypeError("Who takes the messages? onMessage is a function.");
    }
    if (this.#EventSource === undefined) {
      throw new TypeError("There is no EventSource here. Give the one of the package eventsource.");
    }
    if (options.token !== undefined && this.#EventSource === globalThis.EventSource) {
      throw new TypeError("This EventSource sends no headers, so it cannot send a token. Use a ticket.");
    }
    this.#asked = this.#question();
    this.#open();
  }

  get id() {
    return this.#id;
  }

  get state() {
    return this.#state;
  }

  close() {
    this.#drop();
    clearTimeout(this.#timer);
    this.#say("closed");
  }

  async #open() {
    let address;
    try {
      address = await this.#address();
    } catch {
      this.#again(); // There is no ticket now.
      return;
    }
    if (this.#state === "closed") {
      return;
    }
    const { withCredentials = false, token } = this.#options;
    let source;
    try {
      source = new this.#EventSource(address, {
        withCredentials,
        ...(token !== undefined && { fetch: (to, init) => fetch(to, this.#authorized(init)) }),
      });
    } catch (error) {
      this.#fail(new LiveError(0, "", `Relay cannot be there: ${error.message}`));
      return;
    }
    this.#source = source;
    source.addEventListener("open", () => this.#say("live"));
    source.addEventListener("error", (event) => this.#broken(source, address, event));
    for (const [kind, handler] of Object.entries(EVENTS)) {
      source.addEventListener(kind, (event) => this.#take(source, event, this.#options[handler]));
    }
  }

  /** What is asked each time. */
  #question() {
    const { channels, since, filter, filterScope } = this.#options;
    const asked = new URLSearchParams(channels.map((channel) => ["channel", channel]));
    if (filter !== undefined) {
      asked.set("filter", JSON.stringify(filter));
    }
    if (filterScope !== undefined) {
      asked.set("filter_scope", filterScope);
    }
    if (since !== undefined) {
      asked.set("since", since instanceof Date ? since.toISOString() : since);
    }
    return asked;
  }

  async #address() {
    const { ticket } = this.#options;
    const asked = new URLSearchParams(this.#asked);
    if (this.#id !== "") {
      asked.delete("since");
      asked.set("last_event_id", this.#id);
    }
    const given = typeof ticket === "function" ? await ticket() : ticket;
    if (given !== undefined) {
      asked.set("ticket", given);
    }
    return `${this.#site}/api/v1/live?${asked}`;
  }

  #authorized(init) {
    const { token } = this.#options;
    return token === undefined ? init : { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } };
  }

  #take(source, event, handler) {
    if (source !== this.#source) {
      return;
    }
    let said;
    try {
      said = JSON.parse(event.data);
    } catch {
      this.#fail(new LiveError(0, "", `The data of an event (${event.type}) is not JSON. Is this Relay?`));
      return;
    }
    this.#id = event.lastEventId || this.#id;
    this.#failures = this.#refusals = 0;
    handler?.call(this.#options, said, this.#id);
  }

  /** It comes again by itself, or has given up. */
  #broken(source, address, event) {
    if (source !== this.#source) {
      return;
    }
    this.#say("away");
    if (source.readyState === CLOSED) {
      this.#drop();
      this.#ask(address, event.code);
    }
  }

  /** Ask why it has given up: it does not say, except where it is the package's. */
  async #ask(address, status) {
    if (status !== undefined && (status === 200 || this.#mayPass(status))) {
      this.#again();
      return;
    }
    const asking = (this.#asking = new AbortController());
    let problem = {};
    try {
      const answer = await fetch(
        address,
        this.#authorized({
          headers: { Accept: "text/event-stream" },
          credentials: this.#options.withCredentials ? "include" : "same-origin",
          cache: "no-store",
          signal: asking.signal,
        }),
      );
      status = answer.status;
      if (status >= 400 && !this.#mayPass(status)) {
        problem = await answer.json().catch(() => ({}));
      }
    } catch {
      status = 0; // Nobody answers.
    } finally {
      asking.abort(); // A stream is not read here.
    }
    if (this.#state === "closed") {
      return;
    }
    if (status === 204) {
      this.close();
    } else if (status === 0 || status === 200 || this.#mayPass(status)) {
      this.#again();
    } else if (status === 401 && typeof this.#options.ticket === "function" && this.#refusals === 0) {
      this.#refusals += 1; // The ticket has expired. Another one may serve.
      this.#again();
    } else {
      this.#fail(new LiveError(status, problem.type ?? "", problem.detail ?? `Relay answers ${status}.`));
    }
  }

  #mayPass(status) {
    return PASSING.has(status) || status >= 500;
  }

  /** Open it anew, after any time up to a bound that doubles: those who broke together come one by one. */
  #again() {
    if (this.#state === "closed") {
      return;
    }
    this.#say("away");
    const { first = FIRST_PAUSE_MS, most = MOST_PAUSE_MS } = this.#options.pauseMs ?? {};
    const bound = Math.min(most, first * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#open(), Math.random() * bound);
  }

  #fail(error) {
    this.close();
    this.#options.onError?.(error);
  }

  #drop() {
    this.#source?.close();
    this.#source = null;
    this.#asking?.abort();
  }

  #say(state) {
    if (this.#state === state || this.#state === "closed") {
      return;
    }
    this.#state = state;
    this.#options.onState?.(state);
  }
}
