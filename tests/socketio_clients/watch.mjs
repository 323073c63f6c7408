// A page that watches channels, without a page. It says on its output what it sees, one JSON a line, and takes
// orders on its input: {"emit": [name, data]}, whose answer it says, and {"leave": true}.
//
//   node watch.mjs '{"library": "socket.io-client", "url": ..., "transports": [...], "token": ..., "join": [...]}'
//
// It remembers the last id of each channel, and says it whenever it connects again: nothing else is needed to
// miss nothing.

import { createInterface } from "node:readline";

const wanted = JSON.parse(process.argv[2]);
const { io } = await import(wanted.library);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const last = new Map((wanted.join ?? []).map(({ channel, after }) => [channel, after]));
const socket = io(wanted.url, {
  transports: wanted.transports,
  auth: (answer) =>
    answer({ token: wanted.token, join: [...last].map(([channel, after]) => ({ channel, after })) }),
  reconnectionDelay: wanted.delay ?? 50,
  reconnectionDelayMax: wanted.delay ?? 50,
  extraHeaders: wanted.headers,
});

socket.on("connect", () => say({ connect: socket.io.engine.transport.name }));
socket.on("disconnect", (reason) => say({ disconnect: reason }));
socket.on("connect_error", (error) => say({ connect_error: error.message, data: error.data ?? null }));
socket.io.on("reconnect", (attempt) => say({ reconnect: attempt }));
socket.on("message", (row, id) => {
  last.set(row.channel, id);
  say({ message: row, id });
});
for (const name of ["gap", "reset", "joined", "left", "closing"]) {
  socket.on(name, (told) => {
    if (told.id) last.set(told.channel, told.id);
    say({ [name]: told });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.emit) socket.emit(...order.emit, (answer) => say({ answer }));
  if (order.leave) socket.disconnect();
}
socket.disconnect();
