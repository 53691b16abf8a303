// Sessions that are gone, their ids, and the cookies beside them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { CALL, check, isCall, json, Talk } from '../../exact.mjs';
import { answerJson, answerText, rpcError } from '../../server.mjs';
import { each } from '../table.mjs';

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
  check('session id with blanks', 'F-18', { sessionId: () => `session ${randomUUID()} of today` }, async (talk) => {
    const id = (await talk.begin()).header('mcp-session-id');
    assert.match(id, /^[\x21-\x7e]+$/);
    json(await talk.ask({ body: CALL }), 200);
    const { answered } = talk.got(({ isInitialize }) => isInitialize);
    assert.equal(talk.got(isCall).sessionId, answered.headers['Mcp-Session-Id']);
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

export default [...sessions];
