// A client of an API that requires a better login for some requests (RFC 9470), with npm `openid-client`.
//
// Arguments: the issuer, and the URL of the API. Standard input has the paths to request, as a JSON array; the client
// prints a report of each as a JSON array.

import * as oidc from 'openid-client';

const [issuer, api] = process.argv.slice(2);
const callback = 'http://127.0.0.1/callback';

const config = await oidc.discovery(new URL(issuer), 'web', undefined, oidc.None(), {
  execute: [oidc.allowInsecureRequests],
});

// Sends the user through an authorization request, and returns an access token.
async function token(parameters) {
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: 'openid read',
    resource: 'urn:api',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  });
  const user = new URL('/control/user', issuer);
  user.searchParams.set('url', url.href);
  const back = await (await fetch(user)).json();
  const tokens = await oidc.authorizationCodeGrant(
    config,
    new URL(back.url),
    { pkceCodeVerifier: verifier, ...(parameters.max_age && { maxAge: Number(parameters.max_age) }) },
    { resource: 'urn:api' },
  );
  return tokens.access_token;
}

// Requests a path with a token: the status, the parameters of the Bearer challenge, and the body.
async function request(path, access) {
  try {
    const response = await oidc.fetchProtectedResource(config, access, new URL(path, api), 'GET');
    return { status: response.status, body: await response.text() };
  } catch (error) {
    if (error.code !== 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') throw error;
    const { parameters } = error.cause.find(({ scheme }) => scheme === 'bearer') ?? {};
    return { status: error.status, challenge: parameters };
  }
}

const claims = (access) => JSON.parse(Buffer.from(access.split('.')[1], 'base64url'));

const report = [];
let access = await token({});
for await (const chunk of process.stdin) {
  for (const path of JSON.parse(chunk)) {
    const first = await request(path, access);
    const entry = { path, first };
    if (first.challenge?.error === 'insufficient_user_authentication') {
      const { acr_values, max_age } = first.challenge;
      access = await token({ ...(acr_values && { acr_values }), ...(max_age && { max_age }) });
      entry.second = await request(path, access);
    }
    const { acr, auth_time: time } = claims(access);
    entry.token = { acr, age: Math.floor(Date.now() / 1000) - time };
    report.push(entry);
  }
}
console.log(JSON.stringify(report));
