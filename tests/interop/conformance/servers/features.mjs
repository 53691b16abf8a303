// What the conformance suite asks a server for: tools, prompts and resources with the names and the
// answers that its scenarios fix. Written once for both versions of the TypeScript SDK: a server of
// either version says with `handle(method, handler)` how it takes them (sdk-v1.mjs, sdk-v2.mjs).
//
// A handler gets the parameters and a `call`: notify(method, params); ask(method, params) for what only the
// client can do; closeStream(); changed(kind); lacks(capabilities), an error; and what the request carries:
// token, logs, capabilities, responses, and state(), which seal(value) made.
import { setTimeout as pause } from 'node:timers/promises';

export const INFO = { name: 'conformance', version: '1.0.0' };
export const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
  logging: {},
};

// One red pixel; a WAV file with one sample.
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const STEP_MS = 50;

const text = (words) => ({ type: 'text', text: words });
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri, mimeType, words) => ({ type: 'resource', resource: { uri, mimeType, text: words } });
const content = (...items) => ({ content: items });
const user = (item) => ({ role: 'user', content: item });

const object = (properties = {}) => ({ type: 'object', properties, required: Object.keys(properties) });
const string = (description) => ({ type: 'string', description });
const options = (...pairs) => pairs.map(([value, title]) => ({ const: value, title }));

// What a handler can ask of the client, as the 2025 revisions send it and as the 2026 one returns it.
const elicit = (message, properties) => ({ method: 'elicitation/create', params: { message, requestedSchema: object(properties) } });
const sample = (words, maxTokens = 100) => ({
  method: 'sampling/createMessage',
  params: { messages: [user(text(words))], maxTokens },
});
const roots = { method: 'roots/list', params: {} };
const needs = (inputRequests, requestState) => ({ resultType: 'input_required', inputRequests, requestState });

const DEFAULTS = {
  type: 'object',
  required: [],
  properties: {
    name: { ...string('Name'), default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
};

const THREE = ['option1', 'option2', 'option3'];
const ENUMS = {
  type: 'object',
  required: [],
  properties: {
    untitledSingle: { type: 'string', enum: THREE },
    titledSingle: { type: 'string', oneOf: options(['value1', 'First'], ['value2', 'Second'], ['value3', 'Third']) },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: THREE } },
    titledMulti: { type: 'array', items: { anyOf: options(['value1', 'First'], ['value2', 'Second'], ['value3', 'Third']) } },
  },
};

// Every keyword of JSON Schema 2020-12 that a proxy or an SDK might lose.
const SCHEMA_2020 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

// A tool whose arguments the client repeats in headers.
export const MIRRORED = {
  name: 'test_custom_headers',
  schema: {
    type: 'object',
    required: ['region', 'query'],
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      priority: { type: 'integer', 'x-mcp-header': 'Priority' },
      query: { type: 'string' },
    },
  },
};

const log = (call, data) => call.notify('notifications/message', { level: 'info', data });

// Name -> [input schema, handler].
const TOOLS = {
  test_simple_text: [object(), () => content(text('This is a simple text response for testing.'))],
  test_image_content: [object(), () => content(image)],
  test_audio_content: [object(), () => content({ type: 'audio', data: WAV, mimeType: 'audio/wav' })],
  test_embedded_resource: [
    object(), () => content(resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')),
  ],
  test_multiple_content_types: [object(), () => content(
    text('Multiple content types test:'),
    image,
    resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  )],
  test_error_handling: [
    object(), () => ({ ...content(text('This tool intentionally returns an error for testing')), isError: true }),
  ],
  json_schema_2020_12_tool: [SCHEMA_2020, (given) => content(text(JSON.stringify(given)))],

  test_tool_with_logging: [object(), async (_, call) => {
    await log(call, 'Tool execution started');
    await pause(STEP_MS);
    await log(call, 'Tool processing data');
    await pause(STEP_MS);
    await log(call, 'Tool execution completed');
    return content(text('logged'));
  }],
  test_logging_tool: [object(), async (_, call) => {
    if (call.logs) await log(call, 'Tool execution started');
    return content(text('logged if that was asked for'));
  }],
  test_tool_with_progress: [object(), async (_, call) => {
    for (const progress of [0, 50, 100]) {
      await call.notify('notifications/progress', { progressToken: call.token ?? 0, progress, total: 100 });
      await pause(STEP_MS);
    }
    return content(text(String(call.token)));
  }],
  test_reconnection: [object(), async (_, call) => {
    call.closeStream();
    await pause(2 * STEP_MS);
    return content(text('reconnected'));
  }],

  test_sampling: [object({ prompt: string('The prompt') }), async ({ prompt }, call) => {
    const { method, params } = sample(prompt);
    const { content: said } = await call.ask(method, params);
    return content(text(`LLM response: ${said.text}`));
  }],
  test_elicitation: [object({ message: string('The message') }), async ({ message }, call) => {
    const { method, params } = elicit(message, { username: string('Name'), email: string('Address') });
    return content(text(`User response: ${JSON.stringify(await call.ask(method, params))}`));
  }],
  test_elicitation_sep1034_defaults: [object(), async (_, call) => content(text(
    `Elicitation completed: ${JSON.stringify(await call.ask('elicitation/create', { message: 'Defaults', requestedSchema: DEFAULTS }))}`,
  ))],
  test_elicitation_sep1330_enums: [object(), async (_, call) => content(text(
    `Elicitation completed: ${JSON.stringify(await call.ask('elicitation/create', { message: 'Enums', requestedSchema: ENUMS }))}`,
  ))],

  test_missing_capability: [object(), (_, call) => {
    if (!call.capabilities.sampling) throw call.lacks({ sampling: {} });
    return content(text('sampling is there'));
  }],
  test_streaming_elicitation: [object(), async (_, call) => {
    await call.notify('notifications/progress', { progressToken: call.token ?? 0, progress: 1 });
    return needs({ user_name: elicit('What is your name?', { name: { type: 'string' } }) });
  }],
  test_trigger_tool_change: [object(), (_, call) => {
    call.changed('tools');
    return content(text('announced'));
  }],
  test_trigger_prompt_change: [object(), (_, call) => {
    call.changed('prompts');
    return content(text('announced'));
  }],
  [MIRRORED.name]: [MIRRORED.schema, (given) => content(text(JSON.stringify(given)))],

  test_input_required_result_elicitation: [object(), (_, { responses }) => {
    const { user_name: answer } = responses;
    if (answer?.content?.name) return content(text(`Hello, ${answer.content.name}!`));
    return needs({ user_name: elicit('What is your name?', { name: { type: 'string' } }) });
  }],
  test_input_required_result_sampling: [object(), (_, { responses }) => (
    responses.capital_question
      ? content(text(JSON.stringify(responses.capital_question.content)))
      : needs({ capital_question: sample('What is the capital of France?') })
  )],
  test_input_required_result_list_roots: [object(), (_, { responses }) => (
    responses.client_roots
      ? content(text(JSON.stringify(responses.client_roots.roots)))
      : needs({ client_roots: roots })
  )],
  test_input_required_result_request_state: [object(), confirmed],
  test_input_required_result_tampered_state: [object(), confirmed],
  test_input_required_result_multiple_inputs: [object(), async (_, { responses, state, seal }) => (
    state() && ['user_name', 'greeting', 'client_roots'].every((key) => responses[key])
      ? content(text('all there'))
      : needs({
        user_name: elicit('What is your name?', { name: { type: 'string' } }),
        greeting: sample('Generate a greeting', 50),
        client_roots: roots,
      }, await seal('several'))
  )],
  test_input_required_result_multi_round: [object(), async (_, { responses, state, seal }) => {
    if (state() === 'second' && responses.step2) return content(text('done'));
    if (state() === 'first' && responses.step1) {
      return needs({ step2: elicit('Step 2: What is your favorite color?', { color: { type: 'string' } }) }, await seal('second'));
    }
    return needs({ step1: elicit('Step 1: What is your name?', { name: { type: 'string' } }) }, await seal('first'));
  }],
  test_input_required_result_capabilities: [object(), (_, { capabilities }) => needs({
    ...(capabilities.elicitation && { name: elicit('What is your name?', { name: { type: 'string' } }) }),
    ...(capabilities.sampling && { greeting: sample('Generate a greeting') }),
  })],
};

async function confirmed(_, { responses, state, seal }) {
  if (state() && responses.confirm) return content(text('state-ok'));
  return needs({ confirm: elicit('Please confirm', { ok: { type: 'boolean' } }) }, await seal('confirm'));
}

const argument = (name) => ({ name, description: name, required: true });

// Name -> [arguments, handler].
const PROMPTS = {
  test_simple_prompt: [[], () => [user(text('This is a simple prompt for testing.'))]],
  test_prompt_with_arguments: [
    [argument('arg1'), argument('arg2')],
    ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  ],
  test_prompt_with_embedded_resource: [[argument('resourceUri')], ({ resourceUri }) => [
    user(resource(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
    user(text('Please process the embedded resource above.')),
  ]],
  test_prompt_with_image: [[], () => [user(image), user(text('Please analyze the image above.'))]],
};
const ASKING_PROMPT = 'test_input_required_result_prompt';

const RESOURCES = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched.' },
};
const TEMPLATE = 'test://template/{id}/data';

function read(uri) {
  if (RESOURCES[uri]) return { uri, ...RESOURCES[uri] };
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
  return id && { uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
}

export function serveFeatures(handle, refuse) {
  handle('tools/list', () => ({
    tools: Object.entries(TOOLS).map(([name, [inputSchema]]) => ({ name, description: name.replaceAll('_', ' '), inputSchema })),
  }));
  handle('tools/call', ({ name, arguments: given = {} }, call) => {
    if (!Object.hasOwn(TOOLS, name)) throw refuse(`Unknown tool: ${name}`);
    return TOOLS[name][1](given, call);
  });
  handle('prompts/list', () => ({
    prompts: [...Object.entries(PROMPTS), [ASKING_PROMPT, [[]]]]
      .map(([name, [args]]) => ({ name, description: name.replaceAll('_', ' '), arguments: args })),
  }));
  handle('prompts/get', ({ name, arguments: given = {} }, { responses }) => {
    if (name === ASKING_PROMPT) {
      const context = responses.user_context?.content?.context;
      if (context) return { messages: [user(text(context))] };
      return needs({ user_context: elicit('What context should the prompt use?', { context: { type: 'string' } }) });
    }
    if (!Object.hasOwn(PROMPTS, name)) throw refuse(`Unknown prompt: ${name}`);
    return { messages: PROMPTS[name][1](given) };
  });
  handle('resources/list', () => ({
    resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({ uri, name: uri.slice(7), description: uri, mimeType })),
  }));
  handle('resources/templates/list', () => ({
    resourceTemplates: [{ uriTemplate: TEMPLATE, name: 'template', description: 'data by id', mimeType: 'application/json' }],
  }));
  handle('resources/read', ({ uri }) => {
    const found = read(uri);
    if (!found) throw refuse('Resource not found', { uri });
    return { contents: [found] };
  });
  handle('resources/subscribe', () => ({}));
  handle('resources/unsubscribe', () => ({}));
  handle('completion/complete', () => ({ completion: { values: ['paris', 'park', 'party'], total: 150, hasMore: false } }));
  handle('logging/setLevel', () => ({}));
}
