// The TypeScript SDK 1.x, in the ways that its examples show: node ts-v1.mjs sessions|stateless|json|sse
import { randomUUID } from 'node:crypto';
import express from 'express';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';
import { freePort, listen } from '../../lib/serve.mjs';
import { offer } from './tools.mjs';

const build = () => offer(new McpServer({ name: 'ts-v1', version: '1' }, { capabilities: { logging: {} } }), {
  input: (shape) => shape,
  notify: (extra, notification) => extra.sendNotification(notification),
  token: (extra) => extra._meta?.progressToken,
  announce: (server) => server.sendLoggingMessage({ level: 'info', data: 'news' }),
  elicit: (server, extra, params) => server.server.elicitInput(params, { relatedRequestId: extra.requestId }),
});

const app = express();
const sessions = new Map();
const WAYS = {
  sessions: () => withSessions({ eventStore: new InMemoryEventStore() }),
  json: () => withSessions({ enableJsonResponse: true }),
  stateless() {
    app.post('/mcp', express.json(), async (request, response) => {
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
      response.on('close', () => transport.close());
      await build().connect(transport);
      await transport.handleRequest(request, response, request.body);
    });
    const error = { code: -32000, message: 'Method not allowed.' };
    app.all('/mcp', (request, response) => response.status(405).json({ jsonrpc: '2.0', error, id: null }));
  },
  sse() {
    app.get('/sse', async (request, response) => {
      const transport = new SSEServerTransport('/messages', response);
      sessions.set(transport.sessionId, transport);
      response.on('close', () => sessions.delete(transport.sessionId));
      await build().connect(transport);
    });
    app.post('/messages', express.json(), async (request, response) => {
      const transport = sessions.get(request.query.sessionId);
      if (!transport) return response.status(400).send('No transport found for sessionId');
      await transport.handlePostMessage(request, response, request.body);
    });
  },
};

function withSessions(options) {
  app.all('/mcp', express.json(), async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = sessions.get(id);
    if (known) return known.handleRequest(request, response, request.body);
    if (id) return response.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
    const transport = new StreamableHTTPServerTransport({
      ...options,
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (given) => void sessions.set(given, transport),
      onsessionclosed: (given) => void sessions.delete(given),
    });
    await build().connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
}

WAYS[process.argv[2]]();
await listen(app, await freePort());
