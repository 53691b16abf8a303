// An MCP server that is sound and strict, as the servers of the SDKs are, but for what its case says:
// the hooks of a case stand where the defect lies, and see the exchange so far.
import { randomUUID } from 'node:crypto';
import * as sound from './sound.mjs';
import { listenOnWire } from './wire.mjs';

export const JSON_TYPE = { 'Content-Type': 'application/json' };
export const EVENT_TYPE = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' };

export const answerJson = (status, value, headers) => ({ status, headers: { ...JSON_TYPE, ...headers }, body: typeof value === 'string' ? value : JSON.stringify(value) });
export const answerText = (status, body, type = 'text/plain', headers) => ({ status, headers: { 'Content-Type': type, ...headers }, body });
export const page = (status, title = 'Not Found') => answerText(status, `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`, 'text/html');
export const rpcError = (id, code, message) => JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } });
export const event = (text) => `event: message\ndata: ${text}\n\n`;

export async function startServer(one) {
  const state = { one, sessions: new Map(), received: [] };
  const wire = await listenOnWire((request) => answer(state, request));
  state.host = new URL(wire.origin).host;
  await one.before?.(state);
  return { ...wire, received: state.received, state };
}

async function answer(state, request) {
  const { one } = state;
  const exchange = open(state, request);
  // The runner reads this to know what has come through.
  state.received.push(exchange);
  const found = (await one.refuse?.(exchange)) ?? (await (one.legacy ? legacy(exchange) : streamable(exchange)));
  exchange.answered = (await one.answer?.(found, exchange)) ?? found;
  return exchange.answered;
}

function open(state, request) {
  const message = parsed(request.body);
  const single = message && !Array.isArray(message) ? message : undefined;
  const sessionId = request.header('mcp-session-id');
  return {
    ...request,
    state,
    message,
    rpc: single?.method,
    id: single?.id,
    wantsAnswer: single?.method !== undefined && single.id !== undefined,
    isNotification: single?.method !== undefined && single.id === undefined,
    isInitialize: single?.method === 'initialize',
    isProbe: single?.method === 'server/discover',
    sessionId,
    session: state.sessions.get(sessionId),
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function streamable(exchange) {
  const { state, method, path, sessionId } = exchange;
  if (path !== (state.one.at ?? '/mcp')) return answerText(404, 'Not Found');
  const refused = refusal(exchange);
  if (refused) return refused;
  if (method === 'GET') return listen(exchange);
  if (method === 'DELETE') {
    state.sessions.delete(sessionId);
    return { status: 200 };
  }
  if (!exchange.wantsAnswer) return { status: 202 };
  const text = messageOf(exchange);
  const headers = exchange.isInitialize ? { 'Mcp-Session-Id': begin(exchange) } : {};
  return state.one.sse && !exchange.isProbe
    ? { status: 200, headers: { ...EVENT_TYPE, ...headers }, body: framed(exchange, text), chunked: !state.one.measured }
    : answerJson(200, text, headers);
}

function framed(exchange, text) {
  return exchange.state.one.frame?.(text, exchange) ?? event(text);
}

// What the server of the TypeScript SDK refuses.
function refusal({ method, header, message, isInitialize, isProbe, session, sessionId, id = null }) {
  if (!['GET', 'POST', 'DELETE'].includes(method)) return { status: 405, headers: { Allow: 'GET, POST, DELETE' } };
  const accept = header('accept') ?? '';
  if (method === 'GET' && !accept.includes('text/event-stream')) return answerJson(406, rpcError(null, -32000, 'Not Acceptable'));
  if (method === 'POST') {
    const takesBoth = accept.includes('application/json') && accept.includes('text/event-stream');
    if (!takesBoth) return answerJson(406, rpcError(null, -32000, 'Not Acceptable: Client must accept both application/json and text/event-stream'));
    if (header('content-type') !== 'application/json') return answerJson(415, rpcError(null, -32000, 'Unsupported Media Type'));
    if (message === undefined || Array.isArray(message)) return answerJson(400, rpcError(null, -32700, 'Parse error'));
    if (isInitialize || isProbe) return undefined;
  }
  if (sessionId === undefined) return answerJson(400, rpcError(null, -32000, 'Bad Request: Mcp-Session-Id header is required'));
  if (!session) return answerJson(404, rpcError(id, -32001, 'Session not found'));
  const version = header('mcp-protocol-version');
  if (version !== undefined && !sound.VERSIONS.includes(version)) {
    return answerJson(400, rpcError(id, -32000, `Bad Request: Unsupported protocol version (supported versions: ${sound.VERSIONS.join(', ')})`));
  }
  return undefined;
}

function begin({ state }) {
  const id = state.one.sessionId?.() ?? randomUUID();
  state.sessions.set(id, {});
  return id;
}

// One stream a session, and a notification on it as soon as it is there.
function listen({ state, session }) {
  if (session.stream) return answerJson(409, rpcError(null, -32000, 'Conflict: Only one SSE stream is allowed per session'));
  return {
    status: 200,
    headers: EVENT_TYPE,
    stream(out) {
      session.stream = out;
      out.gone.then(() => (session.stream = undefined));
      out.write(state.one.notice?.(NOTIFICATION) ?? event(NOTIFICATION));
      session.listens?.();
    },
  };
}

const NOTIFICATION = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'hello' } });

// The JSON-RPC answer to a request, as text.
export function messageOf(exchange) {
  const { state, rpc, id } = exchange;
  const result = state.one.lacks?.includes(rpc) ? undefined : RESULTS[rpc]?.(exchange);
  const error = result === undefined ? { code: -32601, message: 'Method not found' } : undefined;
  const changed = error ? undefined : (state.one.result?.(rpc, result, exchange) ?? result);
  const text = error
    ? JSON.stringify({ jsonrpc: '2.0', id, error })
    : `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${typeof changed === 'string' ? changed : JSON.stringify(changed)}}`;
  return state.one.text?.(text, exchange) ?? text;
}

const RESULTS = {
  initialize: ({ message: { params } }) => ({
    protocolVersion: sound.VERSIONS.includes(params.protocolVersion) ? params.protocolVersion : sound.VERSIONS[0],
    capabilities: sound.CAPABILITIES,
    serverInfo: sound.SERVER,
    instructions: sound.INSTRUCTIONS,
  }),
  'tools/list': ({ message: { params } }) => (params?.cursor === sound.CURSOR ? { tools: sound.MORE_TOOLS } : { tools: sound.TOOLS, nextCursor: sound.CURSOR }),
  // The arguments go back as they came, to the byte.
  'tools/call': ({ body }) => ({
    content: [{ type: 'text', text: argumentsOf(body) }, ...sound.MORE_CONTENT],
    structuredContent: sound.STRUCTURED,
  }),
  'resources/list': () => ({ resources: sound.RESOURCES }),
  'resources/templates/list': () => ({ resourceTemplates: sound.TEMPLATES }),
  'prompts/list': () => ({ prompts: sound.PROMPTS }),
  ping: () => ({}),
  'logging/setLevel': () => ({}),
};

// The text of the object behind "arguments": up to where its braces close.
export function argumentsOf(body) {
  const start = body.indexOf('{', body.indexOf('"arguments"'));
  for (let end = body.indexOf('}', start); end > 0; end = body.indexOf('}', end + 1)) {
    const text = body.slice(start, end + 1);
    if (parsed(text)) return text;
  }
  return '';
}

// HTTP+SSE of 2024-11-05: answers come on the stream of the GET, whose first event says where to post.
function legacy(exchange) {
  const { state, method, path, query, message } = exchange;
  if (path === '/sse') return method === 'GET' ? openLegacy(exchange) : answerText(405, 'Method Not Allowed');
  if (path !== (state.one.postAt ?? '/messages') || method !== 'POST') return answerText(404, 'Not Found');
  const session = state.sessions.get(query.get('session_id'));
  if (!session) return answerText(404, 'Could not find session');
  if (message === undefined) return answerText(400, 'Could not parse message');
  exchange.session = session;
  if (exchange.wantsAnswer) session.stream.write(event(messageOf(exchange)));
  if (exchange.rpc === 'notifications/initialized') session.stream.write(event(NOTIFICATION));
  return answerText(202, 'Accepted');
}

function openLegacy({ state, header }) {
  const id = randomUUID().replaceAll('-', '');
  const path = `${state.one.postAt ?? '/messages'}?session_id=${id}`;
  return {
    status: 200,
    headers: EVENT_TYPE,
    stream(out) {
      state.sessions.set(id, { stream: out });
      out.write(state.one.endpoint?.(path, `http://${header('host')}`) ?? `event: endpoint\ndata: ${path}\n\n`);
    },
  };
}
