// Messages that want no answer, the stream of a GET, the end of a session, HEAD.
import assert from 'node:assert/strict';
import { check, emptied, rpc, withSession } from '../../exact.mjs';
import { answerJson, answerText, metadataOf, page, rpcError } from '../../server.mjs';
import { each } from '../table.mjs';

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

export default [...notifications, ...streams];
