// Child processes under a leash: each has a time limit, each is ended by its own id, and none
// outlives the runner.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { LOOPBACK } from './serve.mjs';

const START_LIMIT_MS = 30_000;
const GRACE_MS = 3_000;
const LAST_LINES = 5;

const running = new Set();

// Proxies named in the environment would carry loopback traffic away, and settings there would change
// what is tested: children get neither.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/_proxy$|^MCP_MEND|^NODE_ENV$/i.test(name)),
);
// Whatever they leave behind when they are cut off goes away with this directory.
const scratch = mkdtempSync(join(tmpdir(), 'interop-'));
Object.assign(environment, { NO_PROXY: '*', TMPDIR: scratch, NODE: process.execPath, PYTHONUNBUFFERED: '1' });

export class Child {
  // With `onOutput`, standard output is one text and no lines.
  constructor([command, ...args], log, { stdin = 'ignore', env = {}, onOutput } = {}) {
    // A group of its own, so that what it starts in turn (Chromium) can be ended with it.
    this.process = spawn(command, args, { stdio: [stdin, 'pipe', 'pipe'], env: { ...environment, ...env }, detached: true });
    this.tail = [];
    this.ended = new Promise((done) => {
      this.process.once('error', (error) => done(error.message));
      this.process.once('close', (code, signal) => done(`ended with ${signal ?? code}`));
    });
    running.add(this);
    this.ended.then(() => running.delete(this));
    if (onOutput) this.process.stdout.setEncoding('utf8').on('data', onOutput);
    for (const stream of onOutput ? [this.process.stderr] : [this.process.stdout, this.process.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (line.startsWith('{') && stream === this.process.stdout) return this.onJson?.(line);
        this.tail = [...this.tail, line].slice(-LAST_LINES);
        log(line);
      });
    }
  }

  // Resolves with the port of a {"ready": port} line.
  async ready() {
    const said = new Promise((done) => (this.onJson = (line) => done(JSON.parse(line).ready)));
    return this.#before(START_LIMIT_MS, said);
  }

  // Resolves when something accepts connections on the port.
  async answers(port) {
    let over = false;
    const open = async () => {
      while (!over) {
        if (await accepts(port)) return port;
        await pause(50);
      }
    };
    return this.#before(START_LIMIT_MS, open()).finally(() => (over = true));
  }

  async #before(limit, event) {
    const timer = new AbortController();
    const late = pause(limit, 'not ready in time', { signal: timer.signal }).catch(() => {});
    const gone = Promise.race([this.ended, late]).then((why) => {
      throw new Error([why, ...this.tail].join(' / ').slice(0, 300));
    });
    try {
      return await Promise.race([event, gone]);
    } finally {
      timer.abort();
      gone.catch(() => {});
    }
  }

  async stop() {
    if (!this.process.pid) return;
    this.#signal('SIGTERM');
    const stopped = await Promise.race([this.ended, pause(GRACE_MS, null, { ref: false })]);
    if (stopped === null) {
      this.#signal('SIGKILL');
      await this.ended;
    }
  }

  kill() {
    this.#signal('SIGKILL');
  }

  #signal(name) {
    try {
      process.kill(-this.process.pid, name);
    } catch {
      // Already gone.
    }
  }
}

// Runs a client program to its verdict. It always gives one, whatever the program does.
export async function verdictOf(command, limit, { onHttp, log }) {
  const child = new Child(command, log);
  let verdict;
  let step = 'start';
  child.onJson = (line) => {
    const said = JSON.parse(line);
    if (said.step) step = said.step;
    if (said.http) onHttp(said.http);
    if ('ok' in said) verdict = said;
  };
  const how = await Promise.race([child.ended, pause(limit, null, { ref: false })]);
  if (how === null) {
    await child.stop();
    return { ok: false, step, error: `no verdict after ${limit / 1000} s` };
  }
  return verdict ?? { ok: false, step, error: `${how} without a verdict: ${child.tail.join(' / ').slice(-300)}` };
}

function accepts(port) {
  return new Promise((done) => {
    const socket = connect(port, LOOPBACK);
    const answer = (open) => {
      socket.destroy();
      done(open);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(130));
}
process.once('exit', () => {
  for (const child of running) child.kill();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});
