// What the Node servers share: a free loopback port, and the one line that tells the runner "ready".
import { createServer } from 'node:http';
import { once } from 'node:events';

export const LOOPBACK = '127.0.0.1';

// The servers must know their own URL before they are built, so the port is found first. Should
// another program take it in between, the start fails and says so.
export async function freePort() {
  const probe = createServer().listen(0, LOOPBACK);
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

export async function listen(handler, port) {
  const server = createServer(handler).listen(port, LOOPBACK);
  await once(server, 'listening');
  console.log(JSON.stringify({ ready: port }));
  return server;
}

export async function sendFetchResponse(from, to) {
  to.status(from.status);
  for (const [name, value] of from.headers) to.setHeader(name, value);
  to.end(Buffer.from(await from.arrayBuffer()));
}
