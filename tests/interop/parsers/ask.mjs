// The programs around a case: a client that answers questions, and the proxy.
import { Child } from '../lib/children.mjs';
import { LOOPBACK } from '../lib/serve.mjs';

const ANSWER_LIMIT_MS = 20_000;
const START_LIMIT_MS = 30_000;

// A client program. One that does not answer in time, or ends, is started again for the next question.
export class Client {
  #command;
  #log;
  #child;
  #count = 0;

  constructor(command, log) {
    this.#command = command;
    this.#log = log;
  }

  async ask(question) {
    const id = ++this.#count;
    const child = (this.#child ??= this.#start());
    const answered = new Promise((done) => {
      child.onJson = (line) => {
        const answer = JSON.parse(line);
        if (answer.id === id) done(answer);
      };
    });
    child.process.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
    try {
      return await within(ANSWER_LIMIT_MS, child, answered);
    } catch (error) {
      await this.stop();
      return { ok: false, error: error.message };
    }
  }

  #start() {
    const child = new Child(this.#command, this.#log, { stdin: 'pipe' });
    child.process.stdin.on('error', () => {}); // it has ended, which is noticed elsewhere
    return child;
  }

  async stop() {
    const child = this.#child;
    this.#child = undefined;
    await child?.stop();
  }
}

// mcp-mend on a port that the system chooses.
export async function startProxy(upstream, log, ...options) {
  let said;
  const listens = new Promise((done) => (said = done));
  const child = new Child([process.env.MCP_MEND, upstream, '--listen', `${LOOPBACK}:0`, ...options], (line) => {
    log(line);
    const address = /listens on\s+(http:\/\/\S+)/.exec(line)?.[1];
    if (address) said(address);
  });
  try {
    return { origin: await within(START_LIMIT_MS, child, listens), stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

async function within(limit, child, event) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`silent for ${limit / 1000} s`)), limit)));
  const gone = child.ended.then((how) => {
    throw new Error([how, ...child.tail].join(' / ').slice(0, 300));
  });
  gone.catch(() => {});
  try {
    return await Promise.race([event, late, gone]);
  } finally {
    clearTimeout(timer);
  }
}
