// One plain HTTP exchange. `fetch` is not used here because it sets headers of its own (Sec-Fetch-*,
// Accept-Language) and follows redirects, both of which the callers must decide themselves.
import { request } from 'node:http';

export const STEP_LIMIT_MS = 10_000;

export function exchange(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false, signal: AbortSignal.timeout(STEP_LIMIT_MS) });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks = [];
      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => resolve({
        status: incoming.statusCode,
        headers: incoming.headers,
        text: Buffer.concat(chunks).toString('utf8'),
      }));
    });
    outgoing.end(body);
  });
}
