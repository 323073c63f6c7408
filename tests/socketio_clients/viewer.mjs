// A page that shows alerts, without a page: as those that know nothing of Relay connect. It joins nothing and shows
// nothing who it is. It says on its output what it hears, one JSON a line.
//
//   node viewer.mjs '{"library": "socket.io-client", "url": ..., "transports": [...], "event": "alert"}'
//
// {"transports": null}: it connects with the address alone. {"forgets": true}: it has lost what its client remembers.

import { createInterface } from "node:readline";

const wanted = JSON.parse(process.argv[2]);
const { io } = await import(wanted.library);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const options = wanted.transports && { transports: wanted.transports, extraHeaders: wanted.headers };
const socket = options ? io(wanted.url, options) : io(wanted.url);

socket.on("connect", () => say({ connect: socket.io.engine.transport.name, recovered: socket.recovered ?? null }));
socket.on("disconnect", (reason) => {
  if (wanted.forgets) socket._pid = undefined;
  say({ disconnect: reason });
});
socket.on("connect_error", (error) => say({ connect_error: error.message }));
socket.on(wanted.event, (...said) => say({ heard: said }));

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  // As where a network breaks: nobody says goodbye.
  if (order.break) socket.io.engine.close();
  if (order.emit) socket.emit(...order.emit, (answer) => say({ answer }));
}
socket.disconnect();
