/**
 * Whether a webhook is Relay's: signed with one of the secrets, as Standard Webhooks 1.0.0 says, and just now.
 *
 * Signed is `ID.TIMESTAMP.BODY`, the body byte for byte as it came. It needs WebCrypto, as browsers, Node.js 20
 * and workers have it; a public key needs Ed25519 in it.
 */

const MOST_SIGNATURES = 16;
const PUBLIC_BYTES = 32;
const KINDS = [
  { prefix: "whsec_", version: "v1", algorithm: { name: "HMAC", hash: "SHA-256" } },
  { prefix: "whpk_", version: "v1a", algorithm: { name: "Ed25519" } },
];

/** It is not. `reason` is "headers", "signature" or "age". */
export class WebhookError extends Error {
  constructor(reason, detail) {
    super(detail);
    this.name = "WebhookError";
    this.reason = reason;
  }
}

/** The id of a webhook, and when it was signed; a WebhookError if it is none. */
export async function verify(headers, body, secrets, { toleranceSeconds = 300 } = {}) {
  if (!(body instanceof Uint8Array || body instanceof ArrayBuffer)) {
    throw new TypeError("the body is not bytes as they came");
  }
  // With NaN nothing is too old.
  if (!Number.isFinite(toleranceSeconds) || toleranceSeconds < 0) {
    throw new TypeError("toleranceSeconds is a number of seconds, from 0 on");
  }
  const keys = await Promise.all([secrets].flat().map(keyOf));
  if (keys.length === 0) throw new TypeError("no secret to verify with");

  const [id, at, signed] = ["id", "timestamp", "signature"].map((name) => header(headers, `webhook-${name}`));
  if (!/^[!-\-/-~]{1,255}$/.test(id) || !/^[0-9]{1,11}$/.test(at)) {
    throw new WebhookError("headers", "webhook-id or webhook-timestamp is none.");
  }
  const head = new TextEncoder().encode(`${id}.${at}.`);
  const content = new Uint8Array(head.length + body.byteLength);
  content.set(head);
  content.set(body instanceof ArrayBuffer ? new Uint8Array(body) : body, head.length);

  const signatures = signed.split(" ").slice(0, MOST_SIGNATURES);
  const tried = keys.flatMap((key) => signatures.map((signature) => hasSigned(key, signature, content)));
  if (!(await Promise.all(tried)).includes(true)) {
    throw new WebhookError("signature", "None of the secrets has signed this, or the body is not as it came.");
  }
  const age = Date.now() / 1000 - Number(at);
  if (Math.abs(age) > toleranceSeconds) {
    const when = age > 0 ? `${Math.round(age)} s ago` : `in ${Math.round(-age)} s`;
    throw new WebhookError("age", `It was signed ${when}, by the clock here; ${toleranceSeconds} s are allowed.`);
  }
  return { id, attemptedAt: new Date(Number(at) * 1000) };
}

async function keyOf(secret) {
  const kind = KINDS.find(({ prefix }) => String(secret).startsWith(prefix));
  const key = kind && bytesOf(secret.slice(kind.prefix.length));
  if (!key?.length || (kind.version === "v1a" && key.length !== PUBLIC_BYTES)) {
    throw new TypeError("a secret is whsec_ or whpk_, and base64");
  }
  return { ...kind, key: await crypto.subtle.importKey("raw", key, kind.algorithm, false, ["verify"]) };
}

/** WebCrypto compares in constant time. */
async function hasSigned({ version, algorithm, key }, signature, content) {
  const comma = signature.indexOf(",");
  const bytes = signature.slice(0, comma) === version ? bytesOf(signature.slice(comma + 1)) : null;
  return bytes !== null && crypto.subtle.verify(algorithm, key, bytes, content);
}

/** By any case, from `Headers`, from Node's object, or from a plain one. */
function header(headers, name) {
  const found =
    typeof headers.get === "function"
      ? headers.get(name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof found !== "string" || found === "") throw new WebhookError("headers", `There is no header ${name}.`);
  return found;
}

/** Null: it is not base64 as it is written; `atob` would take it with spaces, or without its end. */
function bytesOf(base64) {
  let binary;
  try {
    binary = atob(base64);
  } catch {
    return null;
  }
  return btoa(binary) === base64 ? Uint8Array.from(binary, (char) => char.codePointAt(0)) : null;
}
