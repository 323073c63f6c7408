// What a good engineer writes first: Socket.IO, with its own server.

import { Server } from "socket.io";
import { subscribe } from "./rows.mjs";

const server = new Server({ serveClient: false });

server.use((socket, next) => {
  next(socket.handshake.auth.token === process.env.TOKEN ? undefined : new Error("not authorized"));
});
server.on("connection", (socket) => socket.join(process.env.CHANNEL));

await subscribe((row) => server.to(process.env.CHANNEL).emit("message", row, row.id));
server.listen(Number(process.env.PORT));
