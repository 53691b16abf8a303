// The proxy that mends nothing: gives the upstream its own Host and passes the rest on as it is.
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { LOOPBACK } from './serve.mjs';

const upstream = new URL(process.argv[2]);
const server = createServer((incoming, outgoing) => {
  const onward = request(new URL(incoming.url, upstream), {
    method: incoming.method,
    headers: { ...incoming.headers, host: upstream.host },
    agent: false,
  });
  onward.on('response', (reply) => {
    outgoing.writeHead(reply.statusCode, reply.statusMessage, reply.rawHeaders);
    outgoing.flushHeaders(); // an event stream may stay silent for long
    reply.pipe(outgoing);
    console.error(`${incoming.method} ${incoming.url} ${reply.statusCode}`);
  });
  onward.on('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
}).listen(Number(process.argv[3]), LOOPBACK);
await once(server, 'listening');
console.log(JSON.stringify({ ready: server.address().port }));
