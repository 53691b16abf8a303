// The MCP server behind both Node servers: one tool, with sessions and without.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

function greeter() {
  const server = new McpServer({ name: 'interop', version: '1.0.0' });
  server.registerTool(
    'greet',
    { description: 'Says hello', inputSchema: { name: z.string() } },
    async ({ name }) => ({ content: [{ type: 'text', text: `Hello, ${name}!` }] }),
  );
  return server;
}

// One transport for each request, JSON answers: how serverless deployments use the SDK.
export async function statelessMcp(request, response) {
  if (request.method !== 'POST') return response.status(405).set('Allow', 'POST').end();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  response.on('close', () => transport.close());
  await greeter().connect(transport);
  await transport.handleRequest(request, response, request.body);
}

// Sessions and SSE answers: how the SDK's own example server does it.
export function sessionMcp() {
  const transports = new Map();
  return async (request, response) => {
    const known = transports.get(request.headers['mcp-session-id']);
    if (known) return known.handleRequest(request, response, request.body);
    if (request.headers['mcp-session-id']) return response.status(404).send('Session not found');
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void transports.set(id, transport),
    });
    await greeter().connect(transport);
    await transport.handleRequest(request, response, request.body);
  };
}
