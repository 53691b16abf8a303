// The page of flows, as a person sees it: empty, while a client logs in, opened by keyboard, filtered, paused, light and
// dark, narrow, with a check's result, and after the proxy has gone.
import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Child, verdictOf } from '../lib/children.mjs';
import { barriers, openBrowser, watch } from './browser.mjs';
import { CHECK, HOSTILE, STATE } from './fixture.mjs';

const CLIENT_LIMIT_MS = 60_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({ options: { shots: { type: 'string' }, verbose: { type: 'boolean', default: false } } });
if (!process.env.MCP_MEND) {
  console.error('MCP_MEND must name the mcp-mend binary');
  process.exit(2);
}
const shots = options.shots ?? mkdtempSync(join(tmpdir(), 'mcp-mend-page-'));
mkdirSync(shots, { recursive: true });
const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);

let passed = 0;
let failed = 0;
async function step(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n      ${String(error.message).replaceAll('\n', '\n      ')}`);
  }
}

const demo = await startDemo();
const origin = new URL(demo.admin).origin;
const { page, close } = await openBrowser();
const wrong = watch(page, origin);
const codes = [];
const shot = (name) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
const flows = page.locator('article.flow');
const text = (selector) => page.locator(selector).innerText();

await step('nobody has come yet, and the page says what to do', async () => {
  await page.goto(demo.admin);
  await page.locator('#empty').waitFor();
  assert.match(await text('#empty'), new RegExp(`Point a client at ${demo.mcp}\\s*\\. No request has reached us yet\\.`));
  assert.equal(await text('#pulse'), 'Live');
  await shot('empty');
  assert.deepEqual(await barriers(page), []);
});

await step('a client logs in, and its flow appears without a reload', async () => {
  await logIn();
  await flows.first().waitFor();
  await page.locator('article.flow[data-tone=good]').waitFor();
  assert.equal(await flows.count(), 1);
  const steps = await flows.first().locator('.steps li').allInnerTexts();
  assert.equal(steps.length, 6);
  for (const phase of steps) assert.match(phase, /: ok$/);
  assert.notEqual(await flows.first().locator('.sentence').innerText(), '');
  assert.notEqual(await text('#said'), '', 'a screen reader is told');
});

await step('the keyboard opens the flow and an exchange, with before and after', async () => {
  await tabTo('.more');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('.more').getAttribute('aria-expanded'), 'true');
  await page.keyboard.press('Tab');
  assert.ok(await page.evaluate(() => document.activeElement.matches('.row') && getComputedStyle(document.activeElement).outlineStyle !== 'none'));
  await page.keyboard.press('Space');
  const detail = page.locator('.detail').first();
  await detail.waitFor();
  assert.match(await detail.innerText(), /auth\.challenge-missing/);
  const added = await detail.locator('.diff td.new').allInnerTexts();
  assert.ok(added.some((line) => /^\+ added: www-authenticate: Bearer resource_metadata=/i.test(line.replace(/\s+/g, ' '))), added.join('\n'));
  assert.deepEqual(await detail.locator('.diff thead th').allInnerTexts(), ['\u2212 The server said', '+ The client got']);
});

await step('light, dark and narrow, without barriers', async () => {
  const row = flows.first().locator('.row', { hasText: 'oauth-authorization-server' }).first();
  await row.click();
  const grounds = [];
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await shot(scheme);
    assert.deepEqual(await barriers(page), [], scheme);
  }
  assert.notEqual(grounds[0], grounds[1]);
  await page.locator('#theme').click();
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), grounds[0], 'the choice wins over the system');
  for (const width of [390, 360]) {
    await page.setViewportSize({ width, height: 844 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `wider than ${width}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await shot('narrow');
  assert.deepEqual(await barriers(page), [], 'narrow');
  await page.setViewportSize({ width: 1360, height: 900 });
});

await step('filters by client, by what was mended, by what failed', async () => {
  await page.locator('#client').fill('no such client');
  assert.match(await text('#empty'), /No flow matches/);
  await page.locator('#client').fill('127.0.0');
  assert.equal(await flows.first().isVisible(), true);
  await page.getByRole('radio', { name: 'Failed' }).check();
  assert.equal(await flows.first().isVisible(), false);
  await page.getByRole('radio', { name: 'Mended' }).check();
  assert.equal(await flows.first().isVisible(), true);
  const shown = await page.locator('.row:visible').count();
  assert.ok(shown > 0 && shown < await page.locator('.row').count());
  await page.getByRole('radio', { name: 'All' }).check();
  await page.locator('#client').fill('');
});

await step('a pause holds everything back, and nothing is lost', async () => {
  const before = await page.locator('.row').count();
  await page.locator('#pause').click();
  await logIn();
  await page.waitForFunction(() => /Resume \(\d+\)/.test(document.querySelector('#pause').textContent));
  assert.equal(await page.locator('.row').count(), before);
  assert.equal(await text('#pulse'), 'Paused');
  await page.locator('#pause').click();
  await page.waitForFunction((count) => document.querySelectorAll('.row').length > count, before);
  assert.equal(await text('#pulse'), 'Live');
});

await step('counters count', async () => {
  await page.waitForFunction(() => !/^0 /.test(document.querySelector('.tile[data-kind=mended] .total').textContent));
  assert.match(await page.locator('.tile[data-kind=exchanges] svg').getAttribute('aria-label'), /^Exchanges a second/);
  assert.match(await text('#most'), /cors\.origin/);
});

await step('nothing secret, nobody else asked, no complaint', async () => {
  const shown = await page.evaluate(() => document.documentElement.outerHTML);
  const state = await page.evaluate(() => fetch('/api/state').then((answer) => answer.text()));
  assert.ok(codes.length >= 2, 'the client has seen codes');
  for (const code of codes) assert.ok(!shown.includes(code) && !state.includes(code), 'an authorization code is shown');
  assert.deepEqual(wrong, []);
});

await step('when the proxy goes, the page says so', async () => {
  await demo.child.stop();
  await page.locator('#pulse[data-state=lost]').waitFor();
});

await step('a check, and texts that look like HTML', async () => {
  await page.unrouteAll();
  const told = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const html = readFileSync(here('../../../src/admin/page.html'), 'utf8');
  await page.route('**/*', (route) => (route.request().url().endsWith('/api/events')
    ? route.fulfill({ contentType: 'text/event-stream', body: told('state', STATE) + told('check', CHECK) })
    : route.fulfill({ contentType: 'text/html', body: html })));
  wrong.length = 0;
  await page.goto(demo.admin);
  await page.locator('.fails').waitFor();
  assert.match(await text('#check'), /What fails \(1\)/);
  assert.equal(await page.locator('#check tbody tr').first().locator('th').innerText(), HOSTILE);
  for (const more of await page.locator('.more').all()) await more.click();
  for (const row of await page.locator('.row').all()) await row.click();
  for (const summary of await page.locator('summary').all()) await summary.click();
  assert.equal(await page.locator('img, body script:not(:last-of-type), b i u').count(), 0);
  assert.ok((await text('.flow h3')).includes(HOSTILE));
  await shot('check');
  assert.deepEqual(await barriers(page), []);
  assert.deepEqual(wrong, []);
});

await close();
console.log(`\npictures: ${shots}\n${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

// The demo, and the two addresses that it prints.
async function startDemo() {
  const found = {};
  let done;
  const ready = new Promise((resolve) => (done = resolve));
  const child = new Child([process.env.MCP_MEND, 'demo', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'], (line) => {
    log('mcp-mend')(line);
    found.mcp ??= /Point a client at (http\S+)/.exec(line)?.[1];
    found.admin ??= /admin page\s+(http\S+)/.exec(line)?.[1];
    if (found.mcp && found.admin) done();
  });
  await Promise.race([ready, child.ended.then((how) => { throw new Error(`mcp-mend ${how}: ${child.tail.join(' / ')}`); })]);
  return { ...found, child };
}

async function logIn() {
  const onHttp = (line) => codes.push(...(/[?&]code=([^&\s]+)/.exec(line)?.slice(1) ?? []));
  const verdict = await verdictOf([process.execPath, here('client.mjs'), demo.mcp], CLIENT_LIMIT_MS, { onHttp, log: log('client') });
  assert.ok(verdict.ok, JSON.stringify(verdict));
}

async function tabTo(selector) {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  throw new Error(`Tab never reaches ${selector}`);
}
