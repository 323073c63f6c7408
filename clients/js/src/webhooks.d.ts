/**
 * The id of a webhook, and when it was signed, if Relay has signed it.
 *
 * `body`: the bytes as they came, before anything has parsed them. `secrets`: `whsec_…`, or the public key `whpk_…`;
 * several while one is changed for another.
 *
 * Rejects with a WebhookError if it is not Relay's (answer 400, and do nothing), and with a TypeError if a secret, the
 * body or the tolerance is none.
 */
export function verify(
  headers: Headers | Record<string, string | readonly string[] | undefined>,
  body: Uint8Array | ArrayBuffer,
  secrets: string | readonly string[],
  options?: {
    /** How long ago it may have been signed, and how far the clocks may differ: 300, if not given. */
    toleranceSeconds?: number;
  },
): Promise<Webhook>;

export interface Webhook {
  /** The same over all attempts: do what it asks for once. */
  readonly id: string;
  /** By Relay's clock. */
  readonly attemptedAt: Date;
}

/** It is not Relay's. A header is missing, or none; nobody has signed it; or too long ago. */
export class WebhookError extends Error {
  readonly reason: "headers" | "signature" | "age";
}
