// Webhooks as undici sends them: signed, over kept connections. No archive, no record, no retry.

import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Pool } from "undici";

const { urls, concurrency, body, authority } = JSON.parse(process.argv[2]);
const key = randomBytes(32);
const connect = authority ? { ca: readFileSync(authority) } : {};
const endpoints = urls.map((url) => {
  const { origin, pathname } = new URL(url);
  return { path: pathname, pool: new Pool(origin, { connections: concurrency, connect }) };
});

let sent = 0;

async function send({ path, pool }) {
  const id = `msg_${sent++}`;
  const at = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64");
  const answer = await pool.request({
    path,
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,${signature}`,
    },
  });
  await answer.body.dump();
  if (answer.statusCode !== 204) throw new Error(`answered ${answer.statusCode}`);
}

async function sendMany(endpoint, left) {
  while (left.count-- > 0) await send(endpoint);
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const lanes = endpoints.flatMap((endpoint) => {
    const left = { count: Number(line) };
    return Array.from({ length: concurrency }, () => sendMany(endpoint, left));
  });
  await Promise.all(lanes);
  console.log("done");
}
process.exit();
