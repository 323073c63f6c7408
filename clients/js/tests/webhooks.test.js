import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";

import { verify, WebhookError } from "../src/webhooks.js";

const KEY = Buffer.alloc(32, "k");
const SECRET = `whsec_${KEY.toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(24, "o").toString("base64")}`;
const BODY = Buffer.from([0x7b, 0xff, 0x00, 0x7d]);

function signed({ id = "msg_1", age = 0, body = BODY, by = hmac } = {}) {
  const at = String(Math.floor(Date.now() / 1000) - age);
  const content = Buffer.concat([Buffer.from(`${id}.${at}.`), body]);
  return { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": by(content) };
}

const hmac = (content) => `v1,${createHmac("sha256", KEY).update(content).digest("base64")}`;
const refused = (reason) => (error) => error instanceof WebhookError && error.reason === reason;

test("what is signed is taken, with headers in any form", async () => {
  const headers = signed();
  const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));
  for (const form of [headers, upper, new Headers(headers)]) {
    const found = await verify(form, BODY, SECRET);
    assert.equal(found.id, "msg_1");
    assert.equal(found.attemptedAt.getTime() / 1000, Number(headers["webhook-timestamp"]));
  }
  const whole = Buffer.concat([Buffer.from("before"), BODY]).subarray(6);
  await verify(headers, whole, [OTHER, SECRET]);
  await verify(headers, Uint8Array.from(BODY).buffer, SECRET);
  const both = { ...headers, "webhook-signature": `v1a,!!! v1,abc ${headers["webhook-signature"]}` };
  await verify(both, BODY, SECRET);
});

test("the example of the specification is signed, long ago", async () => {
  const headers = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const body = new TextEncoder().encode('{"test": 2432232314}');
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  await assert.rejects(verify(headers, body, secret), refused("age"));
  assert.equal((await verify(headers, body, secret, { toleranceSeconds: 1e12 })).id, headers["webhook-id"]);
});

test("a public key is enough, and is no shared secret", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
  const known = `whpk_${raw.toString("base64")}`;
  const headers = signed({ by: (content) => `v1a,${sign(null, content, privateKey).toString("base64")}` });
  await verify(headers, BODY, [SECRET, known]);
  await assert.rejects(verify(headers, BODY, SECRET), refused("signature"));
  const forged = signed({ by: (content) => `v1,${createHmac("sha256", raw).update(content).digest("base64")}` });
  await assert.rejects(verify(forged, BODY, known), refused("signature"));
});

test("what is not signed as it came is refused", async () => {
  const headers = signed();
  const signature = headers["webhook-signature"];
  for (const name of Object.keys(headers)) {
    await assert.rejects(verify({ ...headers, [name]: undefined }, BODY, SECRET), refused("headers"));
  }
  for (const id of ["a.b", "a b", "ü"]) {
    await assert.rejects(verify({ ...headers, "webhook-id": id }, BODY, SECRET), refused("headers"));
  }
  for (const at of ["1e9", "NaN", "Infinity", "-1", "1.5", "+1", " 1", "1\n", "0x10", "\u0661", "9".repeat(12)]) {
    await assert.rejects(verify({ ...headers, "webhook-timestamp": at }, BODY, SECRET), refused("headers"));
  }
  await assert.rejects(verify({ ...headers, "webhook-id": "msg_2" }, BODY, SECRET), refused("signature"));
  await assert.rejects(verify(headers, Buffer.concat([BODY, BODY]), SECRET), refused("signature"));
  await assert.rejects(verify(headers, BODY, OTHER), refused("signature"));
  for (const wrong of [
    signature.replace("v1", "v2"),
    signature.slice(3),
    "v1,",
    "v1",
    "v1, ".repeat(16) + signature,
    `${signature},v1`,
    signature.replace(/=+$/, ""),
    `v1,\n${signature.slice(3)}`,
  ]) {
    await assert.rejects(verify({ ...headers, "webhook-signature": wrong }, BODY, SECRET), refused("signature"));
  }
});

test("what was signed too long ago, or is to come, is refused", async () => {
  for (const age of [298, -297]) await verify(signed({ age }), BODY, SECRET);
  for (const age of [303, -303]) {
    await assert.rejects(verify(signed({ age }), BODY, SECRET), refused("age"));
    await verify(signed({ age }), BODY, SECRET, { toleranceSeconds: 600 });
  }
});

test("a body that was read already, what is no secret and what is no time, are mistakes", async () => {
  await assert.rejects(verify(signed(), "text", SECRET), TypeError);
  for (const toleranceSeconds of [NaN, Infinity, -1, null, "300"]) {
    await assert.rejects(verify(signed({ age: 1e6 }), BODY, SECRET, { toleranceSeconds }), TypeError);
  }
  for (const secret of [[], "", undefined, [undefined], `${SECRET}\n`, "secret", "whsec_", "whsec_!", "whsk_c2VjcmV0", "whpk_c2VjcmV0"]) {
    await assert.rejects(verify(signed(), BODY, secret), TypeError);
  }
});
