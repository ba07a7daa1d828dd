// An MCP client (npm `@modelcontextprotocol/client`) that authorizes as the server tells it, and prints a report.
//
// Arguments: the URL of the server; the tools to call, as a JSON array of names; and the revision: `2026-07-28`, or
// `default` for what the package does unless it is told otherwise. The report has each tool's result or error, the
// scopes of each authorization request, and every exchange with the server.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

const [url, tools, revision] = process.argv.slice(2);
const report = { calls: [], scopes: [], exchanges: [] };
const remembered = {};
let callback;

const authProvider = {
  redirectUrl: 'http://127.0.0.1/callback',
  clientMetadata: { client_name: 'agent', redirect_uris: ['http://127.0.0.1/callback'], scope: 'mcp:use' },
  clientInformation: () => ({ client_id: 'agent' }),
  tokens: () => remembered.tokens,
  saveTokens: (tokens) => {
    remembered.tokens = tokens;
  },
  saveCodeVerifier: (verifier) => {
    remembered.verifier = verifier;
  },
  codeVerifier: () => remembered.verifier,
  saveDiscoveryState: (state) => {
    remembered.discovery = state;
  },
  discoveryState: () => remembered.discovery,
  async redirectToAuthorization(authorization) {
    report.scopes.push(authorization.searchParams.get('scope'));
    const user = new URL('/control/user', authorization);
    user.searchParams.set('url', authorization.href);
    callback = new URL((await (await fetch(user)).json()).url).searchParams;
  },
};

// Records what the server and authgate respond.
async function recorded(target, init) {
  const response = await fetch(target, init);
  const headers = new Headers(init?.headers);
  const { pathname, origin } = new URL(target);
  if (origin === new URL(url).origin) {
    report.exchanges.push({
      method: init?.method ?? 'GET',
      path: pathname,
      mcp: headers.get('mcp-method'),
      name: headers.get('mcp-name'),
      version: headers.get('mcp-protocol-version'),
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      body: response.status >= 400 ? await response.clone().text() : undefined,
    });
  }
  return response;
}

// Runs an action with a connected client. If it needs authorization, the user gives it, and the action runs again.
async function connected(action) {
  for (let authorizations = 0; ; authorizations += 1) {
    const mode = revision === 'default' ? {} : { versionNegotiation: { mode: { pin: revision } } };
    const client = new Client({ name: 'agent', version: '1.0.0' }, mode);
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: recorded });
    try {
      await client.connect(transport);
      return await action(client);
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || authorizations === 3) throw error;
      await transport.finishAuth(callback);
    } finally {
      await client.close();
    }
  }
}

const message = (error) => String(error?.message ?? error);

try {
  report.listed = await connected(async (client) => (await client.listTools()).tools.map(({ name }) => name));
  for (const name of JSON.parse(tools)) {
    const argument = name === 'read_note' ? { id: '1' } : {};
    const call = connected((client) => client.callTool({ name, arguments: argument }));
    report.calls.push(await call.then(({ content }) => ({ name, text: content[0].text }), (error) => ({ name, error: message(error) })));
  }
} catch (error) {
  report.error = message(error);
}
console.log(JSON.stringify(report));
