// The reference server on the TypeScript SDK 2.x, as its guide serves both eras side by side: 2026-07-28 by
// createMcpHandler, the 2025 revisions with sessions and resumable streams.
import { randomUUID } from 'node:crypto';
import express from 'express';
import {
  createMcpHandler, createRequestStateCodec, fromJsonSchema, isLegacyRequest, McpServer, MissingRequiredClientCapabilityError,
  ProtocolError, ProtocolErrorCode,
} from '@modelcontextprotocol/server';
import {
  localhostHostValidation, localhostOriginValidation, NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest,
} from '@modelcontextprotocol/node';
// Neither package exports one; this one knows nothing of the SDK's version.
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';
import { freePort, listen } from '../../lib/serve.mjs';
import { CAPABILITIES, INFO, MIRRORED, serveFeatures } from './features.mjs';

const META = 'io.modelcontextprotocol';
const RETRY_MS = 500;

const codec = createRequestStateCodec({ key: randomUUID() + randomUUID() });
const cacheable = [
  'server/discover', 'tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read',
];
const cacheHints = Object.fromEntries(cacheable.map((method) => [method, { ttlMs: 60_000, cacheScope: 'public' }]));

function reference({ era }) {
  const mcp = new McpServer(INFO, { capabilities: CAPABILITIES, cacheHints, requestState: { verify: codec.verify } });
  // Only of a tool that is registered here does the SDK compare the headers with the arguments.
  mcp.registerTool(MIRRORED.name, { inputSchema: fromJsonSchema(MIRRORED.schema) }, () => ({ content: [] }));
  const handle = (method, handler) => {
    // The 2026 revision has no such method.
    if (era === 'modern' && /subscribe$|^logging/.test(method)) return;
    mcp.server.setRequestHandler(method, ({ params = {} }, { mcpReq, http }) => handler(params, {
      notify: (name, values) => mcpReq.notify({ method: name, params: values }),
      ask: (name, values) => mcpReq.send({ method: name, params: values }),
      closeStream: () => http?.closeSSE?.(),
      changed: (kind) => modern.notify[`${kind}Changed`](),
      lacks: (requiredCapabilities) => new MissingRequiredClientCapabilityError({ requiredCapabilities }),
      token: mcpReq._meta?.progressToken,
      logs: era === 'legacy' || Boolean(mcpReq.envelope?.[`${META}/logLevel`]),
      capabilities: mcpReq.envelope?.[`${META}/clientCapabilities`] ?? {},
      responses: mcpReq.inputResponses ?? {},
      state: () => mcpReq.requestState(),
      seal: (value) => codec.mint(value),
    }));
  };
  serveFeatures(handle, (message, data) => new ProtocolError(ProtocolErrorCode.InvalidParams, message, data));
  return mcp;
}

const modern = createMcpHandler(reference, { legacy: 'reject' });
const serveModern = toNodeHandler(modern);

const sessions = new Map();
async function serveLegacy(request, response) {
  const id = request.headers['mcp-session-id'];
  const known = sessions.get(id);
  if (known) return known.handleRequest(request, response, request.body);
  if (id) return response.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new InMemoryEventStore(),
    retryInterval: RETRY_MS,
    onsessioninitialized: (given) => void sessions.set(given, transport),
    onsessionclosed: (given) => void sessions.delete(given),
  });
  await reference({ era: 'legacy' }).connect(transport);
  await transport.handleRequest(request, response, request.body);
}

const hostIsLocal = localhostHostValidation();
const originIsLocal = localhostOriginValidation();
const app = express();
app.use((request, response, next) => hostIsLocal(request, response) && originIsLocal(request, response) && next());
app.use(express.json());
app.all('/mcp', async (request, response) => {
  const serve = (await isLegacyRequest(await toWebRequest(request, request.body))) ? serveLegacy : serveModern;
  await serve(request, response, request.body);
});

await listen(app, await freePort());
