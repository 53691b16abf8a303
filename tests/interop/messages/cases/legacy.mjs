// The older transport, HTTP+SSE: where the endpoint is said to be, and where answers come.
import { event, messageOf, answerJson, answerText } from '../server.mjs';

const each = (table, build) => Object.entries(table).map(([name, value]) => build(name, value));
const data = (text) => `event: endpoint\ndata: ${text}\n\n`;

const endpoints = each({
  'absolute, own address': ['G-01', (path, origin) => data(origin + path)],
  'absolute, other loopback name': ['G-01', (path, origin) => data(origin.replace('127.0.0.1', 'localhost') + path)],
  'absolute, https': ['G-01', (path, origin) => data(origin.replace('http:', 'https:') + path)],
  'without a slash first': ['-', (path) => data(path.slice(1))],
  'in quotes': ['G-02', (path) => data(JSON.stringify(path))],
  'in single quotes': ['G-02', (path) => data(`'${path}'`)],
  'JSON with uri': ['G-02', (path) => data(JSON.stringify({ uri: path }))],
  'JSON with endpoint': ['G-02', (path) => data(JSON.stringify({ endpoint: path }))],
  'JSON with url, absolute': ['G-02', (path, origin) => data(JSON.stringify({ url: origin + path }))],
  'blank at the end': ['G-02', (path) => data(`${path} `)],
  'blanks around': ['G-02', (path) => data(`  ${path}  `)],
  'CRLF': ['-', (path) => `event: endpoint\r\ndata: ${path}\r\n\r\n`],
  'bare CR': ['F-21', (path) => `event: endpoint\rdata: ${path}\r\r`],
  'BOM': ['F-21', (path) => `\ufeff${data(path)}`],
  'comment first': ['-', (path) => `: welcome\n\n${data(path)}`],
}, (name, [row, endpoint]) => ({ id: `endpoint: ${name}`, rows: [row], legacy: true, endpoint }));

const redirects = each({
  '307': [307, (path) => path],
  '308': [308, (path) => path],
  '301': [301, (path) => path],
  '302': [302, (path) => path],
  '307 absolute': [307, (path, host) => `http://${host}${path}`],
  '307 absolute, other loopback name': [307, (path, host) => `http://${host.replace('127.0.0.1', 'localhost')}${path}`],
}, (name, [status, location]) => ({
  id: `messages redirected: ${name}`,
  rows: ['G-04'],
  legacy: true,
  postAt: '/messages/',
  endpoint: (path) => data(path.replace('/messages/', '/messages')),
  refuse: ({ path, query, header }) => (path === '/messages' ? { status, headers: { Location: location(`/messages/?session_id=${query.get('session_id')}`, header('host')) } } : undefined),
}));

// G-03: answers where the message was posted, and nothing on the stream.
const bodies = each({
  '200 with the answer': (exchange) => (exchange.wantsAnswer ? answerJson(200, messageOf(exchange)) : undefined),
  '200 with the answer called text/plain': (exchange) => (exchange.wantsAnswer ? answerText(200, messageOf(exchange)) : undefined),
  '200 with the answer as an event': (exchange) => (exchange.wantsAnswer ? answerText(200, event(messageOf(exchange)), 'text/event-stream') : undefined),
}, (name, answer) => ({
  id: `posted: ${name}`,
  rows: ['G-03'],
  legacy: true,
  refuse: (exchange) => (exchange.method === 'POST' && exchange.path === '/messages' ? answer(exchange) : undefined),
}));

// The same defects as in the newer transport.
const payload = [
  { id: 'legacy: nulls in the tools', rows: ['F-27'], result: (rpc, result) => (rpc === 'tools/list' ? { nextCursor: null, ...result, tools: result.tools.map((tool) => ({ title: null, annotations: null, ...tool })) } : undefined) },
  { id: 'legacy: error null beside result', rows: ['F-24'], text: (text) => text.replace(/\}$/, ',"error":null}') },
  { id: 'legacy: no version of JSON-RPC', rows: ['F-24'], text: (text) => text.replace('"jsonrpc":"2.0",', '') },
  { id: 'legacy: no inputSchema', rows: ['F-28'], result: (rpc, result) => (rpc === 'tools/list' ? { ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? { ...tool, inputSchema: undefined } : tool)) } : undefined) },
  { id: 'legacy: serverInfo without version', rows: ['F-07'], expect: { connect: ({ value }) => Boolean(value?.serverInfo?.version) }, result: (rpc, result) => (rpc === 'initialize' ? { ...result, serverInfo: { name: 'sound' } } : undefined) },
].map((one) => ({ ...one, legacy: true }));

// F-40: clients of the newer transport before such a server.
const bridged = [
  { id: 'legacy server, newer clients', rows: ['F-40'], legacy: true, bridged: true, upstream: '/sse', path: '/sse' },
  { id: 'legacy server, newer clients at /mcp', rows: ['F-40'], legacy: true, bridged: true },
];

export default [...endpoints, ...redirects, ...bodies, ...payload, ...bridged];
