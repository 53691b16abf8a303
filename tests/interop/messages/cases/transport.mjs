// What is wrong around the messages: where they go, what is refused, which status an answer has.
import { ANYTHING, error, QUIET } from '../judge.mjs';
import { answerJson, answerText, page, rpcError } from '../server.mjs';

const each = (table, build) => Object.entries(table).map(([name, value]) => build(name, value));
const EMPTY = { status: 200 };
// A client waits for as long as the proxy does, and somewhat longer.
const NO_ANSWER = { hang: true };

// F-01: the endpoint is somewhere else.
const redirects = each({
  '301 relative': [301, () => '/mcp/'],
  '302 relative': [302, () => '/mcp/'],
  '303 relative': [303, () => '/mcp/'],
  '307 relative': [307, () => '/mcp/'],
  '308 relative': [308, () => '/mcp/'],
  '301 absolute': [301, (host) => `http://${host}/mcp/`],
  '307 absolute': [307, (host) => `http://${host}/mcp/`],
  '308 absolute': [308, (host) => `http://${host}/mcp/`],
  '307 other loopback name': [307, (host) => `http://${host.replace('127.0.0.1', 'localhost')}/mcp/`],
  '307 https': [307, (host) => `https://${host}/mcp/`],
  '307 without a slash first': [307, () => 'mcp/'],
}, (name, [status, location]) => ({
  id: `redirect: ${name}`,
  rows: ['F-01'],
  at: '/mcp/',
  refuse: ({ path, header }) => (path === '/mcp' ? { status, headers: { Location: location(header('host')) } } : undefined),
}));
const moreRedirects = [
  {
    id: 'redirect: 308 to another path',
    rows: ['F-01'],
    at: '/api/v1/mcp',
    refuse: ({ path }) => (path === '/mcp' ? { status: 308, headers: { Location: '/api/v1/mcp' } } : undefined),
  },
  {
    id: 'redirect: two hops',
    rows: ['F-01'],
    at: '/b/',
    refuse: ({ path }) => ({ '/mcp': { status: 307, headers: { Location: '/b' } }, '/b': { status: 301, headers: { Location: '/b/' } } })[path],
  },
  {
    id: 'redirect: slash too many',
    rows: ['F-01'],
    path: '/mcp/',
    refuse: ({ path }) => (path === '/mcp/' ? { status: 307, headers: { Location: '/mcp' } } : undefined),
  },
  {
    id: 'redirect: POST alone',
    rows: ['F-01'],
    at: '/mcp/',
    refuse(exchange) {
      if (exchange.path !== '/mcp') return undefined;
      if (exchange.method === 'POST') return { status: 301, headers: { Location: '/mcp/' } };
      exchange.path = '/mcp/';
      return undefined;
    },
  },
  {
    id: 'redirect: in a circle',
    rows: ['F-01'],
    unmendable: true,
    refuse: ({ path }) => ({ '/mcp': { status: 307, headers: { Location: '/mcp/' } }, '/mcp/': { status: 307, headers: { Location: '/mcp' } } })[path],
  },
];

// F-11, F-12: notifications.
const answeredWith = (name, answer, row, more) => ({
  id: `notification: ${name}`,
  rows: [row],
  refuse: ({ isNotification, session }) => (isNotification && session ? answer : undefined),
  ...more,
});
const notifications = [
  ...each({
    '200 empty': EMPTY,
    '200 text': answerText(200, 'ok'),
    '200 {}': answerJson(200, {}),
    '200 result without id': answerJson(200, { jsonrpc: '2.0', result: {} }),
    '200 result, id null': answerJson(200, { jsonrpc: '2.0', id: null, result: {} }),
    '200 result, id 0': answerJson(200, { jsonrpc: '2.0', id: 0, result: {} }),
    '200 page': page(200, 'Welcome'),
    '200 event stream': { status: 200, headers: { 'Content-Type': 'text/event-stream' } },
    '200 error -32601': answerJson(200, rpcError(null, -32601, 'Method not found')),
    '201': { status: 201 },
    '202 with a body': answerText(202, 'Accepted'),
    '202 with null': answerJson(202, 'null'),
    '204': { status: 204 },
  }, (name, answer) => answeredWith(name, answer, 'F-11')),
  ...each({
    '400 json': answerJson(400, { error: 'id is missing' }),
    '400 error -32600': answerJson(400, rpcError(null, -32600, 'Invalid Request')),
    '400 error -32601': answerJson(400, rpcError(null, -32601, 'Method not found')),
    '404 text': answerText(404, 'Not Found'),
    '404 error -32601': answerJson(404, rpcError(null, -32601, 'Method not found')),
    '405': { status: 405, headers: { Allow: 'POST' } },
    '406': answerText(406, 'Not Acceptable'),
    '422': answerJson(422, { detail: [{ loc: ['body', 'id'], msg: 'field required' }] }),
    '500 page': page(500, 'Internal Server Error'),
    '500 json': answerJson(500, { error: 'internal' }),
    '501': answerText(501, 'Not Implemented'),
  }, (name, answer) => answeredWith(name, answer, 'F-12')),
];

// F-14: the stream of notifications that is not there. F-15: the end of a session.
const asked = (verb, answer) => ({ method, session }) => (method === verb && session ? answer : undefined);
const streams = each({
  '404 text': answerText(404, 'Not Found'),
  '404 page': page(404),
  '400 json': answerJson(400, { error: 'Bad Request' }),
  '400 error': answerJson(400, rpcError(null, -32600, 'Invalid Request')),
  '406': answerText(406, 'Not Acceptable'),
  '500': answerText(500, 'Internal Server Error'),
  '501': answerText(501, 'Not Implemented'),
  '200 page': page(200, 'Welcome'),
  '200 json': answerJson(200, { status: 'ok' }),
  '200 error': answerJson(200, rpcError(null, -32600, 'Invalid Request')),
  '200 empty': EMPTY,
  '204': { status: 204 },
  'no answer': NO_ANSWER,
}, (name, answer) => ({ id: `GET: ${name}`, rows: ['F-14'], stream: false, expect: { quiet: QUIET }, refuse: asked('GET', answer) }));
const ends = each({
  '404': answerText(404, 'Not Found'),
  '400': answerJson(400, { error: 'Bad Request' }),
  '500': answerText(500, 'Internal Server Error'),
  '501': answerText(501, 'Not Implemented'),
  '200 page': page(200, 'Welcome'),
  'no answer': NO_ANSWER,
}, (name, answer) => ({ id: `DELETE: ${name}`, rows: ['F-15'], limit: name === 'no answer' ? 6_000 : undefined, refuse: asked('DELETE', answer) }));

// F-16: the session is gone when the tool is called. What a client makes of a 404, it shall make of these.
const lost = {
  ts1: error(404),
  ts2: error(undefined, /404|Session not found/),
  py1: error(undefined, /Session terminated/),
  py2: error(undefined, /Session (terminated|not found)/),
  rmcp: ({ value }) => value !== undefined, // begins a new session
};
const sessions = each({
  '404 (right)': (id) => answerJson(404, rpcError(id, -32001, 'Session not found')),
  '404 text': () => answerText(404, 'Session not found'),
  '400 no valid session': () => answerJson(400, rpcError(null, -32000, 'Bad Request: No valid session ID provided')),
  '400 text': () => answerText(400, 'Invalid session ID'),
  '400 not initialized': () => answerJson(400, rpcError(null, -32000, 'Bad Request: Server not initialized')),
  '401 session': () => answerJson(401, { error: 'Session expired' }),
  '500': () => answerJson(500, rpcError(null, -32603, 'Session not found')),
  '503': () => answerText(503, 'unknown session'),
  '410': () => answerText(410, 'Session expired'),
  '200 error': (id) => answerJson(200, rpcError(id, -32001, 'Session not found')),
  '200 error -32600': (id) => answerJson(200, rpcError(id, -32600, 'Session not found or expired')),
}, (name, answer) => ({
  id: `session lost: ${name}`,
  rows: ['F-16'],
  stream: false,
  expect: { call: (outcome, client) => lost[client](outcome), ping: ANYTHING, resources: ANYTHING, templates: ANYTHING, prompts: ANYTHING, close: ANYTHING },
  refuse({ rpc, id, session, sessionId, state }) {
    if (rpc === 'tools/list' && session) session.known = true;
    // One that a client begins because of this has no list yet, and is not lost again.
    if (rpc === 'tools/call' && session?.known) state.sessions.delete(sessionId);
    const gone = sessionId !== undefined && !state.sessions.has(sessionId);
    return gone ? answer(id ?? null) : undefined;
  },
}));

// F-31, F-32, F-33: errors, methods that are not there, nothing at all.
const METHODS = ['ping', 'resources/list', 'resources/templates/list', 'prompts/list'];
const answering = (methods, answer) => ({ rpc, id, session }) => (session && methods.includes(rpc) ? answer(id) : undefined);
const errors = each({
  '400 -32602': [400, -32602, 'Invalid arguments for tool forecast'],
  '404 -32601': [404, -32601, 'Method not found'],
  '422 -32602': [422, -32602, 'Invalid params'],
  '500 -32603': [500, -32603, 'Something broke'],
  '503 -32000': [503, -32000, 'Try later'],
}, (name, [status, code, message]) => ({
  id: `error with status: ${name}`,
  rows: ['F-31'],
  expect: { call: error(code, new RegExp(message)) },
  refuse: answering(['tools/call'], (id) => answerJson(status, rpcError(id, code, message))),
}));
const missing = each({
  '404 text': () => answerText(404, 'Not Found'),
  '404 page': () => page(404),
  '404 json': () => answerJson(404, { error: 'Unknown method' }),
  '405': () => answerText(405, 'Method Not Allowed'),
  '501 text': () => answerText(501, 'Not Implemented'),
  '501 page': () => page(501, 'Not Implemented'),
  '200 page': () => page(200, 'Unknown method'),
}, (name, answer) => ({
  id: `unknown method: ${name}`,
  rows: ['F-32'],
  expect: { resources: error(-32601), templates: error(-32601), prompts: error(-32601) },
  refuse: answering(METHODS, answer),
}));
const empty = each({
  '200': () => EMPTY,
  '200 json': () => answerJson(200, ''),
  '200 event stream': () => ({ status: 200, headers: { 'Content-Type': 'text/event-stream' } }),
  '204': () => ({ status: 204 }),
}, (name, answer) => ({
  id: `empty: ${name}`,
  rows: ['F-33'],
  expect: { call: error(-32603) },
  refuse: answering(['tools/call'], answer),
}));

export default [...redirects, ...moreRedirects, ...notifications, ...streams, ...ends, ...sessions, ...errors, ...missing, ...empty];
