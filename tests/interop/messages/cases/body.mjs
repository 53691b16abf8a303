// What is wrong in the answers themselves: their form, their envelope, what is in the lists.
import { setTimeout as pause } from 'node:timers/promises';
import { MORE_TOOLS, PROMPTS, TOOLS } from '../sound.mjs';
import { error, SOUND } from '../judge.mjs';
import { messageOf } from '../server.mjs';

const each = (table, build) => Object.entries(table).map(([name, value]) => build(name, value));
const FORMS = ['json', 'sse'];
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
const NOTE = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"more"}}';
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
    result: (rpc, result) => (rpc === 'tools/list' ? { ...result, nextCursor: result.nextCursor ?? null } : undefined),
    frame: (text) => `event: response\ndata: ${text}\n\n`,
    answer: (answer, exchange) => (isAnswer(exchange) ? { ...answer, body: undefined, stream: (out) => out.write(answer.body) } : undefined),
  },
  // A stream whose length is known beforehand, as servers send it that write their answers as a whole.
  ...each({
    'sound': ['-', {}],
    'a member is null': ['F-27', { result: (rpc, result) => (rpc === 'tools/list' ? { ...result, nextCursor: result.nextCursor ?? null } : undefined) }],
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
const callIs = (change) => (rpc, result) => (rpc === 'tools/call' ? change(result) : undefined);
const fillers = ({ value }) => value?.content?.[1]?.text === FILLER.text && value.content[2]?.text === FILLER.text;
const sizes = [
  { id: 'long JSON', rows: ['-'], result: callIs(long), expect: { call: fillers } },
  { id: 'long JSON called text/plain', rows: ['F-19'], result: callIs(long), expect: { call: fillers }, answer: typed('text/plain') },
  { id: 'long event', rows: ['F-39'], unmendable: true, sse: true, result: callIs(long) }, // too long for Python
  { id: 'slow answer', rows: ['-'], forms: FORMS, answer: async (answer, { rpc }) => void (rpc === 'tools/call' && (await pause(1_500))) },
];

// F-24: the envelope. F-25: batches.
const envelopes = each({
  'error: null beside result': (text) => text.replace(/\}$/, ',"error":null}'),
  'error: null before result': (text) => text.replace('"result":', '"error":null,"result":'),
  'extra members': (text) => text.replace(/\}$/, ',"took":5,"trace":{"id":null}}'),
  'jsonrpc missing': (text) => text.replace('"jsonrpc":"2.0",', ''),
  'jsonrpc 1.0': (text) => text.replace('"jsonrpc":"2.0"', '"jsonrpc":"1.0"'),
  'jsonrpc a number': (text) => text.replace('"jsonrpc":"2.0"', '"jsonrpc":2.0'),
  'jsonrpc null': (text) => text.replace('"jsonrpc":"2.0"', '"jsonrpc":null'),
  'id as text': (text, { id }) => (typeof id === 'number' ? text.replace(`"id":${id}`, `"id":"${id}"`) : text),
  'id with a fraction': (text, { id }) => (typeof id === 'number' ? text.replace(`"id":${id}`, `"id":${id}.0`) : text),
  'id null': (text, { id }) => text.replace(`"id":${JSON.stringify(id)}`, '"id":null'),
  'id missing': (text, { id }) => text.replace(`"id":${JSON.stringify(id)},`, ''),
  'method repeated': (text, { rpc }) => text.replace(/\}$/, `,"method":"${rpc}"}`),
}, (name, change) => ({ id: `envelope: ${name}`, rows: ['F-24'], forms: FORMS, text: (text, exchange) => (exchange.isProbe ? text : change(text, exchange)) }));

const failures = each({
  'result: null beside error': ['{"jsonrpc":"2.0","id":ID,"result":null,"error":{"code":-32602,"message":"No such city"}}', error(-32602, /No such city/)],
  'id null': ['{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"No such city"}}', error(-32602, /No such city/)],
  'id missing': ['{"jsonrpc":"2.0","error":{"code":-32602,"message":"No such city"}}', error(-32602, /No such city/)],
  'code as text': ['{"jsonrpc":"2.0","id":ID,"error":{"code":"-32602","message":"No such city"}}', error(-32602, /No such city/)],
  'code with a fraction': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602.0,"message":"No such city"}}', error(-32602, /No such city/)],
  'code a word': ['{"jsonrpc":"2.0","id":ID,"error":{"code":"INVALID","message":"No such city"}}', error(undefined, /No such city/)],
  'code missing': ['{"jsonrpc":"2.0","id":ID,"error":{"message":"No such city"}}', error(undefined, /No such city/)],
  'code null': ['{"jsonrpc":"2.0","id":ID,"error":{"code":null,"message":"No such city"}}', error(undefined, /No such city/)],
  'message missing': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602}}', error(-32602)],
  'message null': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":null}}', error(-32602)],
  'a text': ['{"jsonrpc":"2.0","id":ID,"error":"No such city"}', error(undefined, /No such city/)],
  'data null': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"No such city","data":null}}', error(-32602, /No such city/)],
  'extra member': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"No such city"},"took":1}', error(-32602, /No such city/)],
}, (name, [text, call]) => ({
  id: `error: ${name}`,
  rows: ['F-24'],
  forms: FORMS,
  expect: { call },
  text: (was, { rpc, id }) => (rpc === 'tools/call' ? text.replace('ID', JSON.stringify(id)) : was),
}));

const batches = each({
  'of one': (text) => `[${text}]`,
  'a notification first': (text) => `[${NOTE},${text}]`,
  'a notification last': (text) => `[${text},${NOTE}]`,
}, (name, change) => ({ id: `batch: ${name}`, rows: ['F-25'], text: change }));

// F-27, F-28: lists.
const LISTS = {
  tools: ['tools/list', 'tools', ['title', 'description', 'annotations', 'outputSchema', '_meta', 'icons', 'execution']],
  resources: ['resources/list', 'resources', ['title', 'description', 'mimeType', 'size', 'annotations', '_meta', 'icons']],
  templates: ['resources/templates/list', 'resourceTemplates', ['title', 'description', 'mimeType', 'annotations', '_meta', 'icons']],
  prompts: ['prompts/list', 'prompts', ['title', 'description', 'arguments', '_meta', 'icons']],
};
const withNulls = (items, members) => items.map((item) => ({ ...Object.fromEntries(members.map((name) => [name, null])), ...item }));
const changing = (method, change) => (rpc, result) => (rpc === method ? change(result) : undefined);
const nulls = [
  ...Object.entries(LISTS).flatMap(([step, [method, member, members]]) => [
    ...members.map((name) => ({
      id: `null: ${step} ${name}`,
      rows: ['F-27'],
      result: changing(method, (result) => ({ ...result, [member]: withNulls(result[member], [name]) })),
    })),
    {
      id: `null: ${step} nextCursor`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ nextCursor: null, ...result })),
    },
    {
      id: `empty: ${step} nextCursor`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ nextCursor: '', ...result })),
    },
    {
      id: `null: ${step} _meta of the list`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ ...result, _meta: null })),
    },
    {
      id: `null: ${step} everything`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ nextCursor: null, _meta: null, ...result, [member]: withNulls(result[member], members) })),
    },
  ]),
  ...each({
    'annotations.title': (tool) => ({ ...tool, annotations: { title: null, ...tool.annotations } }),
    'annotations.destructiveHint': (tool) => (tool.annotations ? { ...tool, annotations: { ...tool.annotations, destructiveHint: null, idempotentHint: null, openWorldHint: null } } : tool),
  }, (name, change) => ({
    id: `null: tools ${name}`,
    rows: ['F-27'],
    result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map(change) })),
    expect: name === 'annotations.title' ? { tools: SOUND.tools.map((tool) => ({ ...tool, annotations: tool.annotations ?? {} })) } : {},
  })),
  {
    id: 'null: prompts arguments.description and required',
    rows: ['F-27'],
    result: changing('prompts/list', (result) => ({ prompts: result.prompts.map((prompt) => (prompt.arguments ? { ...prompt, arguments: [...prompt.arguments, { name: 'how', title: null, description: null, required: null }] } : prompt)) })),
    expect: { prompts: PROMPTS.map((prompt) => (prompt.arguments ? { ...prompt, arguments: [...prompt.arguments, { name: 'how' }] } : prompt)) },
  },
  ...each({
    instructions: [{ instructions: null }, { ...SOUND.connect, instructions: undefined }],
    _meta: [{ _meta: null }, SOUND.connect],
    'serverInfo.icons': [{ serverInfo: { ...SOUND.connect.serverInfo, icons: null, websiteUrl: null, description: null } }, SOUND.connect],
  }, (name, [members, connect]) => ({
    id: `null: initialize ${name}`,
    rows: ['F-27'],
    forms: FORMS,
    expect: { connect: JSON.parse(JSON.stringify(connect)) },
    result: changing('initialize', (result) => ({ ...result, ...members })),
  })),
  {
    id: 'null: ping result',
    rows: ['F-24'],
    forms: FORMS,
    result: (rpc) => (rpc === 'ping' ? 'null' : undefined),
  },
];

const schemas = each({
  missing: [({ inputSchema, ...tool }) => tool, { type: 'object' }],
  'null': [(tool) => ({ ...tool, inputSchema: null }), { type: 'object' }],
  '{}': [(tool) => ({ ...tool, inputSchema: {} }), { type: 'object' }],
  'without type': [(tool) => ({ ...tool, inputSchema: { properties: { a: { type: 'string', default: null } } } }), { type: 'object', properties: { a: { type: 'string', default: null } } }],
  'type null': [(tool) => ({ ...tool, inputSchema: { type: null, properties: {} } }), { type: 'object', properties: {} }],
  // How PHP writes objects without members.
  'a list': [(tool) => ({ ...tool, inputSchema: [] }), { type: 'object' }],
  'properties a list': [(tool) => ({ ...tool, inputSchema: { type: 'object', properties: [] } }), { type: 'object', properties: {} }],
}, (name, [change, inputSchema]) => ({
  id: `inputSchema: ${name}`,
  rows: ['F-28'],
  forms: FORMS,
  // The tool that is called keeps its schema.
  expect: { tools: [TOOLS[0], { ...TOOLS[1], inputSchema }, ...MORE_TOOLS] },
  result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? change(tool) : tool)) })),
}));
const outputs = each({ '{}': {}, 'without type': { properties: {} }, 'a list': [] }, (name, outputSchema) => ({
  id: `outputSchema: ${name}`,
  rows: ['F-28'],
  expect: { tools: ({ value }) => value?.length === 3 },
  result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? { ...tool, outputSchema } : tool)) })),
}));
// Some clients hand on what is in a schema as it is: there they may stay.
const schemaNulls = each({ properties: { properties: null }, required: { required: null } }, (name, members) => ({
  id: `null: tools inputSchema.${name}`,
  rows: ['F-27'],
  expect: { tools: ({ value }) => value?.length === 3 && value[1].inputSchema.type === 'object' },
  result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? { ...tool, inputSchema: { type: 'object', ...members } } : tool)) })),
}));

// F-30: what a tool says. The tool has no output schema here, or the client would want its result.
const plainTools = changing('tools/list', (result) => ({ ...result, tools: result.tools.map(({ outputSchema, ...tool }) => tool) }));
const calls = each({
  'content missing': [{ structuredContent: { ok: true } }, (content) => Array.isArray(content)],
  'content null': [{ content: null, structuredContent: { ok: true } }, (content) => Array.isArray(content)],
  'content a text': [{ content: 'sunny' }, (content) => content.length === 1 && content[0].type === 'text' && content[0].text === 'sunny'],
  'content an object': [{ content: { type: 'text', text: 'sunny' } }, (content) => content.length === 1 && content[0].text === 'sunny'],
  'result {}': [{}, (content) => Array.isArray(content)],
  'result a text': ['"sunny"', (content) => content.length === 1 && content[0].text === 'sunny'],
  'content of texts': [{ content: ['sunny'] }, (content) => content.length === 1 && content[0].text === 'sunny'],
  'isError null': [{ content: [{ type: 'text', text: 'sunny' }], isError: null }, (content) => content[0].text === 'sunny'],
  'structuredContent null': [{ content: [{ type: 'text', text: 'sunny' }], structuredContent: null, _meta: null }, (content) => content[0].text === 'sunny'],
}, (name, [result, right]) => ({
  id: `tool result: ${name}`,
  rows: ['F-30'],
  forms: FORMS,
  expect: {
    tools: [...TOOLS, ...MORE_TOOLS].map(({ outputSchema, ...tool }) => tool),
    call: ({ value }) => Array.isArray(value?.content) && right(value.content) && !value.isError && (!result.structuredContent || value.structuredContent?.ok === true),
  },
  result: (rpc, was) => (rpc === 'tools/call' ? result : plainTools(rpc, was)),
}));

// What a tool says is never touched.
const untouched = {
  id: 'tool result: annotations of the content null',
  rows: ['F-27'],
  unmendable: true,
  result: (rpc) => (rpc === 'tools/call' ? { content: [{ type: 'text', text: 'sunny', annotations: null, _meta: null }], structuredContent: { ok: true } } : undefined),
};

export default [...types, ...frames, ...oddities, ...notices, ...pieces, ...sizes, ...envelopes, ...failures, ...batches, ...nulls, ...schemas, ...schemaNulls, ...outputs, ...calls, untouched];
