// What exactly the server and the client get through the proxy: no SDK, raw HTTP.
//
// A check is a case with `check`, which gets the proxy to talk to and what the server has received.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { exchange, request } from './raw.mjs';
import { answerJson, answerText, event, messageOf, page, rpcError, startServer } from './server.mjs';

const EVENTS = 'text/event-stream';
const JSON_ONLY = 'application/json';
const rpc = (id, method, params) => JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), method, ...(params && { params }) });
const INITIALIZE = rpc(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'exact', version: '1' } });
const PROBE = rpc('server-discover-probe-1', 'server/discover', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } });
const PROBE_FIELDS = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'server/discover' };
// Blanks, escapes, numbers and the order of members as no library would write them.
const ARGUMENTS = '{ "city":"Malm\u00f6 \\u00e9\\/",  "n": 1.0, "big":12345678901234567890, "e":1E+2, "a":null,"error":null, "nextCursor" : null, "a":2 }';
const CALL = `{"jsonrpc":"2.0", "id":7,\n "method":"tools/call","params":{"name":"forecast","arguments":${ARGUMENTS}}}`;
const CONTENT = '[ {"type":"text", "text":"\\u00e9\\/ 1.0", "annotations":null, "x":null} ]';
const STRUCTURED = '{ "ok":true, "none": null,"error":null, "nextCursor":null,"big":12345678901234567890, "f":1.50 }';
const RESULT = `{"content":${CONTENT},"structuredContent":${STRUCTURED}}`;

// The proxy as one client sees it.
class Talk {
  constructor(base, server) {
    this.base = base;
    this.server = server;
  }

  ask(what, how) {
    return exchange(this.base, request({ ...what, headers: { ...this.session, ...what.headers } }), how);
  }

  async begin(headers) {
    const answer = await this.ask({ body: INITIALIZE, headers });
    assert.equal(answer.status, 200, `initialize: ${answer.status} ${answer.body}`);
    const id = answer.header('mcp-session-id');
    this.session = { ...(id && { 'Mcp-Session-Id': id }), 'MCP-Protocol-Version': '2025-11-25' };
    return answer;
  }

  // What the server got last, of what passes the test.
  got(test) {
    const found = this.server.received.filter(test).at(-1);
    assert.ok(found, 'the server got nothing of this');
    return found;
  }
}

const isCall = ({ rpc: method }) => method === 'tools/call';
const emptied = (answer, status = 202) => {
  assert.deepEqual([answer.status, answer.header('content-length'), answer.body, answer.header('content-type')], [status, '0', '', undefined]);
};
const dataOf = (body) => body.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim()).join('');
const json = (answer, status) => {
  assert.equal(answer.status, status, `${answer.status} ${answer.body.slice(0, 200)}`);
  assert.match(answer.header('content-type') ?? '', /^application\/json/);
  return JSON.parse(answer.body);
};
const withSession = (answer) => (exchanged) => (exchanged.session ? answer(exchanged) : undefined);

const each = (table, build) => Object.entries(table).map(([name, value]) => build(name, value));
const check = (id, rows, one, test) => ({ id: `exact: ${id}`, rows: [].concat(rows), ...one, check: test });

// What a server that wants tokens says of itself.
function metadataOf(path, header, endpoint) {
  const origin = `http://${header('host')}`;
  if (path.startsWith('/.well-known/oauth-protected-resource')) return answerJson(200, { resource: origin + endpoint, authorization_servers: [origin] });
  if (path !== '/.well-known/oauth-authorization-server') return undefined;
  return answerJson(200, { issuer: origin, authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token`, response_types_supported: ['code'], code_challenge_methods_supported: ['S256'] });
}

const notifications = [
  ...each({
    'F-11 200 json': answerJson(200, { jsonrpc: '2.0', id: null, result: {} }),
    'F-11 200 empty': { status: 200 },
    'F-11 202 with a body': answerText(202, 'Accepted'),
    'F-11 204': { status: 204 },
    'F-12 400': answerJson(400, rpcError(null, -32600, 'Invalid Request')),
    'F-12 500': page(500, 'Internal Server Error'),
  }, (name, answer) => check(`notification ${name}`, name.slice(0, 4), { refuse: withSession(({ isNotification }) => (isNotification ? answer : undefined)) }, async (talk) => {
    await talk.begin();
    emptied(await talk.ask({ body: rpc(undefined, 'notifications/initialized') }));
  })),
  ...each({ 401: 'Unauthorized', 403: 'Forbidden', 413: 'Payload Too Large', 429: 'Too Many Requests', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Time-out' },
    (status, text) => check(`notification ${status} stays`, 'F-12', { refuse: withSession(({ isNotification }) => (isNotification ? answerText(Number(status), text) : undefined)) }, async (talk) => {
      await talk.begin();
      const { status: found } = await talk.ask({ body: rpc(undefined, 'notifications/initialized') });
      assert.equal(found, Number(status));
    })),
  check('notification in a dead session', 'F-12', { refuse: ({ isNotification, id }) => (isNotification ? answerJson(400, rpcError(id ?? null, -32000, 'Bad Request: No valid session ID provided')) : undefined) }, async (talk) => {
    await talk.begin();
    const { status } = await talk.ask({ body: rpc(undefined, 'notifications/initialized') });
    assert.equal(status, 404);
  }),
  check('an answer of the client is accepted', 'F-11', { refuse: withSession(({ message }) => (message?.result ? answerText(200, 'ok') : undefined)) }, async (talk) => {
    await talk.begin();
    emptied(await talk.ask({ body: '{"jsonrpc":"2.0","id":1,"result":{}}' }));
  }),
];

const streams = [
  ...each({ '404': answerText(404, 'Not Found'), '200 json': answerJson(200, { status: 'ok' }), '500': answerText(500, 'no'), '400': answerJson(400, { error: 'Bad Request' }) },
    (name, answer) => check(`GET ${name}`, 'F-14', { refuse: withSession(({ method }) => (method === 'GET' ? answer : undefined)) }, async (talk) => {
      await talk.begin();
      const found = await talk.ask({ method: 'GET' });
      assert.equal(found.status, 405);
      assert.match(found.header('allow') ?? '', /POST/);
      assert.match(found.header('allow') ?? '', /DELETE/);
      assert.deepEqual([found.body, found.header('content-length')], ['', '0']);
    })),
  check('GET without a head', 'F-14', { refuse: withSession(({ method }) => (method === 'GET' ? { hang: true } : undefined)) }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ method: 'GET' });
    assert.ok([200, 405].includes(found.status), `${found.status}`);
  }),
  ...each({ 404: answerText(404, 'Not Found'), 500: answerText(500, 'no') }, (name, answer) => check(`DELETE ${name}`, 'F-15', { refuse: withSession(({ method }) => (method === 'DELETE' ? answer : undefined)) }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ method: 'DELETE' });
    assert.ok([200, 204, 405].includes(found.status), `${found.status}`);
    assert.equal(found.body, '');
  })),
  ...each({ 404: answerText(404, 'Not Found'), 405: { status: 405, headers: { Allow: 'POST' } }, 500: answerText(500, 'no') }, (name, answer) => check(`HEAD ${name}`, 'F-36', { refuse: ({ method }) => (method === 'HEAD' ? answer : undefined) }, async (talk) => {
    const found = await talk.ask({ method: 'HEAD' }, { until: ({ status }) => status });
    assert.ok([200, 405].includes(found.status), `${found.status}`);
  })),
  check('HEAD without a token', 'F-36', {
    refuse({ method, path, header }) {
      const metadata = metadataOf(path, header, '/mcp');
      if (metadata || path !== '/mcp' || header('authorization')) return metadata;
      return method === 'HEAD' ? answerText(404, 'Not Found') : answerJson(401, { error: 'invalid_token' }, { 'WWW-Authenticate': 'Bearer' });
    },
  }, async (talk) => {
    const found = await talk.ask({ method: 'HEAD' }, { until: ({ status }) => status });
    assert.equal(found.status, 401);
    assert.match(found.header('www-authenticate') ?? '', /^Bearer/);
  }),
];

const deadSession = (answer) => (exchanged) => (exchanged.session && (exchanged.rpc === 'tools/call' || exchanged.method === 'GET') ? answer(exchanged.id) : undefined);
const sessions = [
  ...each({
    '400': (id) => answerJson(400, rpcError(null, -32000, 'Bad Request: No valid session ID provided')),
    '400 text': () => answerText(400, 'Invalid session ID'),
    '500': (id) => answerJson(500, rpcError(id ?? null, -32603, 'Session not found')),
    '200 error': (id) => answerJson(200, rpcError(id ?? null, -32001, 'Session not found')),
    '401 session': () => answerJson(401, { error: 'Session expired' }),
  }, (name, answer) => check(`dead session ${name}`, 'F-16', { refuse: deadSession(answer) }, async (talk) => {
    await talk.begin();
    const found = json(await talk.ask({ body: CALL }), 404);
    assert.deepEqual([found.jsonrpc, found.id, found.error?.code, Object.keys(found).sort()], ['2.0', 7, -32001, ['error', 'id', 'jsonrpc']]);
  })),
  check('dead session 401 with a challenge stays', 'F-16', { refuse: deadSession(() => answerJson(401, { error: 'invalid_token', error_description: 'The session has expired' }, { 'WWW-Authenticate': 'Bearer error="invalid_token"' })) }, async (talk) => {
    await talk.begin();
    assert.equal((await talk.ask({ body: CALL })).status, 401);
  }),
  check('dead session GET', 'F-16', { refuse: deadSession((id) => answerJson(400, rpcError(null, -32000, 'Bad Request: No valid session ID provided'))) }, async (talk) => {
    await talk.begin();
    assert.equal((await talk.ask({ method: 'GET' })).status, 404);
  }),
  check('session id null is dropped', 'F-18', { answer: (answer, { isInitialize }) => (isInitialize ? { ...answer, headers: { ...answer.headers, 'Mcp-Session-Id': 'null' } } : undefined) }, async (talk) => {
    assert.equal((await talk.begin()).header('mcp-session-id'), undefined);
  }),
  check('session id with blanks', 'F-18', { sessionId: () => 'a session id' }, async (talk) => {
    const id = (await talk.begin()).header('mcp-session-id');
    assert.match(id, /^[\x21-\x7e]+$/);
    json(await talk.ask({ body: CALL }), 200);
    assert.equal(talk.got(isCall).sessionId, 'a session id');
  }),
  check('cookies of two sessions', 'F-38', {
    sessionId: undefined,
    answer: (answer, { isInitialize, state }) => (isInitialize ? { ...answer, headers: { ...answer.headers, 'Set-Cookie': `node=${(state.count = (state.count ?? 0) + 1)}; Path=/` } } : undefined),
  }, async (talk) => {
    const other = new Talk(talk.base, talk.server);
    const first = cookieOf(await begun(talk));
    const second = cookieOf(await begun(other));
    assert.notEqual(first, second);
    for (const [one, wanted] of [[talk, first], [other, second], [talk, first]]) {
      json(await one.ask({ body: CALL }), 200);
      assert.equal(one.got(isCall).header('cookie'), wanted);
    }
    async function begun(one) {
      await one.begin();
      return one.got(({ isInitialize }) => isInitialize);
    }
    function cookieOf({ answered }) {
      return answered.headers['Set-Cookie'].split(';')[0];
    }
  }),
  check('cookie of the client stays', 'F-38', { answer: (answer, { isInitialize }) => (isInitialize ? { ...answer, headers: { ...answer.headers, 'Set-Cookie': 'node=1; Path=/' } } : undefined) }, async (talk) => {
    await talk.begin();
    json(await talk.ask({ body: CALL, headers: { Cookie: 'mine=2' } }), 200);
    assert.deepEqual(talk.got(isCall).header('cookie').split('; ').sort(), ['mine=2', 'node=1']);
  }),
];

const bytes = [
  check('a call passes byte for byte', '-', { result: (method) => (method === 'tools/call' ? RESULT : undefined) }, async (talk) => {
    await talk.begin();
    const { body } = await talk.ask({ body: CALL });
    assert.equal(talk.got(isCall).body, CALL);
    assert.equal(body, `{"jsonrpc":"2.0","id":7,"result":${RESULT}}`);
  }),
  check('a call passes byte for byte, as events', '-', { sse: true, result: (method) => (method === 'tools/call' ? RESULT : undefined) }, async (talk) => {
    await talk.begin();
    const { body } = await talk.ask({ body: CALL });
    assert.equal(talk.got(isCall).body, CALL);
    assert.equal(dataOf(body), `{"jsonrpc":"2.0","id":7,"result":${RESULT}}`);
  }),
  ...each({
    'error null': (text) => text.replace(/\}$/, ',"error":null}'),
    'jsonrpc missing': (text) => text.replace('"jsonrpc":"2.0",', ''),
    'id null': (text) => text.replace('"id":7', '"id":null'),
  }, (name, change) => check(`what a tool says stays beside ${name}`, ['F-24', 'F-27'], { forms: ['json', 'sse'], result: (method) => (method === 'tools/call' ? RESULT : undefined), text: (text, { rpc: method }) => (method === 'tools/call' ? change(text) : undefined) }, async (talk) => {
    await talk.begin();
    const { body } = await talk.ask({ body: CALL });
    const found = JSON.parse(body.startsWith('{') ? body : dataOf(body));
    assert.deepEqual([found.jsonrpc, found.id, 'error' in found], ['2.0', 7, false]);
    assert.ok(body.includes(CONTENT) && body.includes(STRUCTURED), body);
  })),
  check('nulls go, and nothing else', 'F-27', {
    result: (method) => (method === 'tools/list' ? '{ "tools":[ {"name":"a", "title":null,"inputSchema":{"type":"object", "properties":{"x":{"default":null, "n":1.0}}},"x-vendor":{"a":null}, "description":"\\u00e9"} ], "nextCursor":null,"x-more":null }' : undefined),
  }, async (talk) => {
    await talk.begin();
    const { body } = await talk.ask({ body: rpc(3, 'tools/list') });
    const { result } = JSON.parse(body);
    assert.ok(!('nextCursor' in result) && !('title' in result.tools[0]), body);
    for (const kept of ['{"type":"object", "properties":{"x":{"default":null, "n":1.0}}}', '"x-vendor":{"a":null}', '"description":"\\u00e9"']) assert.ok(body.includes(kept), body);
  }),
];

const forms = [
  ...each({ 'application/json': JSON_ONLY, 'text/event-stream': EVENTS, '*/*': '*/*', none: undefined, 'application/json;q=0.9': 'application/json;q=0.9', 'text/html, */*;q=0.1': 'text/html, */*;q=0.1' },
    (name, accept) => ['json', 'sse'].map((form) => check(`Accept ${name}, answered in ${form}`, 'F-02', { sse: form === 'sse' }, async (talk) => {
      await talk.begin();
      const found = await talk.ask({ body: CALL, headers: { Accept: accept } });
      assert.equal(found.status, 200, found.body);
      const sent = talk.got(isCall).header('accept');
      assert.ok(sent.includes(JSON_ONLY) && sent.includes(EVENTS), sent);
      const type = found.header('content-type');
      if (accept === EVENTS) assert.match(type, /^text\/event-stream/);
      else if (accept?.startsWith(JSON_ONLY)) assert.match(type, /^application\/json/);
      const text = type.startsWith(EVENTS) ? dataOf(found.body) : found.body;
      assert.equal(JSON.parse(text).id, 7);
    }))).flat(),
  ...each({ 'application/json; charset=utf-8': 'application/json; charset=utf-8', 'Application/JSON': 'Application/JSON', 'text/plain': 'text/plain;charset=UTF-8', none: undefined, 'application/json-rpc': 'application/json-rpc' },
    (name, type) => check(`Content-Type ${name}`, 'F-03', {}, async (talk) => {
      await talk.begin();
      json(await talk.ask({ body: CALL, headers: { 'Content-Type': type } }), 200);
      assert.equal(talk.got(isCall).header('content-type'), 'application/json');
      assert.equal(talk.got(isCall).body, CALL);
    })),
  ...each({ 'text/plain': 'text/plain', none: undefined, 'application/json-rpc': 'application/json-rpc', 'text/event-stream': EVENTS }, (name, type) => check(`JSON called ${name}`, 'F-19', {
    answer: (answer, exchanged) => (isCall(exchanged) ? { ...answer, headers: type ? { 'Content-Type': type } : {} } : undefined),
  }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL });
    const type = found.header('content-type');
    assert.match(type, /^(application\/json|text\/event-stream)/);
    assert.equal(JSON.parse(type.startsWith(EVENTS) ? dataOf(found.body) : found.body).id, 7);
  })),
  check('error in 400', 'F-31', { refuse: withSession(({ id, rpc: method }) => (method === 'tools/call' ? answerJson(400, rpcError(id, -32602, 'No such city')) : undefined)) }, async (talk) => {
    await talk.begin();
    const answer = await talk.ask({ body: CALL });
    assert.deepEqual([answer.status, answer.body], [200, rpcError(7, -32602, 'No such city')]);
  }),
  check('error in 400 of the newer version stays', 'F-31', { refuse: ({ id, rpc: method }) => (method === 'tools/call' ? answerJson(400, rpcError(id, -32020, 'Header mismatch: Mcp-Method')) : undefined) }, async (talk) => {
    const meta = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
    const body = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"forecast","arguments":{},${meta}}}`;
    const found = json(await talk.ask({ body, headers: { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', 'Mcp-Name': 'forecast' } }), 400);
    assert.equal(found.error.code, -32020);
  }),
  check('unknown method in 404 of the newer version stays', 'F-31', { refuse: ({ id, rpc: method }) => (method === 'x/y' ? answerJson(404, rpcError(id, -32601, 'Method not found')) : undefined) }, async (talk) => {
    const body = '{"jsonrpc":"2.0","id":7,"method":"x/y","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}';
    const found = json(await talk.ask({ body, headers: { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'x/y' } }), 404);
    assert.equal(found.error.code, -32601);
  }),
  check('nothing at all', 'F-33', { refuse: withSession((exchanged) => (isCall(exchanged) ? { status: 200 } : undefined)) }, async (talk) => {
    await talk.begin();
    const found = json(await talk.ask({ body: CALL }), 200);
    assert.deepEqual([found.id, found.error.code], [7, -32603]);
  }),
  check('a page for ping', 'F-32', { refuse: withSession(({ rpc: method }) => (method === 'ping' ? page(501, 'Not Implemented') : undefined)) }, async (talk) => {
    await talk.begin();
    const found = json(await talk.ask({ body: rpc(9, 'ping') }), 200);
    assert.deepEqual(found, { jsonrpc: '2.0', id: 9, result: {} });
  }),
  ...each({ 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Time-out', 429: 'Too Many Requests' }, (status, title) => check(`page ${status}`, 'F-43', {
    refuse: withSession((exchanged) => (isCall(exchanged) ? { ...page(Number(status), title), headers: { 'Content-Type': 'text/html', 'Retry-After': '7' } } : undefined)),
  }, async (talk) => {
    await talk.begin();
    const answer = await talk.ask({ body: CALL });
    const found = json(answer, Number(status));
    assert.deepEqual([found.jsonrpc, found.id, typeof found.error.code, typeof found.error.message], ['2.0', 7, 'number', 'string']);
    assert.equal(answer.header('retry-after'), '7');
    assert.ok(!answer.body.includes('<'), answer.body);
  })),
  check('a batch of the client', 'F-26', {}, async (talk) => {
    const first = await talk.begin();
    assert.equal(first.status, 200);
    const answer = await talk.ask({ body: `[${rpc(1, 'ping')},${rpc(undefined, 'notifications/initialized')},${rpc(2, 'tools/list')}]`, headers: { 'MCP-Protocol-Version': '2025-03-26' } });
    assert.equal(answer.status, 200, answer.body);
    const found = answer.header('content-type').startsWith(EVENTS) ? answer.body.split('\n\n').map(dataOf).filter(Boolean).map((text) => JSON.parse(text)).flat() : JSON.parse(answer.body);
    assert.deepEqual(found.map(({ id }) => id).sort(), [1, 2]);
  }),
];

const silent = (after) => ({ sse: true, answer: (answer, exchanged) => (isCall(exchanged) ? { ...answer, body: undefined, stream: after(answer) } : undefined) });
const events = [
  check('an event stream is not to be buffered', 'F-22', { sse: true }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL, headers: { 'Accept-Encoding': 'gzip, br' } });
    assert.equal(found.header('x-accel-buffering'), 'no');
    assert.match(found.header('cache-control'), /no-transform/);
    assert.match(found.header('cache-control'), /no-cache/);
    assert.match(talk.got(isCall).header('accept-encoding') ?? 'identity', /^identity$/);
  }),
  check('a comment comes at once', 'F-22', silent(() => () => {}), async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL }, { until: ({ body }) => body.includes(':'), limit: 2_000 });
    assert.match(found.body, /^:[^\n]*\n\n?/);
  }),
  check('a comment comes after 15 s of silence', 'F-22', silent(() => (out) => out.write('event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\n\n')), async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL }, { until: ({ body }) => /\n\n:/.test(body), limit: 20_000 });
    assert.match(found.body, /\n\n:[^\n]*\n/);
    const late = found.parts.at(-1).at;
    assert.ok(late > 10_000 && late < 19_000, `after ${late} ms`);
  }),
  check('a comment comes at once on the stream of a GET', 'F-22', { answer: (answer, { method }) => (method === 'GET' && answer.stream ? { ...answer, stream: () => {} } : undefined) }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ method: 'GET' }, { until: ({ body }) => body.includes(':'), limit: 2_000 });
    assert.equal(found.header('x-accel-buffering'), 'no');
    assert.match(found.body, /^:[^\n]*\n\n?/);
  }),
  check('silence in the middle of an event', 'F-22', silent((answer) => (out) => (out.write(answer.body.slice(0, 60)), setTimeout(() => (out.write(answer.body.slice(60)), out.end()), 17_000))), async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL }, { limit: 25_000 });
    assert.equal(JSON.parse(dataOf(found.body)).id, 7);
  }),
  check('events come as they are written', 'F-22', silent((answer) => (out) => (out.write('data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\n\n'), setTimeout(() => (out.write(answer.body), out.end()), 1_000))), async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL });
    const first = found.parts.find(({ text }) => text.includes('notifications/message')).at;
    const last = found.parts.at(-1).at;
    assert.ok(last - first > 700, `${first} ms and ${last} ms`);
  }),
  check('a compressed event stream', ['F-22', 'H-08'], { sse: true, answer: (answer, exchanged) => (isCall(exchanged) ? { status: 200, headers: { 'Content-Type': EVENTS, 'Content-Encoding': 'gzip' }, body: gzipSync(event(messageOf(exchanged))) } : undefined) }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL });
    assert.equal(found.header('content-encoding'), undefined);
    assert.equal(JSON.parse(dataOf(found.body)).id, 7);
  }),
  ...each({ 'no blank line': (text) => `data: ${text}\n`, 'no newline': (text) => `event: message\ndata: ${text}` }, (name, frame) => check(`last event ${name}`, 'F-20', { sse: true, frame }, async (talk) => {
    await talk.begin();
    assert.match((await talk.ask({ body: CALL })).body, /\}\r?\n\r?\n(:[^\n]*\n\n?)*$/);
  })),
  check('an odd name', 'F-21', { sse: true, frame: (text) => `id: 5\nevent: response\ndata: ${text}\n\n` }, async (talk) => {
    await talk.begin();
    const { body } = await talk.ask({ body: CALL });
    assert.ok(!/event: ?response/.test(body), body);
    assert.match(body, /id: ?5/);
    assert.equal(JSON.parse(dataOf(body)).id, 7);
  }),
  check('the stream stays open after the answer', 'F-23', silent((answer) => (out) => out.write(answer.body)), async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL }, { limit: 20_000 });
    assert.ok(found.ended, 'the stream is still open');
    assert.equal(JSON.parse(dataOf(found.body)).id, 7);
  }),
  check('the stream of a GET stays open', '-', {}, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ method: 'GET' }, { limit: 1_500, until: ({ ended }) => ended });
    assert.ok(!found.ended && found.body.includes('notifications/message'), found.body);
  }),
  check('the answer comes elsewhere', 'F-13', {
    refuse(exchanged) {
      const { session, method } = exchanged;
      if (!session || !isCall(exchanged) || method !== 'POST') return undefined;
      const text = event(messageOf(exchanged));
      session.listens = () => session.stream.write(text);
      if (session.stream) session.listens();
      return { status: 202 };
    },
  }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL });
    assert.equal(found.status, 200);
    assert.equal(JSON.parse(found.header('content-type').startsWith(EVENTS) ? found.body.split('\n').filter((line) => line.includes('"id":7')).map((line) => line.slice(6))[0] : found.body).id, 7);
  }),
];

const versions = [
  check('a version without sessions in a session', 'F-04', {}, async (talk) => {
    await talk.begin();
    json(await talk.ask({ body: CALL, headers: { 'MCP-Protocol-Version': '2026-07-28' } }), 200);
    assert.equal(talk.got(isCall).header('mcp-protocol-version'), '2025-11-25');
  }),
  check('no version in a session', 'F-05', { refuse: withSession(({ header, id }) => (header('mcp-protocol-version') ? undefined : answerJson(400, rpcError(id ?? null, -32000, 'Bad Request: MCP-Protocol-Version header is required')))) }, async (talk) => {
    await talk.begin();
    json(await talk.ask({ body: CALL, headers: { 'MCP-Protocol-Version': undefined } }), 200);
    assert.ok(talk.got(isCall).header('mcp-protocol-version'));
  }),
  check('initialize with 2026-07-28', 'F-06', { result: (method, result, { message }) => (method === 'initialize' ? { ...result, protocolVersion: message.params.protocolVersion } : undefined) }, async (talk) => {
    const found = json(await talk.ask({ body: INITIALIZE.replace('2025-11-25', '2026-07-28') }), 200);
    assert.equal(found.result.protocolVersion, '2025-11-25');
    assert.equal(talk.got(({ isInitialize }) => isInitialize).message.params.protocolVersion, '2025-11-25');
  }),
  ...each({ 500: () => answerText(500, 'no'), 403: () => answerText(403, 'Forbidden'), '202': () => ({ status: 202 }), '200 error, id null': () => answerJson(200, rpcError(null, -32601, 'Method not found')) }, (name, answer) => check(`probe ${name}`, 'F-08', { refuse: ({ isProbe }) => (isProbe ? answer() : undefined) }, async (talk) => {
    for (const time of [1, 2]) {
      const found = json(await talk.ask({ body: PROBE, headers: PROBE_FIELDS }), 400);
      assert.deepEqual([time, found.id, found.error.code], [time, 'server-discover-probe-1', -32601]);
    }
    // A failure of the server may be gone by the next time.
    const most = name === '500' ? 2 : 1;
    const count = talk.server.received.filter(({ isProbe }) => isProbe).length;
    assert.ok(count <= most, `the server got it ${count} times`);
  })),
  check('probe of a newer server passes', 'F-08', { refuse: ({ isProbe, id }) => (isProbe ? answerJson(200, { jsonrpc: '2.0', id, result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, serverInfo: { name: 's', version: '1' } } }) : undefined) }, async (talk) => {
    const found = json(await talk.ask({ body: PROBE, headers: PROBE_FIELDS }), 200);
    assert.deepEqual(found.result.supportedVersions, ['2026-07-28']);
  }),
  check('_meta of a newer version is refused', 'F-10', { refuse: withSession(({ message, id }) => (message?.params?._meta && Object.keys(message.params._meta).some((key) => key.startsWith('io.modelcontextprotocol/')) ? answerJson(400, rpcError(id, -32602, 'Invalid params: unrecognized key io.modelcontextprotocol/protocolVersion in _meta')) : undefined)) }, async (talk) => {
    await talk.begin();
    const body = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"forecast","arguments":${ARGUMENTS},"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","progressToken":4}}}`;
    const answer = json(await talk.ask({ body }), 200);
    const { message, body: sent } = talk.got(isCall);
    assert.deepEqual(message.params._meta, { progressToken: 4 });
    assert.ok(answer.result);
    assert.ok(sent.includes(ARGUMENTS), sent);
  }),
];

const http = [
  ...each({ 301: 301, 302: 302, 307: 307, 308: 308 }, (name, status) => check(`redirect ${name}`, 'F-01', {
    at: '/mcp/',
    refuse: ({ path, header }) => (path === '/mcp' ? { status, headers: { Location: `http://${header('host')}/mcp/` } } : undefined),
  }, async (talk) => {
    await talk.begin({ Authorization: 'Bearer t' });
    json(await talk.ask({ body: CALL, headers: { Authorization: 'Bearer t' } }), 200);
    const got = talk.got((exchanged) => isCall(exchanged) && exchanged.path === '/mcp/');
    assert.deepEqual([got.method, got.body, got.header('authorization')], ['POST', CALL, 'Bearer t']);
  })),
  check('redirect to another host', 'F-01', {
    async before(state) {
      state.other = await startServer({});
    },
    refuse: ({ path, state }) => (path === '/mcp' ? { status: 307, headers: { Location: `${state.other.origin}/mcp` } } : undefined),
  }, async (talk) => {
    const found = await talk.ask({ body: INITIALIZE, headers: { Authorization: 'Bearer t' } });
    assert.ok(found.status >= 300, `${found.status}`);
    assert.deepEqual(talk.server.state.other.received.map(({ head }) => head), []);
    talk.server.state.other.stop();
  }),
  check('a foreign origin', 'F-34', {}, async (talk) => {
    const found = await talk.ask({ body: INITIALIZE, headers: { Origin: 'https://evil.example' } });
    assert.equal(found.status, 403);
    assert.equal(talk.server.received.filter(({ header }) => header('origin')).length, 0);
  }),
  check('an origin that may', 'F-34', { refuse: ({ header }) => (header('origin') ? answerText(403, 'Invalid Origin') : undefined) }, async (talk) => {
    const found = await talk.ask({ body: INITIALIZE, headers: { Origin: 'http://localhost:6274' } });
    assert.equal(found.status, 200);
    assert.equal(found.header('access-control-allow-origin'), 'http://localhost:6274');
  }),
  check('the name of the server', 'F-35', {}, async (talk) => {
    await talk.begin();
    assert.equal(talk.got(({ isInitialize }) => isInitialize).header('host'), talk.server.state.host);
    assert.equal(talk.got(({ isInitialize }) => isInitialize).header('x-forwarded-host'), 'mcp.example.com');
  }),
  check('a body in chunks', 'F-37', { refuse: ({ header, method }) => (method === 'POST' && header('transfer-encoding') ? answerText(411, 'Length Required') : undefined) }, async (talk) => {
    await talk.begin();
    const fields = { ...talk.session, 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/json' };
    const bytesOfCall = Buffer.from(CALL, 'utf8').toString('latin1');
    const half = 30;
    const chunks = [bytesOfCall.slice(0, half), bytesOfCall.slice(half)].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
    json(await exchange(talk.base, `${request({ headers: fields })}${chunks}0\r\n\r\n`), 200);
    assert.equal(talk.got(isCall).body, CALL);
  }),
  check('Expect: 100-continue', 'F-37', { refuse: ({ header }) => (header('expect') ? answerText(417, 'Expectation Failed') : undefined) }, async (talk) => {
    await talk.begin();
    json(await talk.ask({ body: CALL, headers: { Expect: '100-continue' } }), 200);
  }),
  check('fields for one hop', 'F-37', { answer: (answer, exchanged) => (isCall(exchanged) ? { ...answer, headers: { ...answer.headers, Connection: 'x-hop', 'X-Hop': '1', 'Keep-Alive': 'timeout=5' } } : undefined) }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL, headers: { Connection: 'x-secret', 'X-Secret': '1', 'Proxy-Authorization': 'Basic eA==' } });
    const got = talk.got(isCall);
    assert.deepEqual(['x-secret', 'proxy-authorization'].map((name) => got.header(name)), [undefined, undefined]);
    assert.deepEqual(['x-hop', 'keep-alive'].map((name) => found.header(name)), [undefined, undefined]);
  }),
  check('Content-Length twice', 'F-37', { answer: (answer, exchanged) => (isCall(exchanged) ? { ...answer, headers: { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) } } : undefined) }, async (talk) => {
    await talk.begin();
    const found = await talk.ask({ body: CALL });
    assert.equal(found.status, 200);
    assert.equal(found.headers.filter(([name]) => name === 'content-length').length <= 1, true);
    assert.equal(JSON.parse(found.body).id, 7);
  }),
];

const legacy = [
  ...each({
    'G-01 absolute': (path, origin) => `event: endpoint\ndata: ${origin}${path}\n\n`,
    'G-01 other loopback name': (path, origin) => `event: endpoint\ndata: ${origin.replace('127.0.0.1', 'localhost')}${path}\n\n`,
    'G-02 in quotes': (path) => `event: endpoint\ndata: "${path}"\n\n`,
    'G-02 blank': (path) => `event: endpoint\ndata: ${path} \n\n`,
  }, (name, endpoint) => check(`endpoint ${name}`, name.slice(0, 4), { legacy: true, endpoint }, async (talk) => {
    const found = await talk.ask({ method: 'GET', path: '/sse' }, { until: ({ body }) => /\n\n/.test(body.replace(/^:[^\n]*\n\n/, '')), limit: 3_000 });
    const data = /data: ?(.*)\n/.exec(found.body)[1];
    assert.match(data, /^(http:\/\/(mcp\.example\.com|127\.0\.0\.1:\d+))?\/messages\?session_id=[0-9a-f]+$/);
    assert.ok(!found.body.includes(new URL(talk.server.origin).port), found.body);
  })),
  check('endpoint stream is not to be buffered', 'G-05', { legacy: true }, async (talk) => {
    const found = await talk.ask({ method: 'GET', path: '/sse' }, { until: ({ body }) => body.includes('endpoint'), limit: 3_000 });
    assert.equal(found.header('x-accel-buffering'), 'no');
    assert.match(found.header('cache-control'), /no-transform/);
  }),
  check('endpoint stream, silence', 'G-05', { legacy: true }, async (talk) => {
    const found = await talk.ask({ method: 'GET', path: '/sse' }, { until: ({ body }) => /\n\n:/.test(body), limit: 20_000 });
    assert.match(found.body, /\n\n:[^\n]*\n/);
  }),
  check('a page for whoever has no token', 'G-07', {
    legacy: true,
    refuse({ path, method, header }) {
      const metadata = metadataOf(path, header, '/sse');
      if (metadata) return metadata;
      return path === '/sse' && method === 'GET' && !header('authorization') ? page(200, 'Sign in') : undefined;
    },
  }, async (talk) => {
    const found = await talk.ask({ method: 'GET', path: '/sse' }, { limit: 3_000 });
    assert.equal(found.status, 401);
    assert.match(found.header('www-authenticate') ?? '', /^Bearer .*resource_metadata=/);
  }),
];

export default [...notifications, ...streams, ...sessions, ...bytes, ...forms, ...events, ...versions, ...http, ...legacy];

export async function judgeExact(one, base, server) {
  try {
    await one.check(new Talk(base, server));
    return { verdict: 'exact' };
  } catch (error) {
    return { verdict: 'OTHERWISE', why: error.message.replace(/\s+/g, ' ') };
  }
}
