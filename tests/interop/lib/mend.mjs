// mcp-mend before a server.
import { Child } from './children.mjs';
import { LOOPBACK } from './serve.mjs';

// Resolves with the address that the proxy tells people to give to clients; `keep` gets the process at
// once, to stop it whatever happens.
export function mend(upstream, keep, log, ...options) {
  let said;
  const address = new Promise((done) => (said = done));
  const child = new Child([process.env.MCP_MEND, upstream, '--listen', `${LOOPBACK}:0`, ...options], (line) => {
    log(line);
    const url = /clients use\s+(http:\S+)/.exec(line)?.[1];
    if (url) said(url);
  });
  keep(child);
  const gone = child.ended.then((how) => {
    throw new Error(`mcp-mend ${how}: ${child.tail.join(' / ')}`.slice(0, 300));
  });
  gone.catch(() => {});
  return Promise.race([address, gone]);
}
