// The TypeScript SDK 2.x against the demo's server, whose one tool is an echo.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { run } from '../clients/ts-flow.mjs';

await run({
  sdk: { Client, StreamableHTTPClientTransport, UnauthorizedError },
  metadata: {},
  options: {},
  finishAuth: (transport, answer) => transport.finishAuth(answer),
  tool: { arguments: { text: 'Hello, page!' }, answer: 'Hello, page!' },
});
