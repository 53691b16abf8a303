// An HTTP/1.1 server on bare sockets: what it answers goes out byte for byte, however wrong it is.
//
// An answer is { status, headers, body } with a Content-Length, in one chunk if it is { chunked } and
// without any length if it is { untilClose }; or { stream } in chunks as they come, { raw } that has its
// head in it, or { hang }.
import { createServer } from 'node:net';
import { once } from 'node:events';
import { LOOPBACK } from '../lib/serve.mjs';

const REASONS = { 200: 'OK', 202: 'Accepted', 204: 'No Content', 404: 'Not Found' };
const HEAD_END = '\r\n\r\n';

export async function listenOnWire(answer) {
  const sockets = new Set();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    serve(socket, answer).catch((error) => socket.destroy(error));
  }).listen(0, LOOPBACK);
  await once(server, 'listening');
  const { port } = server.address();
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port, origin: `http://${LOOPBACK}:${port}`, stop };
}

async function serve(socket, answer) {
  let rest = '';
  let wake = () => {};
  let over = false;
  const gone = new Promise((done) => socket.once('close', done));
  // Latin-1 keeps every byte a character, so that lengths and odd bytes stay what they are.
  socket.setEncoding('latin1');
  socket.on('data', (text) => {
    rest += text;
    wake();
  });
  socket.on('close', () => {
    over = true;
    wake();
  });
  const until = async (found) => {
    for (;;) {
      const at = found();
      if (at !== undefined) return at;
      if (over) return undefined;
      await new Promise((done) => (wake = done));
    }
  };
  const take = (count) => {
    const text = rest.slice(0, count);
    rest = rest.slice(count);
    return text;
  };
  const upTo = (mark) => until(() => (rest.includes(mark) ? take(rest.indexOf(mark) + mark.length) : undefined));
  const exactly = (count) => until(() => (rest.length >= count ? take(count) : undefined));

  for (;;) {
    const head = await upTo(HEAD_END);
    if (head === undefined) return;
    const request = parseHead(head);
    if (request.header('expect')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    const body = request.header('transfer-encoding') ? await chunked(upTo, exactly) : await exactly(Number(request.header('content-length') ?? 0));
    if (body === undefined) return;
    request.bytes = Buffer.from(body, 'latin1');
    request.body = request.bytes.toString('utf8');
    request.gone = gone;
    const keeps = await send(socket, request, await answer(request));
    if (!keeps || request.header('connection') === 'close') return socket.end();
  }
}

async function chunked(upTo, exactly) {
  let body = '';
  for (;;) {
    const size = parseInt(await upTo('\r\n'), 16);
    if (Number.isNaN(size)) return undefined;
    const chunk = await exactly(size + 2);
    if (chunk === undefined || size === 0) return chunk && body;
    body += chunk.slice(0, -2);
  }
}

function parseHead(head) {
  const [line, ...lines] = head.slice(0, -HEAD_END.length).split('\r\n');
  const [method, target, version] = line.split(' ');
  const headers = lines.map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 1).trim()]);
  const all = (name) => headers.filter(([key]) => key === name).map(([, value]) => value);
  const header = (name) => (all(name).length ? all(name).join(', ') : undefined);
  const url = new URL(target, 'http://upstream');
  return { method, target, version, path: url.pathname, query: url.searchParams, head, headers, header };
}

// Whether the connection can serve another request.
async function send(socket, request, answer) {
  const { status, headers = [], body = '', untilClose, raw, hang } = answer;
  const stream = answer.stream ?? (answer.chunked && ((out) => (out.write(body), out.end())));
  if (hang) {
    await request.gone;
    return false;
  }
  if (raw !== undefined) {
    socket.write(raw, 'latin1');
    return false;
  }
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body, 'utf8');
  const lines = Array.isArray(headers) ? [...headers] : Object.entries(headers);
  if (stream) lines.push(['Transfer-Encoding', 'chunked']);
  else if (untilClose) lines.push(['Connection', 'close']);
  else if (status !== 204) lines.push(['Content-Length', bytes.length]);
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n${text}\r\n`, 'latin1');
  if (request.method === 'HEAD') return true;
  if (stream) return sendStream(socket, request, stream);
  if (status !== 204) socket.write(bytes);
  return !untilClose;
}

// The stream writes with `write`, ends with `end`, and may wait for the client to be gone.
async function sendStream(socket, request, stream) {
  let over = false;
  await new Promise((done) => {
    const finish = () => {
      over = true;
      done();
    };
    request.gone.then(finish);
    const write = (text) => {
      const bytes = Buffer.from(text, 'utf8');
      if (!over && bytes.length) socket.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]));
    };
    const end = () => {
      if (!over) socket.write('0\r\n\r\n');
      finish();
    };
    stream({ write, end, gone: request.gone });
  });
  return !socket.destroyed;
}
