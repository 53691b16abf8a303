// The web page in headless Chromium: serves it on an origin of its own, plays the person in the same
// browser, and passes on what the page says.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { STEP_LIMIT_MS } from '../lib/http.mjs';
import { PERSON } from '../lib/pages.mjs';
import { enter, fail, succeed, trace } from '../lib/report.mjs';

const [mcpUrl, pageOrigin] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), 'interop-chromium-'));
const site = await servePage();
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const page = browser.pages()[0] ?? await browser.newPage();
const blocked = [];
let verdict;
page.on('console', (entry) => {
  const line = entry.text();
  if (line.startsWith('{')) hear(JSON.parse(line));
  else if (entry.type() === 'error') blocked.push(line);
});

try {
  await page.goto(`${pageOrigin}/?mcp=${encodeURIComponent(mcpUrl)}`, { timeout: STEP_LIMIT_MS });
  await playPerson();
} catch (error) {
  verdict ??= { error };
}
await browser.close();
site.close();
await rm(profile, { recursive: true, force: true });
if (verdict.ok) succeed(verdict.note);
else fail(verdict.error);

function hear(line) {
  if (line.step) enter(line.step);
  if (line.http) trace(...line.http.split(' '));
  if (line.ok) verdict = line;
  // "Failed to fetch" says nothing; the browser tells the reason only on its console.
  if (line.ok === false) {
    const reason = blocked.findLast((text) => text.includes('blocked by'));
    verdict = { error: new Error(reason ? `${line.error}: ${reason}` : line.error) };
  }
}

// Fills in and sends each form that shows up, until the page has reached its verdict.
async function playPerson() {
  let handled;
  let deadline = Date.now() + STEP_LIMIT_MS;
  while (!verdict) {
    if (Date.now() > deadline) {
      const text = await page.innerText('body').catch((error) => error.message);
      throw new Error(`stuck at ${new URL(page.url()).pathname}: ${text.replace(/\s+/g, ' ').slice(0, 200)}`);
    }
    await pause(50);
    const url = page.url();
    if (url === handled || url.startsWith(pageOrigin)) continue;
    if (!(await page.locator('form button').count().catch(() => 0))) continue;
    handled = url;
    deadline = Date.now() + STEP_LIMIT_MS;
    for (const [name, value] of Object.entries(PERSON)) {
      const field = page.locator(`input[name=${name}]`);
      if (await field.count()) await field.fill(value);
    }
    for (const box of await page.locator('input[type=checkbox]').all()) await box.check();
    await page.locator('form button').click();
  }
}

async function servePage() {
  const server = createServer(async (request, response) => {
    const script = request.url.startsWith('/page.js');
    const file = new URL(script ? 'web/page.js' : 'web/index.html', import.meta.url);
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    response.end(await readFile(file));
  }).listen(new URL(pageOrigin).port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
