// A page that watches channels, without a page. It says on its output what it sees, one JSON a line, and takes
// orders on its input: {"emit": [name, data]}, whose answer it says, and {"leave": true}.
//
//   node watch.mjs '{"library": "socket.io-client", "url": ..., "transports": [...], "token": ..., "join": [...]}'
//
// It remembers the last position in each channel, and says it whenever it connects again: nothing else is needed to
// miss nothing.

import { createInterface } from "node:readline";

const wanted = JSON.parse(process.argv[2]);
const { io } = await import(wanted.library);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

// {"forgets": true}: it does not, and begins anew each time.
const joins = new Map((wanted.join ?? []).map((join) => [join.channel, join]));
const last = new Map([...joins].map(([channel, { after }]) => [channel, after]));
const socket = io(wanted.url, {
  transports: wanted.transports,
  auth: (answer) =>
    answer({
      token: wanted.token,
      join: [...last].map(([channel, after]) => ({ ...joins.get(channel), channel, after })),
    }),
  reconnectionDelay: wanted.delay ?? 50,
  reconnectionDelayMax: wanted.delay ?? 50,
  extraHeaders: wanted.headers,
});

socket.on("connect", () => say({ connect: socket.io.engine.transport.name }));
socket.on("disconnect", (reason) => say({ disconnect: reason }));
socket.on("connect_error", (error) => say({ connect_error: error.message, data: error.data ?? null }));
socket.io.on("reconnect", (attempt) => say({ reconnect: attempt }));
socket.on("message", (row, position) => {
  if (!wanted.forgets) last.set(row.channel, position);
  say({ message: row, position });
});
for (const name of ["joined", "caught-up", "gap", "reset", "left", "closing"]) {
  socket.on(name, (told) => {
    if (told.position && !wanted.forgets) last.set(told.channel, told.position);
    say({ [name]: told });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.emit) socket.emit(...order.emit, (answer) => say({ answer }));
  if (order.leave) socket.disconnect();
}
socket.disconnect();
