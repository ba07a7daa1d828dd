//! The Bearer scheme, RFC 6750, with JSON Web Tokens, RFC 7519.

use super::{Affinity, Presented, Proof, Scheme, Surroundings};
use crate::challenge::{Challenge, Realm};
use crate::claims::{ClaimSelector, Claims};
use crate::denial::Reason;
use crate::jwk::KeySet;
use crate::jwt::{Jwt, Validation};
use crate::place::Place;
use crate::principal::Principal;
use crate::request::Request;

/// How tokens are found and checked.
pub struct Bearer {
    /// Where tokens stand.
    pub places: Vec<Place>,
    /// The auth-scheme that challenges name.
    pub challenge_scheme: String,
    /// What signatures are verified with.
    pub keys: KeySet,
    /// What a token must be.
    pub validation: Validation,
    /// The longest token, in octets.
    pub max_token_bytes: usize,
    /// Where scopes stand.
    pub scope_claims: Vec<ClaimSelector>,
    /// Whether a cookie counts on its own on unsafe methods.
    pub trusts_cookies: bool,
}

impl Scheme for Bearer {
    fn places(&self) -> &[Place] {
        &self.places
    }

    fn challenge(&self, realm: &Realm) -> Challenge {
        Challenge::new(&self.challenge_scheme, realm)
    }

    fn is_bearer(&self) -> bool {
        true
    }

    fn affinity(&self, credential: &[u8]) -> Affinity {
        if credential.len() > self.max_token_bytes {
            return Affinity::Unreadable;
        }
        match Jwt::parse(credential) {
            Ok(jwt) if !self.validation.knows_issuer(&jwt) => Affinity::Foreign,
            Ok(jwt) if !self.validation.knows_audience(&jwt) => Affinity::Issuer,
            Ok(_) => Affinity::Own,
            Err(_) => Affinity::Unreadable,
        }
    }

    fn admit(&self, presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
        let is_cookie = matches!(presented.place, Place::Cookie(_));
        if is_cookie && !self.trusts_cookies && !same_origin::is_shown(request) {
            return Err(Reason::CrossOrigin);
        }
        Ok(())
    }

    fn authenticate(&self, credential: &[u8], surroundings: Surroundings<'_>) -> Result<Proof, Reason> {
        if credential.len() > self.max_token_bytes {
            return Err(Reason::MalformedCredentials);
        }
        let jwt = Jwt::parse(credential).map_err(|_| Reason::MalformedCredentials)?;
        let validated = self.validation.validate(&jwt, &self.keys, surroundings.now, surroundings.signatures);
        let subject = validated.map_err(Reason::InvalidToken)?.to_owned();
        let issuer = jwt.issuer().map(str::to_owned);
        let claims = jwt.into_claims();
        let valid_until = self.validation.rules.valid_until(&claims);
        let principal = Principal { subject, issuer, scopes: scopes(&self.scope_claims, &claims), claims };
        Ok(Proof { principal, valid_until })
    }
}

/// Scopes stand in one string with spaces between them (RFC 8693 §4.2) or, with some issuers, in an array.
fn scopes(selectors: &[ClaimSelector], claims: &Claims) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for claim in selectors.iter().filter_map(|selector| selector.find(claims)) {
        let texts = match claim {
            serde_json::Value::Array(elements) => {
                elements.iter().filter_map(|element| element.as_str()).collect()
            }
            other => other.as_str().map(|text| text.split(' ').collect()).unwrap_or_else(Vec::new),
        };
        for scope in texts.into_iter().filter(|scope| !scope.is_empty()) {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
    }
    scopes
}

/// Whether a request that carries a cookie comes from the site's own pages.
mod same_origin {
    use crate::request::Request;

    /// Browsers send cookies along with whatever another site makes them send. On methods that change something, and
    /// where a WebSocket is opened, `Sec-Fetch-Site` or, from browsers without it, `Origin` must say who asked.
    pub fn is_shown(request: &Request<'_>) -> bool {
        let is_safe = matches!(request.method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE");
        let is_upgrade = request.values("upgrade").next().is_some();
        if is_safe && !is_upgrade {
            return true;
        }
        let mut sites = request.values("sec-fetch-site").peekable();
        if sites.peek().is_some() {
            return sites.all(|site| site == b"same-origin");
        }
        request.value("origin").is_some_and(|origin| is_own_origin(origin, request))
    }

    /// The host and port must be the request's. `https` is taken where the request says `http`, too: then TLS ended
    /// before us, and an attacker who can serve `https` for this host is the site.
    fn is_own_origin(origin: &[u8], request: &Request<'_>) -> bool {
        let (Ok(origin), Some(authority)) = (std::str::from_utf8(origin), request.authority) else {
            return false;
        };
        let Some((scheme, host)) = origin.split_once("://") else { return false };
        let default_port = match scheme {
            "https" => ":443",
            "http" if request.scheme == Some(b"http") => ":80",
            _ => return false,
        };
        let Ok(authority) = std::str::from_utf8(authority) else { return false };
        let bare = |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
        !host.is_empty() && bare(host) == bare(authority)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn unsafe_methods_need_a_proof_of_origin() {
            let check = |method: &str, fields: &[(&str, &str)], expected: bool| {
                let pseudo = [(":method", method), (":scheme", "http"), (":authority", "App.example:8080")];
                let pairs =
                    pseudo.iter().chain(fields).map(|(name, value)| (name.as_bytes(), value.as_bytes()));
                assert_eq!(is_shown(&Request::new(pairs, None)), expected, "{method} {fields:?}");
            };
            check("GET", &[], true);
            check("HEAD", &[("origin", "https://evil.example")], true);
            check("GET", &[("upgrade", "websocket")], false);
            check("GET", &[("upgrade", "websocket"), ("origin", "http://app.example:8080")], true);
            check("POST", &[], false);
            check("POST", &[("sec-fetch-site", "same-origin")], true);
            check("POST", &[("sec-fetch-site", "same-site")], false);
            check("POST", &[("sec-fetch-site", "none")], false);
            check("POST", &[("sec-fetch-site", "cross-site"), ("origin", "http://app.example:8080")], false);
            check("POST", &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false);
            check("POST", &[("origin", "http://app.example:8080")], true);
            check("DELETE", &[("origin", "https://app.example:8080")], true);
            check("POST", &[("origin", "http://app.example")], false);
            check("POST", &[("origin", "http://app.example:8080.evil.example")], false);
            check("POST", &[("origin", "http://evil.example")], false);
            check("POST", &[("origin", "null")], false);
            check("POST", &[("origin", "")], false);
            check("POST", &[("origin", "ftp://app.example:8080")], false);
            check("get", &[], false);
            check("CONNECT", &[("sec-fetch-site", "same-origin")], true);
        }
    }
}
