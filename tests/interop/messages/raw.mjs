// A client that sends exactly what it is told and keeps exactly what it gets, with the time of each part.
import { connect } from 'node:net';

const LIMIT_MS = 8_000;

// Sends one message, as text with its head. Without `until` the answer is read to its end.
export function exchange(origin, text, { until, limit = LIMIT_MS } = {}) {
  const { hostname, port } = new URL(origin);
  const started = Date.now();
  const parts = [];
  return new Promise((done, fail) => {
    const socket = connect(Number(port), hostname, () => socket.write(text, 'latin1'));
    const timer = setTimeout(() => finish(), limit);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      done(read(parts));
    };
    socket.setEncoding('latin1');
    socket.on('error', (error) => (clearTimeout(timer), fail(error)));
    socket.on('close', finish);
    socket.on('data', (part) => {
      parts.push({ at: Date.now() - started, text: part });
      const answer = read(parts);
      if (answer.status && (until ? until(answer) : answer.ended)) finish();
    });
  });
}

function read(parts) {
  let all = parts.map(({ text }) => text).join('');
  const interim = [];
  while (/^HTTP\/1\.1 1\d\d /.test(all) && all.includes('\r\n\r\n')) {
    interim.push(all.slice(0, all.indexOf('\r\n')));
    all = all.slice(all.indexOf('\r\n\r\n') + 4);
  }
  const split = all.indexOf('\r\n\r\n');
  if (split < 0) return { parts, interim, raw: all };
  const [line, ...lines] = all.slice(0, split).split('\r\n');
  const headers = lines.map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 1).trim()]);
  const header = (name) => headers.filter(([key]) => key === name).map(([, value]) => value).join(', ') || undefined;
  const status = Number(line.split(' ')[1]);
  const rest = all.slice(split + 4);
  const length = header('content-length');
  const bodyless = status === 204 || status === 304;
  const { body, ended } = header('transfer-encoding') ? dechunked(rest) : { body: rest, ended: bodyless || rest.length >= Number(length ?? Infinity) };
  return { parts, interim, raw: all, status, headers, header, body: Buffer.from(body, 'latin1').toString('utf8'), ended };
}

function dechunked(text) {
  let body = '';
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n', at);
    const size = parseInt(text.slice(at, end), 16);
    if (end < 0 || Number.isNaN(size)) return { body, ended: false };
    if (size === 0) return { body, ended: true };
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
    if (at > text.length) return { body, ended: false };
  }
}

// What the requests call the server.
export const HOST = 'mcp.example.com';

// A request as text. `headers` replace those that every SDK sends; one that is undefined is left out.
export function request({ method = 'POST', path = '/mcp', headers = {}, body = '' }) {
  const bytes = Buffer.from(body, 'utf8');
  const all = {
    Host: HOST,
    Accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    ...(body && { 'Content-Type': 'application/json', 'Content-Length': bytes.length }),
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${bytes.toString('latin1')}`;
}
