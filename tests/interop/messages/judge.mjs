// What a client must have in the end, and what its visits to the server and to the proxy come to.
import { isDeepStrictEqual } from 'node:util';
import * as sound from './sound.mjs';

export const VERDICTS = {
  ok: 'right with and without the proxy',
  mended: 'wrong without the proxy, right through it',
  exact: 'what the server and the client got through the proxy is exactly right',
  'not mendable': 'the same with and without the proxy, and nobody could help',
  WRONG: 'wrong both ways',
  BROKEN: 'right without the proxy, wrong through it',
  OTHERWISE: 'what the server or the client got through the proxy is not what it must be',
  DIFFERENT: 'nobody could help, and the proxy changed what the client sees',
};

export const isFailure = ({ verdict }) => verdict === verdict.toUpperCase();

// Only the TypeScript SDK tells its host of what goes wrong beside the steps.
export const QUIET = ({ value } = {}, client) => !client.startsWith('ts') || value?.length === 0;

// An expected step is a value, `error(...)`, or a function of outcome and client.
export const error = (code, pattern) => ({ value, code: found, error: text = '', hung }) =>
  value === undefined && !hung && (code === undefined || found === code) && (!pattern || pattern.test(text));

const READ = {
  connect: ({ protocolVersion, capabilities, serverInfo, instructions }) => ({
    protocolVersion,
    capabilities: Object.keys(withoutNulls(capabilities ?? {})).sort(),
    serverInfo: withoutNulls(serverInfo ?? {}),
    instructions: instructions ?? undefined,
  }),
  tools: (tools) => tools.map(withoutNulls),
  call: ({ content, structuredContent, isError = false }) => ({ content: content.map(readContent), structuredContent, isError }),
  ping: () => null,
  resources: (resources) => resources.map(withoutNulls),
  templates: (templates) => templates.map(withoutNulls),
  prompts: (prompts) => prompts.map((prompt) => withoutNulls({ ...prompt, arguments: prompt.arguments?.map(withoutNulls) })),
  notified: (came) => came,
  quiet: (complaints) => complaints,
  close: () => null,
};

export const STEPS = Object.keys(READ);

export const SOUND = {
  connect: {
    protocolVersion: sound.VERSIONS[0],
    capabilities: Object.keys(sound.CAPABILITIES).sort(),
    serverInfo: sound.SERVER,
    instructions: sound.INSTRUCTIONS,
  },
  tools: [...sound.TOOLS, ...sound.MORE_TOOLS],
  call: {
    content: [{ type: 'text', text: sound.CALL.arguments }, ...sound.MORE_CONTENT],
    structuredContent: sound.STRUCTURED,
    isError: false,
  },
  ping: null,
  resources: sound.RESOURCES,
  templates: sound.TEMPLATES,
  prompts: sound.PROMPTS,
  notified: true,
  close: null,
};

// SDKs write members that are not there as nulls, or not at all.
function withoutNulls(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== undefined));
}

// The first text is the arguments as they came; every client writes JSON in its own way.
function readContent(item, at) {
  const read = withoutNulls(item);
  if (at === 0 && item.type === 'text') read.text = parsed(item.text);
  return read;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// The first step that is not as it must be, or undefined.
export function wrongStep(one, steps, client) {
  const { expect = {}, stream = true } = one;
  for (const step of STEPS) {
    if ((step === 'notified' && !stream) || (step === 'quiet' && !expect.quiet)) continue;
    const wanted = step in expect ? expect[step] : SOUND[step];
    if (wanted === ANYTHING) continue;
    const outcome = steps[step];
    if (!outcome && step !== 'quiet') return { step, found: 'was not reached' };
    const found = tell(outcome ?? {});
    if (typeof wanted === 'function') {
      if (!wanted(outcome, client)) return { step, found };
      continue;
    }
    if (!('value' in outcome)) return { step, found };
    const value = read(step, outcome.value);
    if (!isDeepStrictEqual(value, wanted)) return { step, found: difference(value, wanted) };
  }
  return undefined;
}

export const ANYTHING = Symbol('anything');

function read(step, value) {
  // Through JSON, so that what is not there and what is undefined are the same.
  return JSON.parse(JSON.stringify(READ[step](value)));
}

function tell({ hung, error: text, code, value }) {
  if (hung) return 'hangs';
  if (text !== undefined) return `${code ?? ''} ${text}`.trim();
  return JSON.stringify(value);
}

function difference(found, wanted) {
  return `got ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;
}

export function judge(one, direct, mended, client) {
  const [before, after] = [wrongStep(one, direct, client), wrongStep(one, mended, client)];
  if (one.unmendable) {
    const same = isDeepStrictEqual(sight(direct), sight(mended));
    return same ? { verdict: 'not mendable' } : { verdict: 'DIFFERENT', why: `${told(before)} / ${told(after)}` };
  }
  if (!after) return before ? { verdict: 'mended', why: told(before) } : { verdict: 'ok' };
  return { verdict: before ? 'WRONG' : 'BROKEN', why: told(after), before: before && told(before) };
}

const told = (wrong) => (wrong ? `${wrong.step}: ${wrong.found}` : 'right');

// Without the texts of errors: there stand addresses.
function sight(steps) {
  return Object.fromEntries(Object.entries(steps).filter(([step]) => step !== 'quiet').map(([step, { value, hung, code }]) => [step, value === undefined ? { hung, code } : read(step, value)]));
}
