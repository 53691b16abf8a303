// A server on standard input and output, for a gateway in front of it.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { offer } from './tools.mjs';

const server = offer(new McpServer({ name: 'stdio', version: '1' }, { capabilities: { logging: {} } }), {
  input: (shape) => shape,
  notify: (extra, notification) => extra.sendNotification(notification),
  token: (extra) => extra._meta?.progressToken,
  announce: (to) => to.sendLoggingMessage({ level: 'info', data: 'news' }),
  elicit: (to, extra, params) => to.server.elicitInput(params),
});
await server.connect(new StdioServerTransport());
