// Many pages that watch a channel, without a page, in one process. It says on its output, one JSON a line, whenever
// one of them has everything, {"here": number}, and on {"ask": "texts"} what each has been shown.
//
//   node crowd.mjs '{"url": ..., "token": ..., "channel": ..., "sockets": 200, "polling": 50}'
//
// Every second one is the oldest client 4.x, and so many of them poll. Each remembers its last position, and says it
// whenever it connects again. {"forgets": true}: it does not.

import { createInterface } from "node:readline";

const wanted = JSON.parse(process.argv[2]);
const libraries = [await import("socket.io-client"), await import("socket.io-client-4.0.0")];
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const texts = [];

function open(number) {
  let after = "earliest";
  texts[number] = [];
  const socket = libraries[number % 2].io(wanted.url, {
    transports: [number < wanted.polling ? "polling" : "websocket"],
    auth: (answer) => answer({ token: wanted.token, join: [{ channel: wanted.channel, after }] }),
    forceNew: true,
  });
  const remember = (position) => {
    if (position) after = wanted.forgets ? undefined : position;
  };
  socket.on("message", (row, position) => {
    remember(position);
    texts[number].push(row.message);
  });
  for (const name of ["joined", "gap", "reset"]) socket.on(name, (told) => remember(told.position));
  socket.on("caught-up", (told) => {
    remember(told.position);
    say({ here: number });
  });
  return socket;
}

const sockets = Array.from({ length: wanted.sockets }, (_, number) => open(number));

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.ask === "texts") say({ texts });
}
for (const socket of sockets) socket.disconnect();
