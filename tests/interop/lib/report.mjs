// What a client program tells the runner: one JSON object on each line of its standard output.
// {"http": ...} for every exchange, and one {"ok": ...} at the end with the step that failed.
import { STEP_LIMIT_MS } from './http.mjs';

let step = 'connect';
let authorized = false;

export function enter(name) {
  step = name;
}

export function trace(method, url, status, note = '') {
  say({ http: `${method} ${url} ${status}${note && ` ${note}`}`, step });
}

export function succeed(note) {
  finish({ ok: true, note });
}

export function fail(error) {
  finish({ ok: false, step, error: describe(error) });
}

function finish(verdict) {
  // The process ends only after the line is out; open event streams would keep it alive.
  process.stdout.write(`${JSON.stringify(verdict)}\n`, () => process.exit(verdict.ok ? 0 : 1));
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function describe(error) {
  const words = [];
  for (let at = error; at; at = at.cause) words.push(at.message || String(at));
  return words.join(': ').replace(/\s+/g, ' ').slice(0, 400);
}

// The step of the flow is read off the addresses that the client asks for, so that an SDK which does
// everything inside one call still shows where it stopped.
export function stepOf(url, mcpUrl, hasToken) {
  const { pathname } = new URL(url);
  if (pathname.includes('/.well-known/oauth-protected-resource')) return 'resource metadata';
  if (pathname.includes('/.well-known/')) return 'server metadata';
  if (pathname.endsWith('/register')) return 'register';
  if (pathname.endsWith('/token')) return 'token';
  if (pathname.endsWith('/authorize')) return 'authorize';
  if (new URL(mcpUrl).pathname === pathname) return hasToken ? 'call' : 'connect';
  return pathname;
}

export function tracedFetch(mcpUrl) {
  return async (input, init = {}) => {
    const url = String(input.url ?? input);
    const method = init.method ?? 'GET';
    const headers = new Headers(init.headers);
    authorized ||= headers.has('authorization');
    enter(stepOf(url, mcpUrl, authorized));
    // A GET for events stays open for as long as the client lives; everything else has a limit.
    const isStream = method === 'GET' && headers.get('accept')?.includes('text/event-stream');
    const limits = [init.signal, !isStream && AbortSignal.timeout(STEP_LIMIT_MS)].filter(Boolean);
    const response = await fetch(input, { ...init, signal: limits.length ? AbortSignal.any(limits) : undefined });
    trace(method, url, response.status);
    return response;
  };
}
