// An MCP server and its authorization server on one origin, sound but for the one answer of the case
// that is selected.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { LOOPBACK } from '../lib/serve.mjs';
import { CASES, clientOf, messageOf, sound } from './message.mjs';

const JSON_TYPE = 'application/json';
const NOT_FOUND = { status: 404, type: JSON_TYPE, body: '{"error":"not_found"}' };

export async function startUpstream() {
  let current = {};
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('error', () => response.destroy());
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { status, type, body: text, headers } = answer(current, request, body, origin);
      response.writeHead(status, { ...(type && { 'Content-Type': type }), ...headers }).end(text);
    });
  }).listen(0, LOOPBACK);
  await once(server, 'listening');
  const { port } = server.address();
  const origin = `http://${LOOPBACK}:${port}`;
  return { origin, port, select: (one) => (current = one), stop: () => server.closeAllConnections() ?? server.close() };
}

function answer(current, request, body, origin) {
  const url = new URL(request.url, origin);
  const broken = (group) => current.group === group;
  if (url.pathname.startsWith('/.well-known/')) return wellKnown(current, url.pathname, origin);
  if (request.method === 'GET' && url.pathname === '/authorize') return authorize(url);
  if (url.pathname === '/mcp') return challenge(origin);
  if (!['/register', '/token'].includes(url.pathname)) return NOT_FOUND;
  if (request.method !== 'POST') return { ...NOT_FOUND, status: 405 };
  if (url.pathname === '/register') {
    return broken('registration') ? messageOf(current, origin) : sound('registration', 'public', origin);
  }
  const refusal = refuses(clientOf(current), request.headers.authorization, new URLSearchParams(body));
  if (refusal) return { status: 401, type: JSON_TYPE, body: JSON.stringify({ error: 'invalid_client', error_description: refusal }) };
  return broken('token') ? messageOf(current, origin) : sound('token', 'bearer', origin);
}

function wellKnown(current, path, origin) {
  const broken = () => messageOf(current, origin);
  if (current.everywhere) return broken();
  if (path === '/.well-known/oauth-protected-resource' || path === '/.well-known/oauth-protected-resource/mcp') {
    return current.group === 'resource-metadata' ? broken() : sound('resource-metadata', 'resource', origin);
  }
  const asked = { '/.well-known/oauth-authorization-server': 'oauth', '/.well-known/openid-configuration': 'oidc' }[path];
  if (!asked) return NOT_FOUND;
  if (current.group !== 'server-metadata') return asked === 'oauth' ? sound('server-metadata', 'oauth', origin) : NOT_FOUND;
  if (asked === current.base) return broken();
  return asked === current.other ? sound('server-metadata', asked, origin) : NOT_FOUND;
}

function challenge(origin) {
  const headers = { 'WWW-Authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` };
  return { status: 401, type: JSON_TYPE, body: '{"error":"invalid_token"}', headers };
}

// Without PKCE it lets nobody in.
function authorize({ searchParams: asked }) {
  if (!asked.has('code_challenge')) {
    return { status: 400, type: JSON_TYPE, body: '{"error":"invalid_request","error_description":"code_challenge is missing"}' };
  }
  const to = new URL(asked.get('redirect_uri'));
  to.searchParams.set('code', 'code');
  to.searchParams.set('state', asked.get('state') ?? '');
  return { status: 302, body: '', headers: { Location: to.href } };
}

// A client that has a secret must show it, in one way or the other; one that has none must not.
function refuses({ id, secret }, authorization, form) {
  const basic = /^Basic (.+)$/.exec(authorization ?? '')?.[1];
  const [user, password] = basic ? Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent) : [];
  const shownId = user ?? form.get('client_id');
  const shownSecret = password ?? form.get('client_secret') ?? undefined;
  if (shownId !== id) return `client_id is ${id}, not ${shownId}`;
  if (shownSecret !== secret) return secret ? 'the secret is missing or wrong' : 'this client has no secret';
  return undefined;
}

// By hand: node upstream.mjs CASE
if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const one = CASES.find(({ id }) => id === process.argv[2]);
  const upstream = await startUpstream();
  if (one) upstream.select(one);
  console.log(JSON.stringify({ ready: upstream.port }));
}
