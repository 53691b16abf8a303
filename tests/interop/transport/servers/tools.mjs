// What every server here that is not a package of its own offers. Registered with the high-level API of
// either version of the TypeScript SDK; `sdk` has the few things in which they differ.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const LONG = 'ä€😀"\\\u2028'.repeat(20_000); // 320 kB that are easily cut in the wrong place

const text = (words) => ({ content: [{ type: 'text', text: words }] });

export function offer(server, sdk) {
  server.registerTool('greet', { description: 'Says hello', inputSchema: sdk.input({ name: z.string() }) },
    async ({ name }) => text(`Hello, ${name}!`));
  server.registerTool('fail', { description: 'Fails' }, async () => {
    throw new Error('it failed');
  });
  server.registerTool('count', { description: 'Counts', inputSchema: sdk.input({ steps: z.number() }) }, async ({ steps }, extra) => {
    for (let progress = 1; progress <= steps; progress++) {
      await sdk.notify(extra, { method: 'notifications/progress', params: { progressToken: sdk.token(extra), progress, total: steps } });
      await pause(20); // a client that gets the result with the last report may drop that
    }
    return text(`counted to ${steps}`);
  });
  server.registerTool('long', { description: 'Says much' }, async () => text(LONG));
  server.registerTool('announce', { description: 'Has news for the other stream' }, async () => {
    await sdk.announce(server);
    return text('announced');
  });
  server.registerTool('ask', { description: 'Asks back' }, async (extra) => {
    const answer = await sdk.elicit(server, extra, {
      message: 'Name?',
      requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
    });
    return text(`${answer.action} ${answer.content?.name}`);
  });
  server.registerResource('welcome', 'note://welcome', { description: 'A note', mimeType: 'text/plain' },
    async (uri) => ({ contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Welcome' }] }));
  server.registerPrompt('hello', { description: 'A prompt', argsSchema: sdk.input({ name: z.string() }) },
    ({ name }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }] }));
  return server;
}
