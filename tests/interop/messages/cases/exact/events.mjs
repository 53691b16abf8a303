// Event streams: nobody may hold them up, and they end.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { CALL, check, dataOf, EVENTS, isCall } from '../../exact.mjs';
import { event, messageOf } from '../../server.mjs';
import { each } from '../table.mjs';

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

export default [...events];
