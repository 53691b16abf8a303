// What the sound server has to say, and so what every client must have in the end.
export const SERVER = { name: 'sound', title: 'Sound server', version: '1.2.3' };
export const INSTRUCTIONS = 'Ask for the forecast first.';
export const CAPABILITIES = { tools: { listChanged: true }, resources: {}, prompts: {}, logging: {} };
export const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

// Nulls inside of schemas mean something: a repair that drops them changes the tool.
export const TOOLS = [
  {
    name: 'forecast',
    title: 'Forecast',
    description: 'Says how the weather will be \u2013 "probably".',
    inputSchema: {
      type: 'object',
      properties: {
        city: { type: 'string', description: 'Name of a city' },
        days: { type: 'integer', minimum: 1, default: 3 },
        unit: { enum: ['C', 'F', null], default: null },
      },
      required: ['city'],
    },
    outputSchema: { type: 'object', properties: { ok: { type: 'boolean' }, none: { type: 'null' } }, required: ['ok'] },
    annotations: { title: 'Forecast', readOnlyHint: true },
  },
  { name: 'echo', description: 'Says the same.', inputSchema: { type: 'object' } },
];
// The second page.
export const MORE_TOOLS = [{ name: 'late', inputSchema: { type: 'object', properties: {} } }];
export const CURSOR = 'page two';

export const RESOURCES = [
  { uri: 'file:///a.txt', name: 'a', title: 'A', description: 'First', mimeType: 'text/plain', size: 12 },
  { uri: 'file:///b.txt', name: 'b' },
];
export const TEMPLATES = [{ uriTemplate: 'file:///{name}', name: 'any', title: 'Any', description: 'Any file', mimeType: 'text/plain' }];
export const PROMPTS = [
  { name: 'greet', title: 'Greet', description: 'A greeting', arguments: [{ name: 'who', description: 'Whom', required: true }] },
  { name: 'bye' },
];

// What is called, with everything that is easily lost on the way.
export const CALL = {
  name: 'forecast',
  arguments: {
    city: 'Malm\u00f6',
    days: 2,
    unit: null,
    extra: { list: [1, null, 2.5, ''], nextCursor: null, error: null, empty: {} },
    text: 'two\nlines, "quotes", \\ and \u2028 \ud83d\ude00',
  },
};
export const STRUCTURED = {
  ok: true,
  none: null,
  list: [null, 0.5],
  deep: { nextCursor: null, _meta: null, error: null, inputSchema: {}, title: null },
};
export const MORE_CONTENT = [
  { type: 'text', text: '{"error":null,"nextCursor":""}', annotations: { audience: ['user'], priority: 0.5 } },
  { type: 'image', data: 'aGk=', mimeType: 'image/png' },
];
