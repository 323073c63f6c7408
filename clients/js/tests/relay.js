/** A played Relay: numbered messages, and connections that break where they are told. */
import { createServer } from "node:http";

export const COUNT = 12;

const row = (number) => ({
  id: `id-${number}`,
  channel: "orders",
  message: `text ${number}`,
  encoding: "utf-8",
  received_at: "2026-11-26T12:00:00Z",
  position: String(number).padStart(13, "0"),
});

/** What there is to tell, each with its own id from 1 on. */
export const STORY = [
  ...Array.from({ length: COUNT }, (_, number) => ["message", row(number)]).toSpliced(
    5,
    0,
    ["gap", { cause: "disconnected", channels: ["orders"] }],
    ["stream-reset", { reason: "retention", at_most: 2 }],
  ),
  ["caught-up", {}],
];

const frame = ([kind, data], id) =>
  `${kind === "message" ? "" : `event: ${kind}\n`}data: ${JSON.stringify(data)}\nid: ${id}\n\n`;

export class PlayedRelay {
  requests = [];
  sockets = new Set();

  /** `breaks`: what becomes of each connection: `{ bytes }` arrive before it is cut, `{ status }`, or all. */
  constructor(breaks = []) {
    this.breaks = [...breaks];
    this.server = createServer((request, response) => this.answer(request, response));
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
  }

  async start(port = 0) {
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => this.server.close(resolve));
  }

  answer(request, response) {
    const asked = new URL(request.url, this.url).searchParams;
    this.requests.push({ asked, headers: request.headers });
    const since = Number(request.headers["last-event-id"] ?? asked.get("last_event_id") ?? 0);
    const step = this.breaks.shift() ?? {};
    if (step.status) {
      response.writeHead(step.status, { "Content-Type": "application/problem+json" });
      response.end(step.status === 204 ? "" : JSON.stringify({ type: "urn:relay:problem:some", detail: "So it is." }));
      return;
    }
    const frames = STORY.map((each, at) => frame(each, at + 1)).slice(since);
    const body = `: hello\nretry: 5\n\n${frames.join("")}`;
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    if (step.bytes === undefined) {
      response.write(body);
    } else {
      response.write(body.slice(0, step.bytes), () => (step.isClean ? response.end() : response.destroy()));
    }
  }
}
