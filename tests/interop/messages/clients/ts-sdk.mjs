// What both versions of the TypeScript SDK are asked: one question a line, one answer a line, in any
// order. A visit ends with the first step that hangs, as the rest would only hang too.
import { createInterface } from 'node:readline';

const MOST_PAGES = 5;

export async function answerAll(sdk) {
  process.on('unhandledRejection', () => {}); // reported by the step that waits for it
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    visit(sdk, question).then((steps) => process.stdout.write(`${JSON.stringify({ id: question.id, steps })}\n`));
  }
  process.exit(0);
}

async function visit(sdk, { url, kind, mode, limit, wait, stream, call }) {
  const { client, transport, notified } = sdk.build({ url: new URL(url), kind, mode, limit });
  const options = { timeout: limit };
  const complaints = [];
  client.onerror = (error) => complaints.push(error.message);
  const list = (method, member) => async () => {
    const items = [];
    let cursor;
    for (let count = 0; count < MOST_PAGES; count++) {
      const page = await client[method](cursor === undefined ? {} : { cursor }, options);
      items.push(...page[member]);
      cursor = page.nextCursor;
      if (cursor === undefined) return items;
    }
    throw new Error(`more than ${MOST_PAGES} pages`);
  };
  const steps = {};
  const step = async (name, act) => {
    steps[name] = await outcome(act, limit);
    return steps[name].hung ? stop() : undefined;
  };
  const stop = () => {
    throw new Stopped();
  };
  try {
    await step('connect', async () => {
      await client.connect(transport, options);
      return {
        protocolVersion: sdk.versionOf(client, transport),
        capabilities: client.getServerCapabilities(),
        serverInfo: client.getServerVersion(),
        instructions: client.getInstructions(),
      };
    });
    if (!('value' in steps.connect)) stop();
    await step('tools', list('listTools', 'tools'));
    await step('call', () => sdk.callTool(client, call, options));
    await step('ping', async () => void (await client.ping(options)));
    await step('resources', list('listResources', 'resources'));
    await step('templates', list('listResourceTemplates', 'resourceTemplates'));
    await step('prompts', list('listPrompts', 'prompts'));
    if (stream) steps.notified = { value: (await within(notified, wait)) !== LATE };
    // Hosts show these to their users.
    steps.quiet = { value: [...complaints] };
    await step('close', async () => {
      await transport.terminateSession?.();
      await client.close();
    });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
  } finally {
    client.close().catch(() => {});
  }
  return steps;
}

class Stopped extends Error {}

const LATE = Symbol('late');

function within(promise, limit) {
  let timer;
  const late = new Promise((done) => (timer = setTimeout(done, limit, LATE)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function outcome(act, limit) {
  try {
    // The SDK's own limit comes first; this one is for what it does not limit.
    const value = await within(act(), limit + 500);
    return value === LATE ? { hung: true } : { value: value ?? null };
  } catch (error) {
    const text = `${error.name}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 400);
    if (/Request timed out/i.test(text)) return { hung: true, error: text };
    return { code: typeof error.code === 'number' ? error.code : undefined, error: text };
  }
}
