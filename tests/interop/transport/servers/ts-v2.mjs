// The TypeScript SDK 2.x: node ts-v2.mjs sessions (the older revisions only) | handler (all revisions)
import { randomUUID } from 'node:crypto';
import express from 'express';
import { z } from 'zod';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { freePort, listen } from '../../lib/serve.mjs';
import { offer } from './tools.mjs';

const build = () => offer(new McpServer({ name: 'ts-v2', version: '1' }, { capabilities: { logging: {} } }), {
  input: (shape) => z.object(shape),
  notify: (context, notification) => context.mcpReq.notify(notification),
  token: (context) => context.mcpReq._meta?.progressToken,
  announce: (server) => server.server.sendLoggingMessage({ level: 'info', data: 'news' }),
  elicit: (server, context, params) => context.mcpReq.elicitInput(params),
});

const app = express();
const WAYS = {
  sessions() {
    const sessions = new Map();
    app.all('/mcp', express.json(), async (request, response) => {
      const id = request.headers['mcp-session-id'];
      const known = sessions.get(id);
      if (known) return known.handleRequest(request, response, request.body);
      if (id) return response.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
      const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (given) => void sessions.set(given, transport),
        onsessionclosed: (given) => void sessions.delete(given),
      });
      await build().connect(transport);
      await transport.handleRequest(request, response, request.body);
    });
  },
  handler() {
    app.all('/mcp', toNodeHandler(createMcpHandler(build)));
  },
};

WAYS[process.argv[2]]();
await listen(app, await freePort());
