// better-auth as the authorization server, the TypeScript SDK as the MCP server beside it, both on
// one origin. Everything that concerns OAuth is better-auth's own doing; what an application has to
// write itself (the two pages, the metadata routes, the token check) follows its documentation.
import express from 'express';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import {
  oauthProvider,
  oauthProviderAuthServerMetadata,
  oauthProviderOpenIdConfigMetadata,
} from '@better-auth/oauth-provider';
import { oauthProviderResourceClient } from '@better-auth/oauth-provider/resource-client';
import { freePort, listen, sendFetchResponse } from '../lib/serve.mjs';
import { statelessMcp } from '../lib/mcp-tools.mjs';
import { PERSON, scriptedForm } from '../lib/pages.mjs';

const port = await freePort();
const origin = `http://127.0.0.1:${port}`;
const issuer = `${origin}/api/auth`;
const resource = `${origin}/mcp`;

// The memory adapter wants every table to exist.
const tables = ['user', 'session', 'account', 'verification', 'jwks',
  'oauthClient', 'oauthAccessToken', 'oauthRefreshToken', 'oauthConsent'];

const auth = betterAuth({
  baseURL: origin,
  secret: 'a-secret-for-tests-that-is-long-enough-for-better-auth',
  database: memoryAdapter(Object.fromEntries(tables.map((name) => [name, []]))),
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  disabledPaths: ['/token'], // the JWT plugin's own /token would shadow the OAuth meaning of the word
  plugins: [
    jwt(),
    oauthProvider({
      loginPage: '/sign-in',
      consentPage: '/consent',
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      validAudiences: [resource],
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    }),
  ],
});
await auth.api.signUpEmail({ body: { name: 'Test Person', ...PERSON } });

const resourceClient = oauthProviderResourceClient(auth).getActions();

async function requireToken(request, response, next) {
  const token = request.headers.authorization?.replace(/^Bearer /, '');
  try {
    await resourceClient.verifyAccessToken(token, {
      jwksUrl: `${issuer}/jwks`,
      verifyOptions: { issuer, audience: resource },
    });
  } catch (error) {
    // better-auth throws an APIError that already carries the status and the challenge.
    return response.status(error.statusCode ?? 500).set(error.headers ?? {}).send(error.message);
  }
  next();
}

const app = express();
const viaFetch = (handler) => async (_request, response) => sendFetchResponse(await handler(), response);

app.all('/api/auth/{*rest}', (request, response, next) => {
  if (request.path === '/api/auth/.well-known/openid-configuration') return next();
  return toNodeHandler(auth)(request, response);
});
app.get('/api/auth/.well-known/openid-configuration', viaFetch(oauthProviderOpenIdConfigMetadata(auth)));
app.get('/.well-known/oauth-authorization-server/api/auth', viaFetch(oauthProviderAuthServerMetadata(auth)));
app.get('/.well-known/oauth-protected-resource/mcp', async (_request, response) => {
  response.json(await resourceClient.getProtectedResourceMetadata({ resource, authorization_servers: [issuer] }));
});
app.get('/sign-in', (_request, response) => {
  response.send(scriptedForm('Sign in', '/api/auth/sign-in/email', { email: 'email', password: 'password' }));
});
app.get('/consent', (_request, response) => {
  response.send(scriptedForm('Allow access', '/api/auth/oauth2/consent', { accept: 'checkbox' }));
});
app.all('/mcp', requireToken, express.json(), statelessMcp);

await listen(app, port);
