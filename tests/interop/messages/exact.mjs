// What exactly the server and the client get through the proxy: no SDK, raw HTTP. A check is a case with
// `check`, which gets a `Talk`.
import assert from 'node:assert/strict';
import { exchange, request } from './raw.mjs';

export const EVENTS = 'text/event-stream';
export const JSON_ONLY = 'application/json';
export const rpc = (id, method, params) => JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), method, ...(params && { params }) });
export const INITIALIZE = rpc(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'exact', version: '1' } });
export const PROBE = rpc('server-discover-probe-1', 'server/discover', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } });
export const PROBE_FIELDS = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'server/discover' };
// Blanks, escapes, numbers and the order of members as no library would write them.
export const ARGUMENTS = '{ "city":"Malm\u00f6 \\u00e9\\/",  "n": 1.0, "big":12345678901234567890, "e":1E+2, "a":null,"error":null, "nextCursor" : null, "a":2 }';
export const CALL = `{"jsonrpc":"2.0", "id":7,\n "method":"tools/call","params":{"name":"forecast","arguments":${ARGUMENTS}}}`;
export const CONTENT = '[ {"type":"text", "text":"\\u00e9\\/ 1.0", "annotations":null, "x":null} ]';
export const STRUCTURED = '{ "ok":true, "none": null,"error":null, "nextCursor":null,"big":12345678901234567890, "f":1.50 }';
export const RESULT = `{"content":${CONTENT},"structuredContent":${STRUCTURED}}`;

// The proxy as one client sees it.
export class Talk {
  constructor(base, server) {
    this.base = base;
    this.server = server;
  }

  ask(what, how) {
    return exchange(this.base, request({ ...what, headers: { ...this.session, ...what.headers } }), how);
  }

  async begin(headers) {
    const answer = await this.ask({ body: INITIALIZE, headers });
    assert.equal(answer.status, 200, `initialize: ${answer.status} ${answer.body}`);
    const id = answer.header('mcp-session-id');
    this.session = { ...(id && { 'Mcp-Session-Id': id }), 'MCP-Protocol-Version': '2025-11-25' };
    return answer;
  }

  // What the server got from clients, of what passes the test. The proxy's own questions go on beside them.
  allGot(test) {
    const isOwn = ({ header }) => (header('user-agent') ?? '').startsWith('mcp-mend/');
    return this.server.received.filter((exchanged) => !isOwn(exchanged) && test(exchanged));
  }

  // The last of it.
  got(test) {
    const found = this.allGot(test).at(-1);
    assert.ok(found, 'the server got nothing of this');
    return found;
  }
}

export const isCall = ({ rpc: method }) => method === 'tools/call';
export const emptied = (answer, status = 202) => {
  assert.deepEqual([answer.status, answer.header('content-length'), answer.body, answer.header('content-type')], [status, '0', '', undefined]);
};
export const dataOf = (body) => body.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trim()).join('');
export const json = (answer, status) => {
  assert.equal(answer.status, status, `${answer.status} ${answer.body.slice(0, 200)}`);
  assert.match(answer.header('content-type') ?? '', /^application\/json/);
  return JSON.parse(answer.body);
};
export const withSession = (answer) => (exchanged) => (exchanged.session ? answer(exchanged) : undefined);

export const check = (id, rows, one, test) => ({ id: `exact: ${id}`, rows: [].concat(rows), ...one, check: test });

export async function judgeExact(one, base, server) {
  try {
    await one.check(new Talk(base, server));
    return { verdict: 'exact' };
  } catch (error) {
    return { verdict: 'OTHERWISE', why: error.message.replace(/\s+/g, ' ') };
  }
}
