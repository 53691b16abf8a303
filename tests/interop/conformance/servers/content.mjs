// What the scenarios of the suite look for by name: the same tools, resources and prompts for both
// servers. A tool gets its arguments and what it may do meanwhile (`during`).
import { setTimeout as pause } from 'node:timers/promises';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
// A header of a sound without samples.
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';
const STEP_MS = 50;

export const text = (text) => ({ type: 'text', text });
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const embedded = (uri, mimeType, text) => ({ type: 'resource', resource: { uri, mimeType, text } });
const says = (...content) => ({ content });
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });
const NOTHING = { type: 'object', properties: {} };
const STRING = { type: 'string' };

// Every kind of keyword that a careless implementation drops.
const MANY_KEYWORDS = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: STRING, city: STRING } } },
  properties: {
    name: STRING,
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: STRING,
    email: STRING,
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

export const TOOLS = {
  test_simple_text: tool('Text', NOTHING, () => says(text('This is a simple text response for testing.'))),
  test_image_content: tool('An image', NOTHING, () => says(image)),
  test_audio_content: tool('A sound', NOTHING, () => says({ type: 'audio', data: WAV, mimeType: 'audio/wav' })),
  test_embedded_resource: tool('A resource within the result', NOTHING, () =>
    says(embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'))),
  test_multiple_content_types: tool('Text, image and resource', NOTHING, () => says(
    text('Multiple content types test:'),
    image,
    embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  )),
  test_error_handling: tool('Always fails', NOTHING, () => ({
    ...says(text('This tool intentionally returns an error for testing')),
    isError: true,
  })),
  test_tool_with_progress: tool('Reports progress', NOTHING, async (_, { progress }) => {
    for (const done of [0, 50, 100]) {
      await progress(done);
      await pause(STEP_MS);
    }
    return says(text('Done'));
  }),
  json_schema_2020_12_tool: tool('Takes much', MANY_KEYWORDS, (given) => says(text(JSON.stringify(given)))),
};

// For servers that can write to the client, or ask it, while a tool runs.
export const TALKING_TOOLS = {
  test_tool_with_logging: tool('Logs', NOTHING, async (_, { log }) => {
    for (const message of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await log(message);
      await pause(STEP_MS);
    }
    return says(text('Done'));
  }),
  test_sampling: tool('Asks the model', object({ prompt: STRING }), async ({ prompt }, { ask }) => {
    const messages = [{ role: 'user', content: text(prompt) }];
    const { content } = await ask('sampling/createMessage', { messages, maxTokens: 100 });
    return says(text(`LLM response: ${content.text}`));
  }),
  test_elicitation: tool('Asks the person', object({ message: STRING }), ({ message }, { ask }) =>
    elicit(ask, message, object({
      username: { type: 'string', description: "User's response" },
      email: { type: 'string', description: "User's email address" },
    }))),
  test_elicitation_sep1034_defaults: tool('Asks with defaults', NOTHING, (_, { ask }) =>
    elicit(ask, 'Please check', object({
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }, []))),
  test_elicitation_sep1330_enums: tool('Asks for a choice', NOTHING, (_, { ask }) => {
    const titled = ['First', 'Second', 'Third'].map((title, at) => ({ const: `value${at + 1}`, title }));
    const options = ['option1', 'option2', 'option3'];
    return elicit(ask, 'Please choose', object({
      untitledSingle: { type: 'string', enum: options },
      titledSingle: { type: 'string', oneOf: titled },
      legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
      untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
      titledMulti: { type: 'array', items: { anyOf: titled } },
    }, []));
  }),
  // The client has to come back for the answer.
  test_reconnection: tool('Hangs up before it answers', NOTHING, async (_, { hangUp }) => {
    await pause(STEP_MS);
    hangUp();
    await pause(2 * STEP_MS);
    return says(text('Reconnected'));
  }),
};

export const RESOURCES = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched' },
};
export const TEMPLATE = 'test://template/{id}/data';

export function read(uri) {
  if (RESOURCES[uri]) return { contents: [{ uri, ...RESOURCES[uri] }] };
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (!id) return undefined;
  const data = { id, templateTest: true, data: `Data for ID: ${id}` };
  return { contents: [{ uri, mimeType: 'application/json', text: JSON.stringify(data) }] };
}

const argument = (name) => ({ name, description: name, required: true });
const fromUser = (...contents) => ({ messages: contents.map((content) => ({ role: 'user', content })) });
export const PROMPTS = {
  test_simple_prompt: { arguments: [], get: () => fromUser(text('This is a simple prompt for testing.')) },
  test_prompt_with_arguments: {
    arguments: [argument('arg1'), argument('arg2')],
    get: ({ arg1, arg2 }) => fromUser(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  },
  test_prompt_with_embedded_resource: {
    arguments: [argument('resourceUri')],
    get: ({ resourceUri }) => fromUser(
      embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
      text('Please process the embedded resource above.'),
    ),
  },
  test_prompt_with_image: {
    arguments: [],
    get: () => fromUser(image, text('Please analyze the image above.')),
  },
};

export const LISTS = {
  tools: (tools) => ({ tools: Object.entries(tools).map(([name, { description, inputSchema }]) => ({ name, description, inputSchema })) }),
  resources: () => ({ resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({ uri, name: uri, mimeType })) }),
  templates: () => ({ resourceTemplates: [{ uriTemplate: TEMPLATE, name: 'template', mimeType: 'application/json' }] }),
  prompts: () => ({ prompts: Object.entries(PROMPTS).map(([name, { arguments: given }]) => ({ name, description: name, arguments: given })) }),
};

export const complete = ({ argument: { value } }) => {
  const values = ['paris', 'park', 'party'].filter((word) => word.startsWith(value));
  return { completion: { values, total: values.length, hasMore: false } };
};

function tool(description, inputSchema, call) {
  return { description, inputSchema, call };
}

async function elicit(ask, message, requestedSchema) {
  const { action, content } = await ask('elicitation/create', { message, requestedSchema });
  return says(text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`));
}
