// Compiled, never run: what the types take, and what they refuse.
import { bytesOf, live, LiveError, type EventSourceConstructor, type Live, type State } from "relay-live";
import { verify, WebhookError, type Webhook } from "relay-live/webhooks";
import { EventSource as FromThePackage } from "eventsource";

const inABrowser: EventSourceConstructor = EventSource;
const inNode: EventSourceConstructor = FromThePackage;

const watching: Live = live("https://relay.example.org", {
  channels: ["orders", "invoices"],
  ticket: async () => "ticket",
  since: new Date(),
  filter: { kind: ["refund"] },
  EventSource: inNode,
  onMessage(message, id) {
    const text: string = message.message + id + message.attributes?.["kind"];
    const bytes: Uint8Array = bytesOf(message);
    console.log(text, bytes.length);
  },
  onReset: (reset) => console.log(reset.at_most?.toFixed()),
  onGap: (gap) => console.log(gap.channels.join()),
  onState: (state: State) => console.log(state),
  onError: (error) => console.log(error instanceof LiveError, error.status.toFixed()),
});
watching.close();

live("", { channels: "orders", onMessage: () => {}, EventSource: inABrowser });

// @ts-expect-error: nobody takes the messages.
live("", { channels: "orders" });
// @ts-expect-error: that is no time.
live("", { channels: "orders", since: 5, onMessage: () => {} });
// @ts-expect-error: it is not for writing.
watching.id = "";

const webhook: Promise<Webhook> = verify(new Headers(), new Uint8Array(), ["whsec_"], { toleranceSeconds: 60 });
webhook.then(({ id, attemptedAt }) => console.log(id + attemptedAt.toISOString()));
verify({ "webhook-id": "msg_1", "set-cookie": ["a"] }, new ArrayBuffer(0), "whpk_");
console.log(new WebhookError().reason === "age");

// @ts-expect-error: text is not what came.
verify({}, "{}", "whsec_");
