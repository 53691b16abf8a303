// What the lists hold, and what tools say.
import { SOUND } from '../judge.mjs';
import { MORE_TOOLS, PROMPTS, TOOLS } from '../sound.mjs';
import { changing, each, FORMS } from './table.mjs';

// F-27, F-28: lists.
const LISTS = {
  tools: ['tools/list', 'tools', ['title', 'description', 'annotations', 'outputSchema', '_meta', 'icons', 'execution']],
  resources: ['resources/list', 'resources', ['title', 'description', 'mimeType', 'size', 'annotations', '_meta', 'icons']],
  templates: ['resources/templates/list', 'resourceTemplates', ['title', 'description', 'mimeType', 'annotations', '_meta', 'icons']],
  prompts: ['prompts/list', 'prompts', ['title', 'description', 'arguments', '_meta', 'icons']],
};
const withNulls = (items, members) => items.map((item) => ({ ...Object.fromEntries(members.map((name) => [name, null])), ...item }));
const nulls = [
  ...Object.entries(LISTS).flatMap(([step, [method, member, members]]) => [
    ...members.map((name) => ({
      id: `null: ${step} ${name}`,
      rows: ['F-27'],
      result: changing(method, (result) => ({ ...result, [member]: withNulls(result[member], [name]) })),
    })),
    {
      id: `null: ${step} nextCursor`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ nextCursor: null, ...result })),
    },
    {
      id: `empty: ${step} nextCursor`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ nextCursor: '', ...result })),
    },
    {
      id: `null: ${step} _meta of the list`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ ...result, _meta: null })),
    },
    {
      id: `null: ${step} everything`,
      rows: ['F-27'],
      forms: FORMS,
      result: changing(method, (result) => ({ nextCursor: null, _meta: null, ...result, [member]: withNulls(result[member], members) })),
    },
  ]),
  ...each({
    'annotations.title': (tool) => ({ ...tool, annotations: { title: null, ...tool.annotations } }),
    'annotations.destructiveHint': (tool) => (tool.annotations ? { ...tool, annotations: { ...tool.annotations, destructiveHint: null, idempotentHint: null, openWorldHint: null } } : tool),
  }, (name, change) => ({
    id: `null: tools ${name}`,
    rows: ['F-27'],
    result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map(change) })),
    expect: name === 'annotations.title' ? { tools: SOUND.tools.map((tool) => ({ ...tool, annotations: tool.annotations ?? {} })) } : {},
  })),
  {
    id: 'null: prompts arguments.description and required',
    rows: ['F-27'],
    result: changing('prompts/list', (result) => ({ prompts: result.prompts.map((prompt) => (prompt.arguments ? { ...prompt, arguments: [...prompt.arguments, { name: 'how', title: null, description: null, required: null }] } : prompt)) })),
    expect: { prompts: PROMPTS.map((prompt) => (prompt.arguments ? { ...prompt, arguments: [...prompt.arguments, { name: 'how' }] } : prompt)) },
  },
  ...each({
    instructions: [{ instructions: null }, { ...SOUND.connect, instructions: undefined }],
    _meta: [{ _meta: null }, SOUND.connect],
    'serverInfo.icons': [{ serverInfo: { ...SOUND.connect.serverInfo, icons: null, websiteUrl: null, description: null } }, SOUND.connect],
  }, (name, [members, connect]) => ({
    id: `null: initialize ${name}`,
    rows: ['F-27'],
    forms: FORMS,
    expect: { connect: JSON.parse(JSON.stringify(connect)) },
    result: changing('initialize', (result) => ({ ...result, ...members })),
  })),
  {
    id: 'null: ping result',
    rows: ['F-24'],
    forms: FORMS,
    result: (rpc) => (rpc === 'ping' ? 'null' : undefined),
  },
];

const schemas = each({
  missing: [({ inputSchema, ...tool }) => tool, { type: 'object' }],
  'null': [(tool) => ({ ...tool, inputSchema: null }), { type: 'object' }],
  '{}': [(tool) => ({ ...tool, inputSchema: {} }), { type: 'object' }],
  'without type': [(tool) => ({ ...tool, inputSchema: { properties: { a: { type: 'string', default: null } } } }), { type: 'object', properties: { a: { type: 'string', default: null } } }],
  'type null': [(tool) => ({ ...tool, inputSchema: { type: null, properties: {} } }), { type: 'object', properties: {} }],
  // How PHP writes objects without members.
  'a list': [(tool) => ({ ...tool, inputSchema: [] }), { type: 'object' }],
  'properties a list': [(tool) => ({ ...tool, inputSchema: { type: 'object', properties: [] } }), { type: 'object', properties: {} }],
}, (name, [change, inputSchema]) => ({
  id: `inputSchema: ${name}`,
  rows: ['F-28'],
  forms: FORMS,
  // The tool that is called keeps its schema.
  expect: { tools: [TOOLS[0], { ...TOOLS[1], inputSchema }, ...MORE_TOOLS] },
  result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? change(tool) : tool)) })),
}));
const outputs = each({ '{}': {}, 'without type': { properties: {} }, 'a list': [] }, (name, outputSchema) => ({
  id: `outputSchema: ${name}`,
  rows: ['F-28'],
  expect: { tools: ({ value }) => value?.length === 3 },
  result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? { ...tool, outputSchema } : tool)) })),
}));
// Some clients hand on what is in a schema as it is: there they may stay.
const schemaNulls = each({ properties: { properties: null }, required: { required: null } }, (name, members) => ({
  id: `null: tools inputSchema.${name}`,
  rows: ['F-27'],
  expect: { tools: ({ value }) => value?.length === 3 && value[1].inputSchema.type === 'object' },
  result: changing('tools/list', (result) => ({ ...result, tools: result.tools.map((tool) => (tool.name === 'echo' ? { ...tool, inputSchema: { type: 'object', ...members } } : tool)) })),
}));

// F-30: what a tool says. The tool has no output schema here, or the client would want its result.
const plainTools = changing('tools/list', (result) => ({ ...result, tools: result.tools.map(({ outputSchema, ...tool }) => tool) }));
const calls = each({
  'content missing': [{ structuredContent: { ok: true } }, (content) => Array.isArray(content)],
  'content null': [{ content: null, structuredContent: { ok: true } }, (content) => Array.isArray(content)],
  'content a text': [{ content: 'sunny' }, (content) => content.length === 1 && content[0].type === 'text' && content[0].text === 'sunny'],
  'content an object': [{ content: { type: 'text', text: 'sunny' } }, (content) => content.length === 1 && content[0].text === 'sunny'],
  'result {}': [{}, (content) => Array.isArray(content)],
  'result a text': ['"sunny"', (content) => content.length === 1 && content[0].text === 'sunny'],
  'isError null': [{ content: [{ type: 'text', text: 'sunny' }], isError: null }, (content) => content[0].text === 'sunny'],
  'structuredContent null': [{ content: [{ type: 'text', text: 'sunny' }], structuredContent: null, _meta: null }, (content) => content[0].text === 'sunny'],
}, (name, [result, right]) => ({
  id: `tool result: ${name}`,
  rows: ['F-30'],
  forms: FORMS,
  expect: {
    tools: [...TOOLS, ...MORE_TOOLS].map(({ outputSchema, ...tool }) => tool),
    call: ({ value }) => Array.isArray(value?.content) && right(value.content) && !value.isError && (!result.structuredContent || value.structuredContent?.ok === true),
  },
  result: (rpc, was) => (rpc === 'tools/call' ? result : plainTools(rpc, was)),
}));

// What a tool says is never touched.
const untouched = {
  id: 'tool result: annotations of the content null',
  rows: ['F-27'],
  unmendable: true,
  result: (rpc) => (rpc === 'tools/call' ? { content: [{ type: 'text', text: 'sunny', annotations: null, _meta: null }], structuredContent: { ok: true } } : undefined),
};

const texts = {
  id: 'tool result: content of texts',
  rows: ['F-30'],
  unmendable: true,
  result: (rpc, was) => (rpc === 'tools/call' ? { content: ['sunny'] } : plainTools(rpc, was)),
};

export default [...nulls, ...schemas, ...schemaNulls, ...outputs, ...calls, untouched, texts];
