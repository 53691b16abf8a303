// The servers: how each is started, where it is spoken to, and what can be done with it.
import { fileURLToPath } from 'node:url';
import { freePort } from '../lib/serve.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (path, ...args) => [process.execPath, here(path), ...args];
const python = (venv, path, ...args) => [here(`../.venv-${venv}/bin/python`), here(path), ...args];
const modules = (path) => `node_modules/${path}`;

// What a visit does: tools that answer, one that fails, one that asks the client something back, one that
// reports its progress, and one whose news come on the stream of a GET.
const OURS = {
  read: 'note://welcome',
  prompt: { name: 'hello', arguments: { name: 'Ada' } },
  calls: {
    call: { name: 'greet', arguments: { name: 'Zoë' } },
    fail: { name: 'fail', arguments: {} },
    long: { name: 'long', arguments: {} },
    wrong: { name: 'greet', arguments: { name: 5 } },
    ask: { name: 'ask', arguments: {} },
  },
  counts: { name: 'count', arguments: { steps: 5 } },
  news: { name: 'announce', arguments: {} },
};
// A server without sessions waits forever for what it asks of the client.
const ALONE = { ...OURS, calls: { ...OURS.calls, ask: undefined } };
const EVERYTHING = {
  read: 'demo://resource/dynamic/text/1',
  prompt: { name: 'args-prompt', arguments: { city: 'Kyiv', state: 'x' } },
  calls: {
    call: { name: 'echo', arguments: { message: 'Zoë' } },
    fail: { name: 'get-sum', arguments: { a: 'one', b: 2 } },
    sum: { name: 'get-sum', arguments: { a: 1, b: 2 } },
    image: { name: 'get-tiny-image', arguments: {} },
    structured: { name: 'get-structured-content', arguments: { location: 'Chicago' } },
    links: { name: 'get-resource-links', arguments: { count: 3 } },
  },
  counts: { name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 4 } },
};

// This one starts a process for each request.
const FEW = { calls: { call: OURS.calls.call, fail: OURS.calls.fail } };

// Programs that take a port and say nothing that could be waited for.
const everything = (way) => async () => {
  const port = await freePort();
  return { port, command: node(modules('@modelcontextprotocol/server-everything/dist/index.js'), way), env: { PORT: String(port) } };
};
const supergateway = (...args) => async () => {
  const port = await freePort();
  const stdio = `${process.execPath} ${here('servers/stdio.mjs')}`;
  return { port, command: node(modules('supergateway/dist/index.js'), '--stdio', stdio, '--port', String(port), ...args) };
};
const says = (command) => async () => ({ command });

// The slowest first.
export const SERVERS = {
  'supergateway stateless': { start: supergateway('--outputTransport', 'streamableHttp'), does: FEW },
  'everything http': { start: everything('streamableHttp'), does: EVERYTHING },
  'everything sse': { start: everything('sse'), path: '/sse', does: EVERYTHING },
  'ts-v1 sessions': { start: says(node('servers/ts-v1.mjs', 'sessions')), does: OURS },
  'ts-v1 json': { start: says(node('servers/ts-v1.mjs', 'json')), does: ALONE },
  'ts-v1 stateless': { start: says(node('servers/ts-v1.mjs', 'stateless')), does: ALONE },
  'ts-v1 sse': { start: says(node('servers/ts-v1.mjs', 'sse')), path: '/sse', does: OURS },
  'ts-v2 sessions': { start: says(node('servers/ts-v2.mjs', 'sessions')), does: OURS },
  'ts-v2 handler': { start: says(node('servers/ts-v2.mjs', 'handler')), does: ALONE },
  ...Object.fromEntries(['mcp1', 'mcp'].flatMap((venv) => [
    ['sessions', OURS], ['stateless', ALONE], ['json', ALONE], ['sse', OURS, '/sse'], ['mounted', OURS],
  ].map(([way, does, path]) => [
    `${venv === 'mcp' ? 'py-v2' : 'py-v1'} ${way}`, { start: says(python(venv, 'servers/python_sdk.py', way)), path, does },
  ]))),
  'fastmcp http': { start: says(python('fastmcp', 'servers/fastmcp_server.py', 'http')), does: OURS },
  'fastmcp stateless': { start: says(python('fastmcp', 'servers/fastmcp_server.py', 'stateless')), does: ALONE },
  'fastmcp sse': { start: says(python('fastmcp', 'servers/fastmcp_server.py', 'sse')), path: '/sse', does: OURS },
  'supergateway stateful': { start: supergateway('--outputTransport', 'streamableHttp', '--stateful'), does: OURS },
  // It tells each client of all others, also of the progress of theirs: that is not compared.
  'supergateway sse': { start: supergateway('--outputTransport', 'sse'), path: '/sse', does: { ...OURS, counts: undefined, news: undefined } },
};
for (const server of Object.values(SERVERS)) {
  server.path ??= '/mcp';
  server.kind = server.path === '/sse' ? 'sse' : 'http';
}
