// What is checked: every server of the other suites, as far as a check gets there.
import { LOOPBACK } from '../lib/serve.mjs';
import { SERVERS as WITH_LOGIN } from '../servers.mjs';
import { SERVERS as OPEN } from '../transport/servers.mjs';

const LOGIN = ['--register', '--login'];
const call = ({ name, arguments: given }) => ['--call', `${name}=${JSON.stringify(given)}`];
const GREET = call({ name: 'greet', arguments: { name: 'Ada' } });

// Each server is started once, and asked once for each of its cases: the name of the case, and the
// options of the check.
export const SERVERS = [
  // The slowest first: those whose streams are listened to twice.
  ...Object.entries(OPEN).sort(([, one], [, other]) => (other.kind === 'sse') - (one.kind === 'sse')).map(([name, { start, path, does }]) => ({
    name, start, path, cases: { [name]: call(does.calls.call) },
  })),
  ...Object.entries(WITH_LOGIN).map(([name, { command }]) => ({
    name,
    start: async () => ({ command }),
    path: '/mcp',
    cases: { [name]: [], [`${name}, as sdk`]: [...LOGIN, ...GREET], [`${name}, as claude`]: [...LOGIN, '--as', 'claude', ...GREET] },
  })),
];

export async function addressOf({ start, path }, child) {
  const { command, port: known, env } = await start();
  const server = child(command, { env });
  const port = known ? await server.answers(known) : await server.ready();
  return `http://${LOOPBACK}:${port}${path}`;
}
