// What a good engineer writes first: server-sent events, with Node's own http.

import { createServer } from "node:http";
import { subscribe } from "./rows.mjs";

const authorization = `Bearer ${process.env.TOKEN}`;
const clients = new Set();

await subscribe((row) => {
  const event = `id: ${row.id}\ndata: ${JSON.stringify(row)}\n\n`;
  for (const client of clients) client.write(event);
});

const server = createServer((request, response) => {
  if (request.headers.authorization !== authorization) {
    response.writeHead(401).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": hello\n\n");
  clients.add(response);
  response.on("close", () => clients.delete(response));
});
server.listen(Number(process.env.PORT), "127.0.0.1");
