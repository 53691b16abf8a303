import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { answerAll } from './ts-sdk.mjs';

await answerAll({
  build({ url, kind }) {
    const client = new Client({ name: 'transport', version: '1' }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
    const told = new Promise((done) => client.setNotificationHandler(LoggingMessageNotificationSchema, done));
    const Transport = kind === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    return { client, told, transport: new Transport(url) };
  },
  callTool: (client, call, options) => client.callTool(call, undefined, options),
});
