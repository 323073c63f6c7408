// Each message of the channel CHANNEL of Redis, as a row.

import { createClient } from "redis";

const channel = process.env.CHANNEL;

export async function subscribe(take) {
  const redis = createClient({ url: process.env.REDIS_URL });
  await redis.connect();
  let id = 0;
  await redis.subscribe(channel, (message) => {
    id += 1;
    take({ id, channel, received_at: new Date().toISOString(), message });
  });
}
