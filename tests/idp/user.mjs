// The user alice: her account at the provider, the pages on which she logs in and consents, and her browser.
//
// She logs in with a password an hour ago, unless a client requests more: `max_age` makes her log in now, and
// `acr_values` with the first of these methods (OpenID Connect Core §3.1.2.1).

import { interactionPolicy } from 'oidc-provider';

const { Check, base } = interactionPolicy;

const ACCOUNT = 'alice';

// The provider treats `acr_values` as voluntary. RFC 9470 §5 lets it authenticate the user again.
function policy() {
  const prompts = base();
  prompts.get('login').checks.add(
    new Check('acr_values', 'The user has not used one of these methods', ({ oidc }) => {
      const wanted = oidc.params.acr_values?.split(' ') ?? [oidc.session.acr];
      return !wanted.includes(oidc.session.acr) && !oidc.result?.login;
    }),
  );
  return prompts;
}

// Part of the provider's configuration.
export const configuration = {
  acrValues: ['pwd', 'mfa', 'phr'],
  interactions: { policy: policy(), url: (ctx, { uid }) => `/interaction/${uid}` },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  // A token says how the user logged in (RFC 9470 §6.2).
  extraTokenClaims: ({ oidc }) => {
    const code = oidc.entities.AuthorizationCode;
    return code && { acr: code.acr, auth_time: code.authTime };
  },
};

// Logs the user in, or consents to everything that the client requests.
export async function interaction(provider, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const isStepUp = params.acr_values !== undefined || params.max_age !== undefined;
    const login = {
      accountId: ACCOUNT,
      acr: params.acr_values?.split(' ')[0] ?? session?.acr ?? 'pwd',
      ts: Math.floor(Date.now() / 1000) - (isStepUp ? 0 : 3600),
    };
    await provider.interactionFinished(request, response, { login });
    return;
  }
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: ACCOUNT, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(' '));
  }
  await provider.interactionFinished(
    request,
    response,
    { consent: { grantId: await grant.save() } },
    { mergeWithLastSubmission: true },
  );
}

// A browser that keeps cookies and follows redirects until it is sent back to the client.
export class User {
  constructor(callback) {
    this.callback = callback;
    this.cookies = new Map();
  }

  async visit(first) {
    let url = first;
    for (let redirects = 0; redirects < 20; redirects += 1) {
      const cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
      const response = await fetch(url, { headers: { cookie }, redirect: 'manual' });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
        if (value) this.cookies.set(name, value);
        else this.cookies.delete(name);
      }
      const location = response.headers.get('location');
      if (!location) throw new Error(`${response.status} at ${url}: ${await response.text()}`);
      url = new URL(location, url).href;
      if (url.startsWith(this.callback)) return url;
    }
    throw new Error(`too many redirects from ${first}`);
  }
}
