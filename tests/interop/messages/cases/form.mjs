// The form of answers: their media type, their events, how they are sent.
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../server.mjs';
import { changing, each, FORMS, NOTE } from './table.mjs';

const isAnswer = ({ wantsAnswer, session, isInitialize }) => wantsAnswer && (session || isInitialize);

// F-19: the media type, of every answer or only of those after initialize.
const typed = (type) => (answer, exchange) => {
  if (!isAnswer(exchange) || answer.status !== 200) return undefined;
  const { 'Content-Type': was, ...headers } = answer.headers;
  return { ...answer, headers: type ? { ...headers, 'Content-Type': type } : headers };
};
const types = [
  ...each({
    none: '',
    'text/plain': 'text/plain',
    'text/plain with charset': 'text/plain; charset=utf-8',
    'text/html': 'text/html; charset=UTF-8',
    'application/json-rpc': 'application/json-rpc',
    'application/octet-stream': 'application/octet-stream',
    'text/json': 'text/json',
    'application/x-ndjson': 'application/x-ndjson',
    'text/event-stream': 'text/event-stream',
  }, (name, type) => ({ id: `JSON called ${name}`, rows: ['F-19'], answer: typed(type) })),
  ...each({
    none: '',
    'text/plain': 'text/plain',
    'application/json': 'application/json',
    'application/octet-stream': 'application/octet-stream',
    'text/html': 'text/html',
  }, (name, type) => ({ id: `events called ${name}`, rows: ['F-19'], sse: true, answer: typed(type) })),
  ...each({
    'application/json; charset=utf-8': 'application/json; charset=utf-8',
    'Application/JSON': 'Application/JSON',
  }, (name, type) => ({ id: `JSON called ${name} (right)`, rows: ['-'], answer: typed(type) })),
  ...each({
    'text/event-stream; charset=utf-8': 'text/event-stream; charset=utf-8',
  }, (name, type) => ({ id: `events called ${name} (right)`, rows: ['-'], sse: true, answer: typed(type) })),
  {
    id: 'JSON over lines, called text/plain',
    rows: ['F-19'],
    text: (text) => `\n${JSON.stringify(JSON.parse(text), null, 2)}\n`,
    answer: typed('text/plain'),
  },
  { id: 'JSON with BOM', rows: ['F-21'], text: (text) => `\ufeff${text}` },
];

// F-20, F-21: events.
const frames = each({
  'no blank line at the end': ['F-20', (text) => `event: message\ndata: ${text}\n`],
  'no newline at the end': ['F-20', (text) => `event: message\ndata: ${text}`],
  'data alone, no newline': ['F-20', (text) => `data: ${text}`],
  'CRLF, no blank line at the end': ['F-20', (text) => `event: message\r\ndata: ${text}\r\n`],
  'event: response': ['F-21', (text) => `event: response\ndata: ${text}\n\n`],
  'event: jsonrpc': ['F-21', (text) => `event: jsonrpc\ndata: ${text}\n\n`],
  'event without a name': ['F-21', (text) => `event\ndata: ${text}\n\n`],
  'event: result, after data': ['F-21', (text) => `data: ${text}\nevent: result\n\n`],
  'bare CR': ['F-21', (text) => `event: message\rdata: ${text}\r\r`],
  BOM: ['F-21', (text) => `\ufeffevent: message\ndata: ${text}\n\n`],
  'BOM, data first': ['F-21', (text) => `\ufeffdata: ${text}\n\n`],
  'junk first': ['F-21', (text) => `data: hello\n\nevent: message\ndata: ${text}\n\n`],
  'junk JSON first': ['F-21', (text) => `data: {"status":"processing"}\n\nevent: message\ndata: ${text}\n\n`],
  'null first': ['F-21', (text) => `data: null\n\nevent: message\ndata: ${text}\n\n`],
  '[DONE] after': ['F-21', (text) => `event: message\ndata: ${text}\n\ndata: [DONE]\n\n`],
  'batch of one': ['F-21', (text) => `event: message\ndata: [${text}]\n\n`],
  'batch of two': ['F-21', (text) => `event: message\ndata: [${NOTE},${text}]\n\n`],
  'over lines': ['-', (text) => `event: message\n${JSON.stringify(JSON.parse(text), null, 1).split('\n').map((line) => `data: ${line}\n`).join('')}\n`],
  'data alone': ['-', (text) => `data: ${text}\n\n`],
  CRLF: ['-', (text) => `event: message\r\ndata: ${text}\r\n\r\n`],
  'no blank after the colon': ['-', (text) => `event:message\ndata:${text}\n\n`],
  'empty data first, with id and retry': ['-', (text) => `id: 1\nretry: 500\ndata:\n\nid: 2\nevent: message\ndata: ${text}\n\n`],
  'notification first': ['-', (text) => `event: message\ndata: ${NOTE}\n\nevent: message\ndata: ${text}\n\n`],
}, (name, [row, frame]) => ({ id: `events: ${name}`, rows: [row], sse: true, frame }));
// These are sound, and rmcp takes them everywhere but in the answer to initialize.
const oddities = each({
  'ping first': (text) => `event: ping\ndata: {}\n\n: comment\n\nevent: message\ndata: ${text}\n\n`,
  'ping with text first': (text) => `event: ping\ndata: ping\n\nevent: message\ndata: ${text}\n\n`,
}, (name, frame) => ({ id: `events: ${name}`, rows: ['-'], sse: true, frame: (text, { isInitialize }) => (isInitialize ? undefined : frame(text)) }));

// The stream of a GET.
const notices = each({
  'event: notification': (text) => `event: notification\ndata: ${text}\n\n`,
  'bare CR': (text) => `event: message\rdata: ${text}\r\r`,
  BOM: (text) => `\ufeffevent: message\ndata: ${text}\n\n`,
  'junk first': (text) => `data: connected\n\nevent: message\ndata: ${text}\n\n`,
  'jsonrpc missing': (text) => `event: message\ndata: ${text.replace('"jsonrpc":"2.0",', '')}\n\n`,
  'id null': (text) => `event: message\ndata: ${text.replace('"jsonrpc":"2.0",', '"jsonrpc":"2.0","id":null,')}\n\n`,
  'batch of one': (text) => `event: message\ndata: [${text}]\n\n`,
}, (name, notice) => ({ id: `notification on the stream: ${name}`, rows: [name.includes('id') || name.includes('jsonrpc') ? 'F-24' : 'F-21'], notice }));

// The same bodies in pieces: as they come from a server that writes while it works.
const pieces = [
  {
    id: 'events: byte by byte, no end',
    rows: ['F-20'],
    answer: (answer, exchange) => (exchange.rpc === 'tools/call' ? stream((out) => drip(out, `event: response\ndata: ${messageOf(exchange)}`)) : undefined),
    sse: true,
  },
  {
    id: 'events: odd retry',
    rows: ['F-41'], // off by default, and rmcp alone stumbles over it
    unmendable: true,
    sse: true,
    frame: (text) => `retry: soon\nevent: message\ndata: ${text}\n\n`,
  },
  {
    id: 'events: until the connection closes, no blank line',
    rows: ['F-20'],
    sse: true,
    frame: (text) => `event: message\ndata: ${text}\n`,
    answer: (answer, exchange) => (isAnswer(exchange) ? { ...answer, chunked: false, untilClose: true } : undefined),
  },
  {
    id: 'JSON: until the connection closes',
    rows: ['-'],
    answer: (answer, exchange) => (isAnswer(exchange) ? { ...answer, chunked: false, untilClose: true } : undefined),
  },
  {
    id: 'events: the stream stays open after the answer',
    rows: ['F-23'],
    sse: true,
    answer: (answer, exchange) => (isAnswer(exchange) ? { ...answer, body: undefined, stream: (out) => out.write(answer.body) } : undefined),
  },
  {
    id: 'events: the stream stays open after an answer that is broken',
    rows: ['F-21', 'F-23', 'F-27'],
    sse: true,
    result: changing('tools/list', (result) => ({ ...result, nextCursor: result.nextCursor ?? null })),
    frame: (text) => `event: response\ndata: ${text}\n\n`,
    answer: (answer, exchange) => (isAnswer(exchange) ? { ...answer, body: undefined, stream: (out) => out.write(answer.body) } : undefined),
  },
  // A stream whose length is known beforehand, as servers send it that write their answers as a whole.
  ...each({
    'sound': ['-', {}],
    'a member is null': ['F-27', { result: changing('tools/list', (result) => ({ ...result, nextCursor: result.nextCursor ?? null })) }],
    'a member is missing': ['F-24', { text: (text) => text.replace('"jsonrpc":"2.0",', '') }],
    'no blank line at the end': ['F-20', { frame: (text) => `event: message\ndata: ${text}\n` }],
    'odd name': ['F-21', { frame: (text) => `event: response\ndata: ${text}\n\n` }],
  }, (name, [row, more]) => ({ id: `events of known length: ${name}`, rows: [row], sse: true, measured: true, ...more })),
  {
    id: 'JSON called text/event-stream, in chunks',
    rows: ['F-19'],
    answer(answer, exchange) {
      const whole = typed('text/event-stream')(answer, exchange);
      return whole && { ...whole, body: undefined, stream: (out) => (out.write(answer.body.slice(0, 40)), setTimeout(() => (out.write(answer.body.slice(40)), out.end()), 30)) };
    },
  },
];

function stream(write) {
  return { status: 200, headers: { 'Content-Type': 'text/event-stream' }, stream: write };
}

async function drip(out, text) {
  for (let at = 0; at < text.length; at += 7) {
    out.write(text.slice(at, at + 7));
    await new Promise((done) => setImmediate(done));
  }
  out.end();
}

// Long, and long in coming.
const FILLER = { type: 'text', text: 'x'.repeat(1_500_000) };
const long = (result) => ({ ...result, content: [result.content[0], FILLER, FILLER] });
const fillers = ({ value }) => value?.content?.[1]?.text === FILLER.text && value.content[2]?.text === FILLER.text;
const sizes = [
  { id: 'long JSON', rows: ['-'], result: changing('tools/call', long), expect: { call: fillers } },
  { id: 'long JSON called text/plain', rows: ['F-19'], result: changing('tools/call', long), expect: { call: fillers }, answer: typed('text/plain') },
  { id: 'long event', rows: ['F-39'], unmendable: true, sse: true, result: changing('tools/call', long) }, // too long for Python
  { id: 'slow answer', rows: ['-'], forms: FORMS, answer: async (answer, { rpc }) => void (rpc === 'tools/call' && (await pause(1_500))) },
];

export default [...types, ...frames, ...oddities, ...notices, ...pieces, ...sizes];
