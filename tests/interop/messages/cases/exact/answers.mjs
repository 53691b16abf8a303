// Answers: the bytes that stay, the forms that clients accept, errors.
import assert from 'node:assert/strict';
import { CALL, check, CONTENT, dataOf, EVENTS, isCall, json, JSON_ONLY, RESULT, rpc, STRUCTURED, withSession } from '../../exact.mjs';
import { answerJson, page, rpcError } from '../../server.mjs';
import { each } from '../table.mjs';

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

export default [...bytes, ...forms];
