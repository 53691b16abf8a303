// One run of `mcp-mend check`, with somebody who logs in if it asks for that.
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from '../lib/children.mjs';
import { exchange } from '../lib/http.mjs';
import { visit } from '../lib/person.mjs';

const LIMIT_MS = 90_000;

// Resolves with the report. What went wrong in the browser is a reason to fail, not to wait.
export async function check(url, options, log) {
  let output = '';
  let browse;
  const browsing = new Promise((_, fail) => {
    browse = (page) => logIn(page).catch((error) => fail(new Error(`the login: ${error.message}`)));
  });
  const onLine = (line) => {
    log(line);
    const page = /^\s*(http:\S+)$/.exec(line)?.[1];
    if (page) browse(page);
  };
  const child = new Child([process.env.MCP_MEND, 'check', url, '--json', ...options], onLine, {
    onOutput: (text) => (output += text),
  });
  try {
    const late = pause(LIMIT_MS, `no report after ${LIMIT_MS / 1000} s`, { ref: false });
    const how = await Promise.race([child.ended, late, browsing]);
    if (!output) throw new Error([`check ${how}`, ...child.tail].join(' / '));
    return { ...JSON.parse(output), ended: how };
  } finally {
    await child.stop();
  }
}

async function logIn(page) {
  const callback = await visit(page, new URL(page).searchParams.get('redirect_uri'));
  const { status } = await exchange(callback);
  if (status !== 200) throw new Error(`the callback answered ${status}`);
}
