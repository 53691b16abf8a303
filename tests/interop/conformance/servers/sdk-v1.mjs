// The reference server on the TypeScript SDK 1.x: 2025-11-25, with sessions, event streams that can be
// resumed, and the check of Host that its package ships.
import { randomUUID } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { freePort, listen } from '../../lib/serve.mjs';
import { CAPABILITIES, INFO, serveFeatures } from './features.mjs';

const RETRY_MS = 500;

const schemas = {
  'tools/list': types.ListToolsRequestSchema,
  'tools/call': types.CallToolRequestSchema,
  'prompts/list': types.ListPromptsRequestSchema,
  'prompts/get': types.GetPromptRequestSchema,
  'resources/list': types.ListResourcesRequestSchema,
  'resources/templates/list': types.ListResourceTemplatesRequestSchema,
  'resources/read': types.ReadResourceRequestSchema,
  'resources/subscribe': types.SubscribeRequestSchema,
  'resources/unsubscribe': types.UnsubscribeRequestSchema,
  'completion/complete': types.CompleteRequestSchema,
  'logging/setLevel': types.SetLevelRequestSchema,
};
const answers = { 'sampling/createMessage': types.CreateMessageResultSchema, 'elicitation/create': types.ElicitResultSchema };

function reference() {
  const server = new Server(INFO, { capabilities: CAPABILITIES });
  const handle = (method, handler) => server.setRequestHandler(schemas[method], ({ params = {} }, extra) => handler(params, {
    notify: (name, values) => extra.sendNotification({ method: name, params: values }),
    ask: (name, values) => extra.sendRequest({ method: name, params: values }, answers[name]),
    closeStream: () => extra.closeSSEStream?.(),
    changed: (kind) => void server.notification({ method: `notifications/${kind}/list_changed` }),
    lacks: () => new types.McpError(types.ErrorCode.InvalidRequest, 'the client lacks a capability'),
    token: extra._meta?.progressToken,
    logs: true,
    capabilities: server.getClientCapabilities() ?? {},
    // What only the 2026 revision has.
    responses: {},
    state: () => undefined,
    seal: (value) => value,
  }));
  serveFeatures(handle, (message, data) => new types.McpError(types.ErrorCode.InvalidParams, message, data));
  return server;
}

const sessions = new Map();
const app = createMcpExpressApp();
app.all('/mcp', async (request, response) => {
  const id = request.headers['mcp-session-id'];
  const known = sessions.get(id);
  if (known) return known.handleRequest(request, response, request.body);
  if (id) return response.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new InMemoryEventStore(),
    retryInterval: RETRY_MS,
    onsessioninitialized: (given) => void sessions.set(given, transport),
    onsessionclosed: (given) => void sessions.delete(given),
  });
  await reference().connect(transport);
  await transport.handleRequest(request, response, request.body);
});

await listen(app, await freePort());
