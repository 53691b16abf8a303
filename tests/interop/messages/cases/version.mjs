// Versions: which one the server says and takes, and how it answers the probe of the newer clients.
import { VERSIONS, SERVER, CAPABILITIES } from '../sound.mjs';
import { ANYTHING, SOUND } from '../judge.mjs';
import { answerJson, answerText, event, page, rpcError } from '../server.mjs';

const each = (table, build) => Object.entries(table).map(([name, value]) => build(name, value));
const version = ({ header }) => header('mcp-protocol-version');

// F-04: the header.
const headers = each({
  'lists what it knows': () => answerJson(400, rpcError(null, -32000, 'Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26)')),
  'lists what it knows, with id': (id) => answerJson(400, rpcError(id ?? null, -32000, 'Bad Request: Unsupported protocol version: 2025-11-25 - supported versions: 2025-03-26, 2024-11-05')),
  'lists nothing': () => answerText(400, 'Unsupported MCP-Protocol-Version'),
  'json, lists nothing': () => answerJson(400, { error: 'unsupported_protocol_version' }),
}, (name, answer) => ({
  id: `version header refused: ${name}`,
  rows: ['F-04'],
  refuse: (exchange) => (version(exchange) && version(exchange) > '2025-06-18' && !exchange.isProbe ? answer(exchange.id) : undefined),
}));
const moreHeaders = [
  {
    id: 'version header refused: any',
    rows: ['F-04'],
    refuse: (exchange) => (version(exchange) && !exchange.isProbe ? answerText(400, 'Bad Request: unsupported protocol version header') : undefined),
  },
  // F-05
  {
    id: 'version header wanted: always',
    rows: ['F-05'],
    refuse: (exchange) => (version(exchange) || exchange.path !== '/mcp' ? undefined : answerJson(400, rpcError(exchange.id ?? null, -32000, 'Bad Request: MCP-Protocol-Version header is required'))),
  },
  {
    id: 'version header wanted: always, says so in text',
    rows: ['F-05'],
    refuse: (exchange) => (version(exchange) || exchange.path !== '/mcp' ? undefined : answerText(400, 'Missing MCP-Protocol-Version header')),
  },
];

// F-06: the version in initialize.
const known = (list) => ({ isInitialize, message }) => isInitialize && !list.includes(message.params.protocolVersion);
const refusals = each({
  '200 -32602, lists': [['2025-06-18', '2025-03-26'], (id) => answerJson(200, { jsonrpc: '2.0', id, error: { code: -32602, message: 'Unsupported protocol version', data: { supported: ['2025-06-18', '2025-03-26'], requested: '2025-11-25' } } })],
  '400 -32602, lists': [['2025-03-26', '2024-11-05'], (id) => answerJson(400, { jsonrpc: '2.0', id, error: { code: -32602, message: 'Unsupported protocol version', data: { supported: ['2025-03-26', '2024-11-05'] } } })],
  '400 text': [['2025-06-18'], () => answerText(400, 'Unsupported protocol version 2025-11-25')],
  '200 -32600, says so': [['2024-11-05'], (id) => answerJson(200, rpcError(id, -32600, 'protocol version not supported'))],
  '500 -32603, says so': [['2025-03-26'], (id) => answerJson(500, rpcError(id, -32603, 'Unsupported protocol version: 2025-11-25. Supported versions: 2025-03-26'))],
}, (name, [list, answer]) => ({
  id: `initialize refused: ${name}`,
  rows: ['F-06'],
  probes: true,
  expect: { connect: (outcome) => outcome.value && list.includes(outcome.value.protocolVersion) },
  refuse: (exchange) => (known(list)(exchange) ? answer(exchange.id) : undefined),
}));
const answers = each({
  'repeats whatever is asked': (asked) => asked,
  'always 2026-07-28': () => '2026-07-28',
  '1.0': () => '1.0',
  'null': () => null,
  'number': () => 20251125,
  'with a blank': () => '2025-11-25 ',
  'empty': () => '',
  'date in future': () => '2099-01-01',
  '2024-11-05 (right)': () => '2024-11-05',
}, (name, answered) => ({
  id: `initialize answers: ${name}`,
  rows: [name.includes('right') ? '-' : 'F-06'],
  expect: { connect: (outcome) => VERSIONS.includes(outcome.value?.protocolVersion) },
  result: (rpc, result, { message }) => (rpc === 'initialize' ? { ...result, protocolVersion: answered(message.params.protocolVersion) } : undefined),
}));

// F-07: what is missing in the answer to initialize. Names that are made up are not compared.
const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
const some = ({ value }) => value !== undefined;
const named = (outcome) => typeof outcome.value?.serverInfo?.name === 'string' && typeof outcome.value?.serverInfo?.version === 'string';
const initialize = each({
  'no capabilities': [(r) => without(r, 'capabilities'), some],
  'capabilities null': [(r) => ({ ...r, capabilities: null }), some],
  'capabilities a list': [(r) => ({ ...r, capabilities: [] }), some],
  'no serverInfo': [(r) => without(r, 'serverInfo'), named],
  'serverInfo null': [(r) => ({ ...r, serverInfo: null }), named],
  'serverInfo {}': [(r) => ({ ...r, serverInfo: {} }), named],
  'serverInfo a text': [(r) => ({ ...r, serverInfo: 'sound' }), named],
  'no serverInfo.version': [(r) => ({ ...r, serverInfo: without(SERVER, 'version') }), named],
  'serverInfo.version null': [(r) => ({ ...r, serverInfo: { ...SERVER, version: null } }), named],
  'serverInfo.version a number': [(r) => ({ ...r, serverInfo: { ...SERVER, version: 2 } }), named],
  'no serverInfo.name': [(r) => ({ ...r, serverInfo: without(SERVER, 'name') }), named],
  'serverInfo.title null': [(r) => ({ ...r, serverInfo: { ...SERVER, title: null } }), named],
  'no protocolVersion': [(r) => without(r, 'protocolVersion'), SOUND.connect],
  'capabilities.tools true': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, tools: true } }), SOUND.connect],
  'capabilities.tools a list': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, tools: [] } }), SOUND.connect],
  'capabilities.logging true': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, logging: true } }), SOUND.connect],
  'capabilities.completions null': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, completions: null } }), SOUND.connect],
  'capabilities.experimental null': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, experimental: null } }), SOUND.connect],
  'capabilities.completions false': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, completions: false } }), SOUND.connect],
  'capabilities.tools.listChanged null': [(r) => ({ ...r, capabilities: { ...CAPABILITIES, tools: { listChanged: null } } }), SOUND.connect],
}, (name, [change, connect]) => ({
  id: `initialize: ${name}`,
  rows: ['F-07'],
  forms: ['json', 'sse'],
  expect: { connect, ...(connect === some && { tools: ANYTHING, resources: ANYTHING, templates: ANYTHING, prompts: ANYTHING }) },
  result: (rpc, result) => (rpc === 'initialize' ? change(result) : undefined),
}));

// F-08: the probe.
const probes = each({
  '500 text': () => answerText(500, 'Internal Server Error'),
  '500 error': (id) => answerJson(500, rpcError(id, -32603, 'Internal error')),
  '501': () => answerText(501, 'Not Implemented'),
  '502 page': () => page(502, 'Bad Gateway'),
  '503': () => answerText(503, 'Service Unavailable'),
  '403 text': () => answerText(403, 'Forbidden'),
  '403 json': () => answerJson(403, { error: 'forbidden' }),
  '200 page': () => page(200, 'Welcome'),
  '200 empty': () => ({ status: 200 }),
  '200 text': () => answerText(200, 'ok'),
  '202': () => ({ status: 202 }),
  '204': () => ({ status: 204 }),
  'no answer': () => ({ hang: true }),
  '200 error, id null': () => answerJson(200, rpcError(null, -32601, 'Method not found')),
  '200 error without id': () => answerJson(200, { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found' } }),
  '200 event stream with error, id null': () => ({ ...answerText(200, event(rpcError(null, -32601, 'Method not found')), 'text/event-stream'), chunked: true }),
  '200 event stream, empty': () => answerText(200, '', 'text/event-stream'),
  '404 text': () => answerText(404, 'Invalid session ID'),
  '400 error, id null': () => answerJson(400, rpcError(null, -32000, 'Bad Request: Server not initialized')),
  '400 unsupported version': (id) => answerJson(400, rpcError(id, -32000, 'Bad Request: Unsupported protocol version (supported versions: 2025-06-18)')),
  '405': () => answerText(405, 'Method Not Allowed'),
}, (name, answer) => ({
  id: `probe: ${name}`,
  rows: ['F-08'],
  probes: true,
  only: ['ts2', 'py2'],
  limit: name === 'no answer' ? 6_000 : undefined,
  refuse: ({ isProbe, id }) => (isProbe ? answer(id) : undefined),
}));

export default [...headers, ...moreHeaders, ...refusals, ...answers, ...initialize, ...probes];
