// The identity provider of the end-to-end tests: npm `oidc-provider` on a free port of 127.0.0.1, which it prints.
//
//   node server.mjs [REDIRECT-URI]
//
// With a redirect URI, the client `web` can log people in, under any name, with the provider's own forms. Without one,
// the user is alice, who needs no browser.
//
// It ends when its standard input is closed, so it never outlives the test that started it.
//
// Beside the provider's own endpoints there are some for the test to control it:
//   POST /control/publish   publishes a new key and signs with it; the previous ones stay published
//   POST /control/withdraw  withdraws all keys except the one that signs
//   GET  /control/counts    returns the number of requests for each path, as JSON
//   GET  /control/user?url  opens an authorization URL in the browser of the user alice, and returns the URL that she
//                           comes back to, as JSON

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider, errors } from 'oidc-provider';

import { User, configuration as withUser, interaction } from './user.mjs';

const [redirectUri] = process.argv.slice(2);
// The first line of standard output is the port.
console.info = console.warn = console.error;

// Resources for which tokens can be requested, by resource indicator (RFC 8707).
const resources = {
  'urn:api': { audience: 'api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'urn:opaque': { audience: 'opaque', accessTokenFormat: 'opaque' },
};

// An MCP server is a resource of its own, whose port each test chooses. Its tokens are for its URL.
function resource(indicator) {
  if (indicator in resources) return { scope: 'read admin', ...resources[indicator] };
  if (!/^http:\/\/127\.0\.0\.1:\d+\/mcp$/.test(indicator)) throw new errors.InvalidTarget();
  return { ...resources['urn:api'], audience: indicator, scope: 'mcp:use mcp:admin' };
}

// Nothing listens there: the user's browser stops before it.
const CALLBACK = 'http://127.0.0.1/callback';

// A client with users, which has a secret.
function webClient(redirect) {
  return { client_id: 'web', grant_types: ['authorization_code'], redirect_uris: [redirect], response_types: ['code'] };
}

// A client with users, which cannot keep a secret.
function publicClient(client_id) {
  return { ...webClient(CALLBACK), client_id, token_endpoint_auth_method: 'none', application_type: 'native' };
}

const clients = [
  { client_id: 'machine', token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'bound', token_endpoint_auth_method: 'client_secret_basic', dpop_bound_access_tokens: true },
  // Characters that must be encoded before base64 (RFC 6749 §2.3.1).
  { client_id: 'gate:way', token_endpoint_auth_method: 'client_secret_basic', client_secret: 'c%2f+: &secret' },
  { client_id: 'gateway-post', token_endpoint_auth_method: 'client_secret_post' },
  ...(redirectUri ? [webClient(redirectUri)] : ['web', 'agent'].map(publicClient)),
].map((client) => ({
  ...(client.token_endpoint_auth_method !== 'none' && { client_secret: `secret-of-${client.client_id}` }),
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...client,
}));

// Stored here, so that tokens outlive withdrawn keys.
const stored = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload) {
    stored.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    return stored.get(`${this.model}:${id}`);
  }

  async findByUid(uid) {
    return [...stored.values()].find((payload) => payload.uid === uid && payload.kind === this.model);
  }

  async consume(id) {
    stored.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId() {}
}

let keys = [newKey()];
let provider;
let answer;
const user = new User(CALLBACK);

function newKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' };
}

// The keys of a provider are fixed, so a change of keys creates another provider. The first key signs.
function provide() {
  provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    adapter: Adapter,
    clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys },
    scopes: ['read', 'admin', 'mcp:use', 'mcp:admin'],
    ttl: { ClientCredentials: 600 },
    ...(redirectUri ? {} : withUser),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: redirectUri !== undefined }, // forms for login and consent
      dPoP: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => redirectUri !== undefined,
        getResourceServerInfo: (ctx, indicator) => ({ accessTokenTTL: 600, ...resource(indicator) }),
      },
    },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  answer = provider.callback();
}

const controls = {
  'POST /control/publish': () => {
    keys = [newKey(), ...keys];
    provide();
  },
  'POST /control/withdraw': () => {
    keys = keys.slice(0, 1);
    provide();
  },
  'GET /control/counts': () => counts,
  'GET /control/user': async ({ searchParams }) => ({ url: await user.visit(searchParams.get('url')) }),
};

const counts = {};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://idp');
  const control = controls[`${request.method} ${url.pathname}`];
  if (control) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify((await control(url)) ?? {}));
    return;
  }
  counts[url.pathname] = (counts[url.pathname] ?? 0) + 1;
  if (!redirectUri && url.pathname.startsWith('/interaction/')) {
    await interaction(provider, request, response);
    return;
  }
  answer(request, response);
});

server.listen(0, '127.0.0.1', () => {
  provide();
  console.log(`port ${server.address().port}`);
});

process.stdin.resume();
process.stdin.on('close', () => process.exit());
