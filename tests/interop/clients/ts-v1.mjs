// The TypeScript SDK 1.x, asking for client_secret_post as Claude Desktop and claude.ai do.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { run } from './ts-flow.mjs';

await run({
  sdk: { Client, StreamableHTTPClientTransport, UnauthorizedError },
  metadata: { token_endpoint_auth_method: 'client_secret_post' },
  finishAuth: (transport, answer) => transport.finishAuth(answer.get('code')),
});
