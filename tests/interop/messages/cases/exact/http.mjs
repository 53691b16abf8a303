// Where requests go and what HTTP wants, and the older transport.
import assert from 'node:assert/strict';
import { CALL, check, INITIALIZE, isCall, json } from '../../exact.mjs';
import { exchange, HOST, request } from '../../raw.mjs';
import { answerText, metadataOf, page, startServer } from '../../server.mjs';
import { each } from '../table.mjs';

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
    assert.deepEqual(talk.allGot(({ header }) => header('origin')), []);
  }),
  check('an origin that may', 'F-34', { refuse: ({ header }) => (header('origin') ? answerText(403, 'Invalid Origin') : undefined) }, async (talk) => {
    const found = await talk.ask({ body: INITIALIZE, headers: { Origin: 'http://localhost:6274' } });
    assert.equal(found.status, 200);
    assert.equal(found.header('access-control-allow-origin'), 'http://localhost:6274');
  }),
  check('the name of the server', 'F-35', {}, async (talk) => {
    await talk.begin();
    assert.equal(talk.got(({ isInitialize }) => isInitialize).header('host'), talk.server.state.host);
    assert.equal(talk.got(({ isInitialize }) => isInitialize).header('x-forwarded-host'), HOST);
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

export default [...http, ...legacy];
