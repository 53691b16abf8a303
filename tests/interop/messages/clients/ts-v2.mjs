import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { answerAll } from './ts-sdk.mjs';

await answerAll({
  build({ url, kind, mode, limit }) {
    const client = new Client({ name: 'messages', version: '1' }, { versionNegotiation: { mode, probe: { timeoutMs: limit } } });
    const notified = new Promise((done) => client.setNotificationHandler('notifications/message', done));
    const Transport = kind === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    return { client, notified, transport: new Transport(url) };
  },
  versionOf: (client) => client.getNegotiatedProtocolVersion(),
  callTool: (client, call, options) => client.callTool(call, options),
});
