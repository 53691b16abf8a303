// A client program that answers many questions at once.
import { Child } from '../lib/children.mjs';

export class Client {
  #command;
  #log;
  #child;
  #count = 0;
  #waiting = new Map();

  constructor(command, log) {
    this.#command = command;
    this.#log = log;
  }

  // What the steps of a visit came to, by their names.
  async ask(question, limit) {
    const id = ++this.#count;
    const child = (this.#child ??= this.#start());
    const answered = new Promise((done) => this.#waiting.set(id, done));
    child.process.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
    let timer;
    const late = new Promise((done) => (timer = setTimeout(done, limit, { connect: { hung: true, error: 'no answer from the client' } })));
    return Promise.race([answered, late]).finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  #start() {
    const child = new Child(this.#command, this.#log, { stdin: 'pipe' });
    child.process.stdin.on('error', () => {}); // it has ended, which is noticed here:
    child.ended.then((how) => {
      if (this.#child === child) this.#child = undefined;
      const error = [how, ...child.tail].join(' / ').slice(0, 300);
      for (const done of this.#waiting.values()) done({ connect: { error: `the client ${error}` } });
    });
    child.onJson = (line) => {
      const { id, steps } = JSON.parse(line);
      this.#waiting.get(id)?.(steps);
    };
    return child;
  }

  async stop() {
    await this.#child?.stop();
  }
}
