// The TypeScript SDK's own OAuth router with the in-memory provider that its package ships as a
// demonstration, in its strict form: a token is good only for the resource it was issued for.
import { mcpAuthRouter, getOAuthProtectedResourceMetadataUrl } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { DemoInMemoryAuthProvider } from '@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js';
import { freePort, listen } from '../lib/serve.mjs';
import { sessionMcp } from '../lib/mcp-tools.mjs';

const port = await freePort();
const issuerUrl = new URL(`http://127.0.0.1:${port}`);
const resource = new URL('/mcp', issuerUrl);

const provider = new DemoInMemoryAuthProvider((asked) => asked?.href === resource.href);

const app = createMcpExpressApp();
app.use(mcpAuthRouter({
  provider,
  issuerUrl,
  resourceServerUrl: resource,
  scopesSupported: ['mcp:tools'],
}));
app.all('/mcp', requireBearerAuth({
  verifier: provider,
  requiredScopes: ['mcp:tools'],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
  expectedResource: resource,
}), sessionMcp());

await listen(app, port);
