// The person who logs in and consents, with the browser they would use: cookies, redirects, forms,
// and the headers that browsers add. Knows nothing about any server beyond what its pages show.
//
// As a program: node lib/person.mjs AUTHORIZE_URL REDIRECT_URI prints the callback URL (or fails).
import { pathToFileURL } from 'node:url';
import { exchange } from './http.mjs';
import { PERSON } from './pages.mjs';

const MOST_HOPS = 20;

export async function visit(authorizeUrl, redirectUri, trace = () => {}) {
  const browser = new Browser(new URL(authorizeUrl).origin, trace);
  let here = await browser.navigate(authorizeUrl);
  for (let hop = 0; hop < MOST_HOPS; hop++) {
    if (sameTarget(here.next ?? '', redirectUri)) return here.next;
    if (here.next) here = await browser.navigate(here.next, here.url);
    else here = await browser.submit(here);
  }
  throw new Error(`no way back to the client after ${MOST_HOPS} pages`);
}

function sameTarget(url, redirectUri) {
  if (!URL.canParse(url)) return false;
  const [a, b] = [new URL(url), new URL(redirectUri)];
  return a.origin === b.origin && a.pathname === b.pathname;
}

class Browser {
  constructor(home, trace) {
    this.home = home;
    this.trace = trace;
    this.cookies = new Map();
  }

  async navigate(url, from) {
    const headers = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    return this.#send(url, { headers }, from);
  }

  // Fills in the form of a page. A form marked as JSON is sent as its page's script sends it: by
  // fetch, with the page's query, and the answer names the next address.
  async submit(page) {
    const form = readForm(page);
    const scripted = form.sends === 'json';
    const fields = Object.fromEntries(form.fields.map(({ name, type, value }) => [name, answer(name, type, value, scripted)]));
    if (scripted) fields.oauth_query = new URL(page.url).search.slice(1);
    const result = await this.#send(form.action, {
      method: 'POST',
      headers: {
        accept: scripted ? 'application/json' : 'text/html',
        'content-type': scripted ? 'application/json' : 'application/x-www-form-urlencoded',
        origin: new URL(page.url).origin,
        'sec-fetch-mode': scripted ? 'cors' : 'navigate',
        'sec-fetch-dest': scripted ? 'empty' : 'document',
      },
      body: scripted ? JSON.stringify(fields) : new URLSearchParams(fields).toString(),
    }, page.url);
    if (!scripted) return result;
    const next = result.status === 200 && JSON.parse(result.text).url;
    if (!next) throw new Error(`${form.action}: ${result.status} ${result.text}`);
    return { ...result, url: page.url, next: new URL(next, page.url).href };
  }

  async #send(url, { method, headers, body }, from) {
    // Whoever is sent to another host by the pages of this one has left what the client asked for.
    if (new URL(url).origin !== this.home) throw new Error(`led away to ${url}`);
    const result = await exchange(url, {
      method,
      body,
      headers: {
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
        'accept-language': 'en',
        'sec-fetch-site': from ? 'same-origin' : 'cross-site',
        ...(from && { referer: from }),
        ...(this.cookies.size && { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
        ...headers,
      },
    });
    this.trace(method ?? 'GET', url, result.status, result.headers.location);
    for (const line of result.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name) this.cookies.set(name, value);
    }
    if (result.status >= 400) throw new Error(`${new URL(url).pathname}: ${result.status} ${result.text.slice(0, 200)}`);
    const moved = result.status >= 300 && result.headers.location;
    return { ...result, url, next: moved ? new URL(moved, url).href : undefined };
  }
}

function readForm(page) {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page.text);
  if (!form) throw new Error(`${new URL(page.url).pathname}: a page without a form: ${page.text.slice(0, 120)}`);
  const fields = [...form[2].matchAll(/<input\b([^>]*)>/gi)].map(([, attributes]) => ({
    name: attribute(attributes, 'name'),
    type: attribute(attributes, 'type') ?? 'text',
    value: attribute(attributes, 'value') ?? '',
  }));
  const action = new URL(attribute(form[1], 'action') ?? '', page.url).href;
  return { action, sends: attribute(form[1], 'data-sends'), fields: fields.filter(({ name }) => name) };
}

const attribute = (text, name) => new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(text)?.[1];

function answer(name, type, value, scripted) {
  if (type === 'checkbox') return scripted ? true : 'on';
  return PERSON[name] ?? value;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const hops = [];
    const url = await visit(process.argv[2], process.argv[3], (...hop) => hops.push(hop));
    console.log(JSON.stringify({ url, hops }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
    process.exitCode = 1;
  }
}
