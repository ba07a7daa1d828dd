// The identity provider of the end-to-end tests: npm `oidc-provider` on a free port of 127.0.0.1, which it prints.
//
//   node server.mjs [REDIRECT-URI]
//
// With a redirect URI, the client `web` can log people in, under any name.
//
// It ends when its standard input is closed, so it never outlives the test that started it.
//
// Beside the provider's own endpoints there are some for the test to control it:
//   POST /control/publish   publishes a new key and signs with it; the previous ones stay published
//   POST /control/withdraw  withdraws all keys except the one that signs
//   GET  /control/counts    returns the number of requests for each path, as JSON

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider, errors } from 'oidc-provider';

const [redirectUri] = process.argv.slice(2);
// The first line of standard output is the port.
console.info = console.warn = console.error;

// Resources for which tokens can be requested, by resource indicator (RFC 8707).
const resources = {
  'urn:api': { audience: 'api', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'urn:opaque': { audience: 'opaque', accessTokenFormat: 'opaque' },
};

const clients = [
  { client_id: 'machine', token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'bound', token_endpoint_auth_method: 'client_secret_basic', dpop_bound_access_tokens: true },
  // Characters that must be encoded before base64 (RFC 6749 §2.3.1).
  { client_id: 'gate:way', token_endpoint_auth_method: 'client_secret_basic', client_secret: 'c%2f+: &secret' },
  { client_id: 'gateway-post', token_endpoint_auth_method: 'client_secret_post' },
].map((client) => ({
  client_secret: `secret-of-${client.client_id}`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...client,
}));

if (redirectUri) {
  clients.push({
    client_id: 'web',
    client_secret: 'secret-of-web',
    grant_types: ['authorization_code'],
    redirect_uris: [redirectUri],
    response_types: ['code'],
  });
}

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
    return [...stored].find(([key, payload]) => key.startsWith(`${this.model}:`) && payload.uid === uid)?.[1];
  }

  async consume(id) {
    stored.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }
}

let keys = [newKey()];
let answer;

function newKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' };
}

// The keys of a provider are fixed, so a change of keys creates another provider. The first key signs.
function provide() {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    adapter: Adapter,
    clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys },
    scopes: ['read', 'admin'],
    ttl: { ClientCredentials: 600 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: redirectUri !== undefined }, // forms for login and consent
      dPoP: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, indicator) => {
          if (!(indicator in resources)) throw new errors.InvalidTarget();
          return { scope: 'read admin', accessTokenTTL: 600, ...resources[indicator] };
        },
      },
    },
  });
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
};

const counts = {};

const server = createServer((request, response) => {
  const control = controls[`${request.method} ${request.url}`];
  if (control) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(control() ?? {}));
    return;
  }
  const [path] = request.url.split('?');
  counts[path] = (counts[path] ?? 0) + 1;
  answer(request, response);
});

server.listen(0, '127.0.0.1', () => {
  provide();
  console.log(`port ${server.address().port}`);
});

process.stdin.resume();
process.stdin.on('close', () => process.exit());
