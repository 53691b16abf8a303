// 2026-07-28 with the second version of the TypeScript SDK: no sessions, a new server for each request,
// questions to the client as results that ask for input.
import { randomBytes } from 'node:crypto';
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler, createRequestStateCodec, fromJsonSchema, inputRequired, McpServer, ProtocolError,
} from '@modelcontextprotocol/server';
import { listen } from '../../lib/serve.mjs';
import { complete, LISTS, PROMPTS, read, text, TOOLS } from './content.mjs';

const INVALID_PARAMS = -32602;
const STRING = { type: 'string' };
const NOTHING = { type: 'object', properties: {} };
const states = createRequestStateCodec({ key: randomBytes(32) });

const asked = (message, name, type = 'string') => inputRequired.elicit({
  message,
  requestedSchema: { type: 'object', properties: { [name]: { type } }, required: [name] },
});
const prompted = (words) => inputRequired.createMessage({ messages: [{ role: 'user', content: text(words) }], maxTokens: 100 });
const name = asked('What is your name?', 'name');
const CAPABILITY = { 'elicitation/create': 'elicitation', 'sampling/createMessage': 'sampling', 'roots/list': 'roots' };

// What each tool asks for, round by round.
const ASKING = {
  elicitation: [{ user_name: name }],
  sampling: [{ capital_question: prompted('What is the capital of France?') }],
  list_roots: [{ client_roots: inputRequired.listRoots() }],
  request_state: [{ confirm: asked('Please confirm', 'ok', 'boolean') }],
  tampered_state: [{ confirm: asked('Please confirm', 'ok', 'boolean') }],
  multiple_inputs: [{ user_name: name, greeting: prompted('Generate a greeting'), client_roots: inputRequired.listRoots() }],
  multi_round: [{ step1: name }, { step2: asked('What is your favorite color?', 'color') }],
  capabilities: [{ user_name: name, greeting: prompted('Generate a greeting') }],
};
const PROMPT = { name: 'test_input_required_result_prompt', rounds: [{ user_context: asked('What context?', 'context') }] };

// Asks what of the current round is unanswered, and undefined when nothing is left to ask. The round is
// kept by the client, in the signed state.
async function next(rounds, { mcpReq }, declared) {
  let round = mcpReq.requestState()?.round ?? 0;
  const answers = mcpReq.inputResponses ?? {};
  const wanted = () => Object.entries(rounds[round]).filter(([, { method }]) => declared[CAPABILITY[method]]);
  if (wanted().every(([key]) => answers[key])) round += 1;
  if (round === rounds.length) return undefined;
  return inputRequired({ inputRequests: Object.fromEntries(wanted()), requestState: await states.mint({ round }) });
}

function newServer() {
  const capabilities = { tools: { listChanged: true }, resources: {}, prompts: { listChanged: true }, completions: {}, logging: {} };
  const mcp = new McpServer({ name: 'conformance-stateless', version: '1.0.0' }, { capabilities, requestState: { verify: states.verify } });
  const { server } = mcp;
  const declared = () => server.getClientCapabilities() ?? {};
  const tool = (name, inputSchema, call) =>
    mcp.registerTool(name, { description: name, inputSchema: fromJsonSchema(inputSchema) }, call);
  const done = (words) => ({ content: [text(words)] });

  for (const [name, { inputSchema, call }] of Object.entries(TOOLS)) {
    tool(name, inputSchema, (given, { mcpReq }) => call(given, {
      progress: async (progress) => {
        const { progressToken } = mcpReq._meta ?? {};
        if (progressToken === undefined) return;
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      },
    }));
  }
  for (const [name, rounds] of Object.entries(ASKING)) {
    tool(`test_input_required_result_${name}`, NOTHING, async (_, context) =>
      await next(rounds, context, declared()) ?? done('state-ok'));
  }
  tool('test_streaming_elicitation', NOTHING, async (_, context) =>
    await next(ASKING.elicitation, context, declared()) ?? done('answered'));
  // Not asked with `next`: the SDK has to refuse what the client has not declared.
  tool('test_missing_capability', NOTHING, () => inputRequired({ inputRequests: ASKING.sampling[0] }));
  tool('test_logging_tool', NOTHING, async (_, { mcpReq }) => {
    await mcpReq.log('info', 'logged');
    return done('logged');
  });
  tool('test_trigger_tool_change', NOTHING, () => {
    handler.notify.toolsChanged();
    return done('changed');
  });
  tool('test_trigger_prompt_change', NOTHING, () => {
    handler.notify.promptsChanged();
    return done('changed');
  });
  tool('test_custom_header', { type: 'object', properties: { region: { ...STRING, 'x-mcp-header': 'Region' } }, required: ['region'] },
    ({ region }) => done(region));

  const on = (method, answer) => server.setRequestHandler(method, ({ params }, context) => answer(params, context));
  on('resources/list', LISTS.resources);
  on('resources/templates/list', LISTS.templates);
  on('resources/read', ({ uri }) => read(uri) ?? refuse('Resource not found', { uri }));
  on('prompts/list', () => {
    const { prompts } = LISTS.prompts();
    return { prompts: [...prompts, { name: PROMPT.name, description: PROMPT.name }] };
  });
  on('prompts/get', async ({ name, arguments: given = {} }, context) => {
    if (name === PROMPT.name) return await next(PROMPT.rounds, context, declared()) ?? PROMPTS.test_simple_prompt.get();
    return Object.hasOwn(PROMPTS, name) ? PROMPTS[name].get(given) : refuse(`no prompt ${name}`);
  });
  on('completion/complete', complete);
  return mcp;
}

function refuse(why, data) {
  throw new ProtocolError(INVALID_PARAMS, why, data);
}

const handler = createMcpHandler(newServer, { legacy: 'reject' });
const serve = toNodeHandler(handler);
const guards = [localhostHostValidation(), localhostOriginValidation()];
await listen((request, response) => {
  if (guards.every((allows) => allows(request, response))) serve(request, response);
}, Number(process.argv[2]));
