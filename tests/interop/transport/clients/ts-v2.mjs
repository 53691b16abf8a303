import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { answerAll } from './ts-sdk.mjs';

await answerAll({
  build({ url, kind, mode }) {
    const client = new Client({ name: 'transport', version: '1' }, { capabilities: { elicitation: {} }, versionNegotiation: { mode } });
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
    const told = new Promise((done) => client.setNotificationHandler('notifications/message', done));
    const Transport = kind === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    return { client, told, transport: new Transport(url) };
  },
  callTool: (client, call, options) => client.callTool(call, options),
});
