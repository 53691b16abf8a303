// Sessions: their ids, the cookies beside them, answers that come elsewhere. And servers behind HTTP
// software of their own: the host they want to be called by, bodies without a length, pages of errors.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ANYTHING, error } from '../judge.mjs';
import { answerJson, answerText, event, messageOf, page, rpcError } from '../server.mjs';
import { each } from './table.mjs';

// F-18: ids that are no visible ASCII. On the wire they are bytes, and come back as such.
const ids = each({
  'with blanks': () => `session ${randomUUID()} of today`,
  'with UTF-8': () => Buffer.from(`s\u00e9ance-${randomUUID()}`, 'utf8').toString('latin1'),
  'with Latin-1': () => `s\u00e9ance-${randomUUID()}`,
  'with a tab': () => `session\t${randomUUID()}`,
  'of 6,000 characters': () => `${randomUUID()}${'x'.repeat(6_000)}`,
}, (name, sessionId) => ({ id: `session id: ${name}`, rows: ['F-18'], sessionId }));
// These servers have no sessions, and say so badly.
const words = each({
  'null': 'null',
  'undefined': 'undefined',
  'None': 'None',
  'empty': '',
}, (name, value) => ({
  id: `session id: ${name}`,
  rows: ['F-18'],
  stream: false,
  refuse(exchange) {
    if (exchange.method === 'GET' || exchange.method === 'DELETE') return { status: 405, headers: { Allow: 'POST' } };
    if (exchange.sessionId !== undefined) return answerJson(400, rpcError(null, -32000, 'Bad Request: unexpected Mcp-Session-Id'));
    exchange.session = {};
    exchange.sessionId = '-';
    exchange.state.sessions.set('-', exchange.session);
    return undefined;
  },
  answer: (answer, { isInitialize }) => (isInitialize ? { ...answer, headers: { ...answer.headers, 'Mcp-Session-Id': value } } : undefined),
}));
const none = {
  id: 'session id: none (right)',
  rows: ['-'],
  stream: false,
  refuse: words[0].refuse,
  answer: (answer, { isInitialize }) => (isInitialize ? { ...answer, headers: { 'Content-Type': 'application/json' } } : undefined),
};

// F-38: the session is with one instance of many, and a cookie says with which.
const AFFINITY = 'AWSALB=instance-7';
const cookies = each({
  'one': [[`${AFFINITY}; Path=/`], [AFFINITY]],
  'two': [[`${AFFINITY}; Expires=Tue, 01 Dec 2099 00:00:00 GMT; Path=/`, 'AWSALBCORS=x7; Path=/; SameSite=None; Secure'], [AFFINITY]],
  'for the path, HttpOnly': [[`${AFFINITY}; Path=/mcp; HttpOnly`], [AFFINITY]],
  'of another name': [['connect.sid=s%3Aabc.def; Path=/; HttpOnly'], ['connect.sid=s%3Aabc.def']],
}, (name, [set, wanted]) => ({
  id: `cookie: ${name}`,
  rows: ['F-38'],
  refuse({ session, header, id }) {
    const sent = (header('cookie') ?? '').split(/;\s*/);
    return !session || wanted.every((cookie) => sent.includes(cookie)) ? undefined : answerJson(400, rpcError(id ?? null, -32000, 'Bad Request: no such session on this instance'));
  },
  answer: (answer, { isInitialize }) => (isInitialize ? { ...answer, headers: [...Object.entries(answer.headers), ...set.map((cookie) => ['Set-Cookie', cookie])] } : undefined),
}));

// F-13: 202, and the answer on the stream of the session.
const elsewhere = [
  {
    id: 'answer on the stream',
    rows: ['F-13'],
    async refuse(exchange) {
      const { session, wantsAnswer } = exchange;
      if (!session || !wantsAnswer) return undefined;
      // Clients open their stream beside their first request. Which of the two the server sees first is not what this case tests.
      for (let waits = 0; !session.stream && waits < 200; waits += 1) await sleep(5);
      const text = event(messageOf(exchange));
      if (session.stream) session.stream.write(text);
      else session.later = [...(session.later ?? []), text];
      session.listens = () => {
        for (const late of session.later ?? []) session.stream.write(late);
        session.later = [];
      };
      return { status: 202 };
    },
  },
  {
    id: 'answer never comes, no stream',
    rows: ['F-13'],
    unmendable: true,
    stream: false,
    refuse({ session, wantsAnswer, method }) {
      if (method === 'GET') return { status: 405, headers: { Allow: 'POST, DELETE' } };
      return session && wantsAnswer ? { status: 202 } : undefined;
    },
  },
];

// F-35: protection against DNS rebinding, as the servers of the SDKs have it. F-37: what HTTP allows.
const http = [
  {
    id: 'host: another than its own is refused with 421',
    rows: ['F-35'],
    refuse: ({ header, state }) => (header('host') === state.host ? undefined : answerText(421, 'Invalid Host header')),
  },
  {
    id: 'host: another than its own is refused with 403',
    rows: ['F-35'],
    refuse: ({ header, state }) => (header('host') === state.host ? undefined : answerJson(403, rpcError(null, -32000, `Invalid Host: ${header('host')}`))),
  },
  {
    id: 'http: no bodies in chunks',
    rows: ['F-37'],
    refuse: ({ header }) => (header('transfer-encoding') ? answerText(411, 'Length Required') : undefined),
  },
  {
    id: 'http: Content-Length twice',
    rows: ['F-37'],
    answer: (answer, { wantsAnswer }) => (wantsAnswer && answer.body ? { ...answer, headers: { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) } } : undefined),
  },
  {
    id: 'http: hop-by-hop fields',
    rows: ['F-37'],
    answer: (answer, { wantsAnswer }) => (wantsAnswer ? { ...answer, headers: { ...answer.headers, 'Keep-Alive': 'timeout=5', 'Proxy-Connection': 'keep-alive', 'Proxy-Authenticate': 'Basic' } } : undefined),
  },
];

// F-43: an error is an error, and clients show it as such. What it says is seen by the exact checks.
const AFTER = { ping: ANYTHING, resources: ANYTHING, templates: ANYTHING, prompts: ANYTHING, close: ANYTHING, notified: ANYTHING };
const pages = each({
  '502 page': () => page(502, 'Bad Gateway'),
  '503 page': () => page(503, 'Service Unavailable'),
  '504 page': () => page(504, 'Gateway Time-out'),
  '429 text': () => answerText(429, 'Too Many Requests'),
  '500 page': () => page(500, 'Internal Server Error'),
}, (name, answer) => ({
  id: `error page: ${name}`,
  rows: ['F-43'],
  expect: { call: error(), ...AFTER },
  refuse: ({ rpc, session }) => (session && rpc === 'tools/call' ? answer() : undefined),
}));

export default [...ids, ...words, none, ...cookies, ...elsewhere, ...http, ...pages];
