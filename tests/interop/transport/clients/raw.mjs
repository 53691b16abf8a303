// No SDK: what a sound client sends, and every byte that comes back.
import { createInterface } from 'node:readline';
import { exchange } from '../../lib/http.mjs';

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  visit(question).then((steps) => process.stdout.write(`${JSON.stringify({ id: question.id, steps })}\n`));
}
process.exit(0);

async function visit({ url, does }) {
  const steps = {};
  let headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
  let count = 0;
  const step = async (name, options) => {
    try {
      const { status, headers: got, text } = await exchange(url, options);
      steps[name] = { value: { status, type: got['content-type'], text } };
      return got;
    } catch (error) {
      steps[name] = { error: error.message };
      return {};
    }
  };
  const post = (name, method, params) => {
    const id = method.startsWith('notifications/') ? undefined : ++count;
    return step(name, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', id, method, params }) });
  };
  const got = await post('initialize', 'initialize', {
    protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' },
  });
  headers = { ...headers, 'mcp-protocol-version': '2025-11-25' };
  if (got['mcp-session-id']) headers['mcp-session-id'] = got['mcp-session-id'];
  await post('initialized', 'notifications/initialized');
  await post('tools', 'tools/list', {});
  await post('call', 'tools/call', does.calls.call);
  if (does.counts) await post('progress', 'tools/call', { ...does.counts, _meta: { progressToken: 'p' } });
  await post('ping', 'ping');
  if (got['mcp-session-id']) {
    await step('end', { method: 'DELETE', headers });
    await post('after the end', 'ping');
  }
  return steps;
}
