// What both versions of the TypeScript SDK are asked: one question a line, one answer a line. A visit is
// everything a host does with a server, in steps; what each gave is told by its name.
import { createInterface } from 'node:readline';

export async function answerAll(sdk) {
  process.on('unhandledRejection', () => {}); // reported by the step that waits for it
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    visit(sdk, question).then((steps) => process.stdout.write(`${JSON.stringify({ id: question.id, steps })}\n`));
  }
  process.exit(0);
}

async function visit(sdk, { url, kind, mode, limit, does }) {
  const options = { timeout: limit };
  const { client, transport, told } = sdk.build({ url: new URL(url), kind, mode });
  const steps = {};
  const step = async (name, act) => (steps[name] = await outcome(act, limit));
  await step('connect', async () => {
    await client.connect(transport, options);
    return [client.getServerCapabilities(), client.getServerVersion(), client.getInstructions()];
  });
  if ('value' in steps.connect) {
    await step('tools', () => client.listTools({}, options));
    await step('resources', () => client.listResources({}, options));
    await step('templates', () => client.listResourceTemplates({}, options));
    await step('prompts', () => client.listPrompts({}, options));
    if (does.read) await step('read', () => client.readResource({ uri: does.read }, options));
    if (does.prompt) await step('prompt', () => client.getPrompt(does.prompt, options));
    for (const [name, call] of Object.entries(does.calls)) {
      await step(name, () => sdk.callTool(client, call, options));
    }
    if (does.counts) {
      await step('progress', async () => {
        const seen = [];
        const result = await sdk.callTool(client, does.counts, { ...options, onprogress: ({ progress, total }) => seen.push([progress, total]) });
        return { seen, result };
      });
    }
    if (does.news) {
      await step('news', async () => {
        await sdk.callTool(client, does.news, options);
        return (await within(told, NEWS_MS)) !== LATE;
      });
    }
    await step('together', () => Promise.all([1, 2, 3, 4, 5].map(() => sdk.callTool(client, does.calls.call, options))));
    await step('unknown', () => client.getPrompt({ name: 'there-is-no-such-prompt' }, options));
    await step('ping', () => client.ping(options));
    await step('end', async () => {
      await transport.terminateSession?.();
      await client.close();
    });
  }
  client.close().catch(() => {});
  return steps;
}

// Long enough for what comes at all.
const NEWS_MS = 1_000;
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
    return value === LATE ? { error: 'hung' } : { value: value ?? null };
  } catch (error) {
    return { error: `${error.name} ${error.code ?? ''}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 300) };
  }
}
