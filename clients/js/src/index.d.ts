/** Watch channels of the Relay at `url` (of the site, such as https://relay.example.org; "" in a page of its own). */
export function live(url: string | URL, options: LiveOptions): Live;

/** The payload of a message, byte for byte. */
export function bytesOf(message: Message): Uint8Array;

export interface LiveOptions {
  /** One, or up to 50. */
  channels: string | readonly string[];

  /** For a browser: what `POST /api/v1/live/tickets` gave, or how to get another one once it has expired. */
  ticket?: string | (() => string | Promise<string>);
  /** For Node.js: the key of a token, in a header. Not with a browser's EventSource, which sends none. */
  token?: string;
  /** Send cookies to another origin as well. */
  withCredentials?: boolean;

  /** Go on behind this `id`; it counts before `since`. */
  after?: string;
  /** From a time on, or all there is. Without both: what is stored from now on. */
  since?: "earliest" | Date | string;
  /** Which messages are wanted, as a filter policy of SNS. */
  filter?: Record<string, unknown>;
  /** What it is about: "body", if not given. */
  filterScope?: "body" | "attributes";

  /** A message, in the order of its channel; `id` is what to go on from. */
  onMessage: (message: Message, id: string) => void;
  /** Relay could not hear for a while. */
  onGap?: (gap: Gap, id: string) => void;
  /** It cannot go on where it stood: something is missing that is not stored any more. */
  onReset?: (reset: Reset, id: string) => void;
  /** All that was stored has come. From here on messages come as they are stored. */
  onCaughtUp?: (nothing: object, id: string) => void;
  onState?: (state: State) => void;
  /** It is over, and will not pass: a right is missing, say. */
  onError?: (error: LiveError) => void;

  /** The constructor, where there is none: that of the package `eventsource`, in Node.js. */
  EventSource?: EventSourceConstructor;
  /** How long to wait before it is opened anew, by chance up to `first` (1000), doubled up to `most` (30000). */
  pauseMs?: { first?: number; most?: number };
}

export interface Live {
  /** Of the last event that was handed out. */
  readonly id: string;
  readonly state: State;
  /** End it at once. */
  close(): void;
}

/** `away`: the connection broke, and is made anew. */
export type State = "connecting" | "live" | "away" | "closed";

/** Why it is over. `status` is that of the answer, or 0; `type` is for programs, `message` for people. */
export class LiveError extends Error {
  readonly status: number;
  readonly type: string;
}

export interface Message {
  id: string;
  channel: string;
  /** The payload as text, or in base64. */
  message: string;
  encoding: "utf-8" | "base64";
  received_at: string;
  position: string;
  attributes: Record<string, string> | null;
  content_type: string | null;
  /** The name of the token that published it; null: it was heard. */
  produced_by: string | null;
}

export interface Gap {
  channels: string[];
  cause: string;
  from: string;
  /** null: it goes on. */
  to: string | null;
  missed_at_most: number | null;
  covered: boolean;
}

export interface Reset {
  /** "retention": messages were deleted that had not come yet. "archive": it is another one. */
  reason: string;
  channel: string | null;
  from: string | null;
  to: string | null;
  at_most: number | null;
}

export type EventSourceConstructor = new (
  url: string,
  init?: any,
) => {
  readonly readyState: number;
  addEventListener(kind: any, listener: (event: any) => void): void;
  close(): void;
};
