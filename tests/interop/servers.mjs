// The servers with a login: how each is started, and which version it is.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const npm = JSON.parse(readFileSync(here('package.json'))).dependencies;
export const pin = (file, name) => new RegExp(`^${name}==(.+)$`, 'm').exec(readFileSync(here(file), 'utf8'))[1];
export const node = (path) => [process.execPath, here(path)];

export const SERVERS = {
  'better-auth': { version: npm['better-auth'], command: node('servers/better-auth.mjs') },
  'ts-sdk': { version: npm['@modelcontextprotocol/sdk'], command: node('servers/ts-sdk.mjs') },
  fastmcp: {
    version: pin('requirements-fastmcp.txt', 'fastmcp'),
    command: [here('.venv-fastmcp/bin/python'), here('servers/fastmcp_server.py')],
  },
};
