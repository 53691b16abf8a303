// 2025-11-25 with the first version of the TypeScript SDK: sessions, streams that can be taken up again,
// requests of the server to the client.
import { randomUUID } from 'node:crypto';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as schema from '@modelcontextprotocol/sdk/types.js';
import { listen } from '../../lib/serve.mjs';
import { complete, LISTS, PROMPTS, read, TALKING_TOOLS, TOOLS } from './content.mjs';

const RETRY_MS = 500;
const tools = { ...TOOLS, ...TALKING_TOOLS };
const { InvalidParams } = schema.ErrorCode;
const capabilities = { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {}, logging: {} };
const answers = { 'sampling/createMessage': schema.CreateMessageResultSchema, 'elicitation/create': schema.ElicitResultSchema };

function newServer() {
  const server = new Server({ name: 'conformance-stateful', version: '1.0.0' }, { capabilities });
  const on = (name, handler) => server.setRequestHandler(schema[`${name}RequestSchema`], ({ params }, extra) => handler(params, extra));

  on('ListTools', () => LISTS.tools(tools));
  on('CallTool', ({ name, arguments: given = {}, _meta }, extra) => {
    if (!Object.hasOwn(tools, name)) throw new schema.McpError(InvalidParams, `no tool ${name}`);
    const notify = (method, params) => extra.sendNotification({ method: `notifications/${method}`, params });
    return tools[name].call(given, {
      log: (data) => notify('message', { level: 'info', data }),
      progress: async (progress) => {
        const { progressToken } = _meta ?? {};
        if (progressToken !== undefined) await notify('progress', { progressToken, progress, total: 100 });
      },
      ask: (method, params) => extra.sendRequest({ method, params }, answers[method]),
      hangUp: () => extra.closeSSEStream?.(),
    });
  });

  on('ListResources', LISTS.resources);
  on('ListResourceTemplates', LISTS.templates);
  on('ReadResource', ({ uri }) => read(uri) ?? missing(uri));
  on('Subscribe', () => ({}));
  on('Unsubscribe', () => ({}));

  on('ListPrompts', LISTS.prompts);
  on('GetPrompt', ({ name, arguments: given = {} }) => {
    if (!Object.hasOwn(PROMPTS, name)) throw new schema.McpError(InvalidParams, `no prompt ${name}`);
    return PROMPTS[name].get(given);
  });
  on('Complete', complete);
  return server;
}

function missing(uri) {
  throw new schema.McpError(-32002, 'Resource not found', { uri });
}

// Just enough to take a stream up again. The transport names streams by UUIDs, so the first part of an
// id is the stream.
class Events {
  #events = [];

  async storeEvent(stream, message) {
    const id = `${stream}_${this.#events.length}`;
    this.#events.push({ stream, id, message });
    return id;
  }

  async replayEventsAfter(last, { send }) {
    const at = this.#events.findIndex(({ id }) => id === last);
    const stream = last.slice(0, last.lastIndexOf('_'));
    for (const event of this.#events.slice(at + 1)) {
      // A stream begins with an event without a message, only there to give an id.
      if (event.stream === stream && Object.keys(event.message).length) await send(event.id, event.message);
    }
    return stream;
  }
}

const sessions = new Map();
const app = createMcpExpressApp();
app.all('/mcp', async (request, response) => {
  const id = request.headers['mcp-session-id'];
  let transport = sessions.get(id);
  if (id && !transport) {
    return response.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: request.body?.id ?? null });
  }
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new Events(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => sessions.delete(id),
    });
    await newServer().connect(transport);
  }
  await transport.handleRequest(request, response, request.body);
});
await listen(app, Number(process.argv[2]));
