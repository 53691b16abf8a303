// The TypeScript SDK 2.x as newer hosts set it up: it probes for the 2026 protocol first, names no
// authentication method, and checks the issuer of every document and of the callback.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { run } from './ts-flow.mjs';

await run({
  sdk: { Client, StreamableHTTPClientTransport, UnauthorizedError },
  metadata: {},
  options: { versionNegotiation: { mode: 'auto' } },
  finishAuth: (transport, answer) => transport.finishAuth(answer),
});
