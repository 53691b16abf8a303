import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { answerAll } from './ts-sdk.mjs';

await answerAll({
  build({ url, kind }) {
    const client = new Client({ name: 'messages', version: '1' });
    const notified = new Promise((done) => client.setNotificationHandler(LoggingMessageNotificationSchema, done));
    const Transport = kind === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
    return { client, notified, transport: new Transport(url) };
  },
  versionOf: (client, transport) => transport.protocolVersion ?? transport._protocolVersion,
  callTool: (client, call, options) => client.callTool(call, undefined, options),
});
