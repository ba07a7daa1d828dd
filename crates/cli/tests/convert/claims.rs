//! Random configurations of `rbac`, alone or after a `jwt_authn` with conditions on its claims, and a small model of
//! both filters. Every request that authgate allows after the conversion is allowed by Envoy. If the tool reports a
//! complete conversion, authgate and Envoy allow the same requests.

use authgate::jose::jwk::Algorithm;
use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::{Map, Value, json};

use super::random::Tape;
use super::run::{Asked, convert_text, documents, policy};
use authgate_testing::mint::{self, SigningKey};

const NOW: f64 = 1_600_000_000.0;

/// The number of configurations to try, each with [`REQUESTS`] requests, unless `PROPTEST_CASES` is set.
const FILTERS: u32 = 150;
const REQUESTS: usize = 40;

/// The requirement of a rule of `jwt_authn`; numbers are indices of providers.
#[derive(Debug, Clone, Copy)]
enum Need {
    Nothing,
    One(usize),
    Either,
    Optional(usize),
}

/// A condition of `rbac`.
#[derive(Debug, Clone)]
enum Rule {
    Any,
    Path(&'static str, &'static str),
    PathHeader(&'static str),
    Method(&'static str),
    Address(&'static str),
    /// Name in metadata, claim, value, and true if the condition is inverted.
    Claim(&'static str, &'static str, &'static str, bool),
    /// A condition that has no equivalent in authgate.
    Port,
    Not(Box<Rule>),
    And(Vec<Rule>),
    Or(Vec<Rule>),
}

#[derive(Debug)]
struct Filters {
    /// The metadata names below which providers write claims; empty without `jwt_authn`.
    payloads: Vec<&'static str>,
    needs: Vec<(&'static str, Need)>,
    rbac: Rbac,
    /// Routes, each with settings for both filters.
    routes: Vec<Route>,
}

#[derive(Debug, Default)]
struct Rbac {
    denies: bool,
    policies: Vec<(Vec<Rule>, Vec<Rule>)>,
}

#[derive(Debug)]
struct Route {
    prefix: &'static str,
    /// Settings for `jwt_authn`; `Nothing` is `disabled`.
    need: Option<Need>,
    /// Settings for `rbac`; `Some(None)` is an `RBACPerRoute` without rules.
    rbac: Option<Option<Rbac>>,
}

#[derive(Debug, Clone)]
struct Token {
    issuer: usize,
    is_good: bool,
    role: Option<&'static str>,
    team: Option<&'static str>,
}

#[derive(Debug)]
struct Request {
    method: &'static str,
    path: &'static str,
    query: &'static str,
    peer: &'static str,
    has_port: bool,
    token: Option<Token>,
}

fn permission(tape: &mut Tape<'_>, depth: usize) -> Rule {
    match tape.next(if depth < 2 { 14 } else { 10 }) {
        0..=4 => {
            let kind = tape.one(&["exact", "prefix", "prefix", "suffix"]);
            Rule::Path(kind, if kind == "suffix" { ".txt" } else { tape.one(&["/a", "/a/b", "/b", "/"]) })
        }
        5 => Rule::PathHeader(tape.one(&["/a", "/a/"])),
        6..=7 => Rule::Method(tape.one(&["GET", "POST"])),
        8 if tape.jitter(3) => Rule::Port,
        8..=9 => Rule::Any,
        10..=11 => Rule::Not(Box::new(permission(tape, depth + 1))),
        12 => Rule::And(tape.many(2, |tape| permission(tape, depth + 1))),
        _ => Rule::Or(tape.many(2, |tape| permission(tape, depth + 1))),
    }
}

fn principal(tape: &mut Tape<'_>, depth: usize) -> Rule {
    match tape.next(if depth < 2 { 13 } else { 9 }) {
        0..=4 => {
            let (claim, value) = tape.one(&[("role", "a"), ("role", "b"), ("team", "x")]);
            Rule::Claim(tape.one(&["p", "p", "p", "q"]), claim, value, tape.jitter(6))
        }
        5..=6 => Rule::Address(tape.one(&["10.0.0.0", "192.0.2.0"])),
        7..=8 => Rule::Any,
        9..=10 => Rule::Not(Box::new(principal(tape, depth + 1))),
        11 => Rule::And(tape.many(2, |tape| principal(tape, depth + 1))),
        _ => Rule::Or(tape.many(2, |tape| principal(tape, depth + 1))),
    }
}

fn filters(tape: &mut Tape<'_>) -> Filters {
    let payloads = tape.one::<&[&'static str]>(&[&[], &["p"], &["p"], &["p", "p"], &["p", "q"]]).to_vec();
    let count = payloads.len();
    let needs = if count == 0 {
        Vec::new()
    } else {
        tape.many(3, |tape| {
            let need = match tape.next(4) {
                0 => Need::Nothing,
                1 => Need::Optional(tape.next(count)),
                2 => Need::Either,
                _ => Need::One(tape.next(count)),
            };
            (tape.one(&["/a", "/a/b", "/b", "/", "/"]), need)
        })
    };
    let routes = if count > 0 && tape.jitter(3) {
        tape.many(3, |tape| Route {
            prefix: tape.one(&["/a/b", "/a", "/b", "/"]),
            need: tape.some(2, |tape| match tape.next(3) {
                0 => Need::Nothing,
                1 => Need::Optional(tape.next(count)),
                _ => Need::One(tape.next(count)),
            }),
            rbac: tape.some(2, |tape| tape.some(1, rbac).filter(|_| !tape.jitter(4))),
        })
    } else {
        Vec::new()
    };
    Filters { payloads, needs, rbac: rbac(tape), routes }
}

fn rbac(tape: &mut Tape<'_>) -> Rbac {
    let some = |tape: &mut Tape<'_>, read: fn(&mut Tape<'_>, usize) -> Rule| {
        (0..=tape.next(2)).map(|_| read(tape, 0).filled()).collect::<Vec<Rule>>()
    };
    let policies = (0..=tape.next(3)).map(|_| (some(tape, permission), some(tape, principal))).collect();
    Rbac { denies: tape.jitter(3), policies }
}

fn request(tape: &mut Tape<'_>) -> Request {
    let token = tape.some(1, |tape| Token {
        issuer: tape.next(2),
        is_good: !tape.jitter(5),
        role: tape.one(&[None, Some("a"), Some("b"), Some("c")]),
        team: tape.one(&[None, Some("x"), Some("y")]),
    });
    Request {
        method: tape.one(&["GET", "POST", "PUT"]),
        path: tape.one(&["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "/b/x.txt", "/a/x.txt", "/c"]),
        query: tape.one(&["", "", "?x=/a"]),
        peer: tape.one(&["10.0.0.1", "192.0.2.1", "198.51.100.1"]),
        has_port: tape.jitter(2),
        token: token.filter(|_| !tape.jitter(4)),
    }
}

impl Rule {
    /// True if a request with these claims in metadata meets the condition.
    fn is_met(&self, request: &Request, metadata: Option<(&str, &Token)>) -> bool {
        match self {
            Rule::Any => true,
            Rule::Path(kind, text) => match *kind {
                "exact" => request.path == *text,
                "prefix" => request.path.starts_with(text),
                _ => request.path.ends_with(text),
            },
            Rule::PathHeader(text) => format!("{}{}", request.path, request.query).starts_with(text),
            Rule::Method(method) => request.method == *method,
            Rule::Address(block) => request.peer.starts_with(&block[..5]),
            Rule::Claim(name, claim, value, inverted) => {
                let found = metadata.filter(|(known, _)| known == name);
                let found =
                    found.and_then(|(_, token)| if *claim == "role" { token.role } else { token.team });
                (found == Some(value)) != *inverted
            }
            Rule::Port => request.has_port,
            Rule::Not(inner) => !inner.is_met(request, metadata),
            Rule::And(rules) => rules.iter().all(|rule| rule.is_met(request, metadata)),
            Rule::Or(rules) => rules.iter().any(|rule| rule.is_met(request, metadata)),
        }
    }

    fn json(&self, sets: &str) -> Value {
        let list = |rules: &[Rule]| {
            let rules: Vec<Value> = rules.iter().map(|rule| rule.json(sets)).collect();
            if sets == "rules" { json!({"rules": rules}) } else { json!({"ids": rules}) }
        };
        let name = |kind: &str| format!("{kind}_{sets}");
        match self {
            Rule::Any => json!({"any": true}),
            Rule::Path(kind, text) => json!({"url_path": {"path": {*kind: text}}}),
            Rule::PathHeader(text) => json!({"header": {"name": ":path", "string_match": {"prefix": text}}}),
            Rule::Method(method) => json!({"header": {"name": ":method", "string_match": {"exact": method}}}),
            Rule::Address(block) => json!({"remote_ip": {"address_prefix": block, "prefix_len": 16}}),
            Rule::Claim(key, claim, value, inverted) => {
                json!({"metadata": {"filter": "envoy.filters.http.jwt_authn",
                "path": [{"key": key}, {"key": claim}], "value": {"string_match": {"exact": value}}, "invert": inverted}})
            }
            Rule::Port => json!({"destination_port": 80}),
            Rule::Not(inner) => {
                json!({if sets == "rules" { "not_rule" } else { "not_id" }: inner.json(sets)})
            }
            // Envoy rejects an empty set.
            Rule::And(rules) | Rule::Or(rules) if rules.is_empty() => json!({"any": true}),
            Rule::And(rules) => json!({name("and"): list(rules)}),
            Rule::Or(rules) => json!({name("or"): list(rules)}),
        }
    }

    /// Replaces empty sets, which Envoy rejects, by a condition that is always met.
    fn filled(self) -> Rule {
        let all = |rules: Vec<Rule>| rules.into_iter().map(Rule::filled).collect::<Vec<_>>();
        match self {
            Rule::And(rules) | Rule::Or(rules) if rules.is_empty() => Rule::Any,
            Rule::And(rules) => Rule::And(all(rules)),
            Rule::Or(rules) => Rule::Or(all(rules)),
            Rule::Not(inner) => Rule::Not(Box::new(inner.filled())),
            other => other,
        }
    }
}

impl Filters {
    /// True if both filters allow the request.
    fn allows(&self, request: &Request) -> bool {
        let token = request.token.as_ref();
        let is_of = |at: usize| token.is_some_and(|token| token.is_good && token.issuer == at);
        let route = self.routes.iter().find(|route| request.path.starts_with(route.prefix));
        let own =
            self.needs.iter().find(|(prefix, _)| request.path.starts_with(prefix)).map(|(_, need)| *need);
        let need = route.and_then(|route| route.need).or(own);
        let verified = match need.unwrap_or(Need::Nothing) {
            Need::Nothing => None,
            Need::One(at) if is_of(at) => token,
            Need::Either if (0..self.payloads.len()).any(is_of) => token,
            Need::Optional(at) if token.is_none() || is_of(at) => token,
            _ => return false,
        };
        let metadata = verified.map(|token| (self.payloads[token.issuer], token));
        match route.and_then(|route| route.rbac.as_ref()) {
            Some(None) => true,
            Some(Some(rbac)) => rbac.allows(request, metadata),
            None => self.rbac.allows(request, metadata),
        }
    }

    fn json(&self, keys: &Value) -> Value {
        let kind = "type.googleapis.com/envoy.extensions.filters.http";
        let rbac = json!({"name": "rbac", "typed_config": {"@type": format!("{kind}.rbac.v3.RBAC"), "rules": self.rbac.json()}});
        if self.payloads.is_empty() {
            return json!({"http_filters": [rbac]});
        }
        let provider = |at: usize, payload: &str| {
            json!({"issuer": format!("https://p{at}.example.com"), "audiences": ["api"],
            "payload_in_metadata": payload, "local_jwks": {"inline_string": keys.to_string()}})
        };
        let providers: Map<String, Value> = (self.payloads.iter().enumerate())
            .map(|(at, payload)| (format!("p{at}"), provider(at, payload)))
            .collect();
        let provider_name = |at: usize| json!({"provider_name": format!("p{at}")});
        let requirement = |need: Need| match need {
            Need::Nothing => json!({}),
            Need::One(at) => provider_name(at),
            Need::Optional(at) => {
                json!({"requires_any": {"requirements": [provider_name(at), {"allow_missing": {}}]}})
            }
            Need::Either => {
                let all: Vec<Value> = (0..self.payloads.len()).map(provider_name).collect();
                json!({"requires_any": {"requirements": all}})
            }
        };
        let rules: Vec<Value> = (self.needs.iter())
            .map(|(prefix, need)| match need {
                Need::Nothing => json!({"match": {"prefix": prefix}}),
                need => json!({"match": {"prefix": prefix}, "requires": requirement(*need)}),
            })
            .collect();
        let mut named = Map::new();
        let routes: Vec<Value> = (self.routes.iter().enumerate())
            .map(|(at, route)| {
                let mut settings = Map::new();
                if let Some(need) = route.need {
                    let name = format!("r{at}");
                    let mut setting = json!({"@type": format!("{kind}.jwt_authn.v3.PerRouteConfig")});
                    match need {
                        Need::Nothing => setting["disabled"] = json!(true),
                        need => {
                            setting["requirement_name"] = json!(name);
                            named.insert(name, requirement(need));
                        }
                    }
                    settings.insert("jwt".to_owned(), setting);
                }
                if let Some(rbac) = &route.rbac {
                    let mut setting = json!({"@type": format!("{kind}.rbac.v3.RBACPerRoute")});
                    if let Some(rbac) = rbac {
                        setting["rbac"] = json!({"rules": rbac.json()});
                    }
                    settings.insert("rbac".to_owned(), setting);
                }
                json!({"match": {"prefix": route.prefix}, "route": {"cluster": "c"}, "typed_per_filter_config": settings})
            })
            .chain([json!({"match": {"prefix": "/"}, "route": {"cluster": "c"}})])
            .collect();
        json!({
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            "http_filters": [
                {"name": "jwt", "typed_config": {"@type": format!("{kind}.jwt_authn.v3.JwtAuthentication"),
                    "providers": providers, "rules": rules, "requirement_map": named}},
                rbac,
            ],
        })
    }
}

impl Rbac {
    fn allows(&self, request: &Request, metadata: Option<(&str, &Token)>) -> bool {
        let matches = |(permissions, principals): &(Vec<Rule>, Vec<Rule>)| {
            permissions.iter().any(|rule| rule.is_met(request, metadata))
                && principals.iter().any(|rule| rule.is_met(request, metadata))
        };
        self.policies.iter().any(matches) != self.denies
    }

    fn json(&self) -> Value {
        let policies: Map<String, Value> = (self.policies.iter().enumerate())
            .map(|(at, (permissions, principals))| {
                let list =
                    |rules: &[Rule], sets: &str| rules.iter().map(|rule| rule.json(sets)).collect::<Vec<_>>();
                let policy =
                    json!({"permissions": list(permissions, "rules"), "principals": list(principals, "ids")});
                (format!("p{at}"), policy)
            })
            .collect();
        json!({"action": if self.denies { "DENY" } else { "ALLOW" }, "policies": policies})
    }
}

fn asked(request: &Request) -> Asked {
    let token = request.token.as_ref().map(|token| {
        let mut claims = json!({"iss": format!("https://p{}.example.com", token.issuer), "aud": "api", "sub": "alice", "exp": NOW + 600.0});
        for (name, value) in [("role", token.role), ("team", token.team)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        let key = if token.is_good { SigningKey::for_algorithm(Algorithm::ES256) } else { SigningKey::other(Algorithm::ES256) };
        mint::sign_text(r#"{"alg":"ES256"}"#, &claims.to_string(), &key, Algorithm::ES256)
    });
    Asked {
        method: request.method.to_owned(),
        authority: "api.example.com".to_owned(),
        path: format!("{}{}", request.path, request.query),
        peer: request.peer.to_owned(),
        headers: token
            .map(|token| ("authorization".to_owned(), format!("Bearer {token}")))
            .into_iter()
            .collect(),
    }
}

#[derive(Default)]
struct Counts {
    converted: usize,
    with_claims: usize,
    allowed: usize,
    refused: usize,
}

fn check(choices: &[u8], counts: &mut Counts) -> Result<(), String> {
    let mut tape = Tape(choices.iter());
    let filters = filters(&mut tape);
    let jwk = SigningKey::for_algorithm(Algorithm::ES256).jwk_with(json!({"alg": "ES256"}));
    let value = filters.json(&json!({"keys": [jwk]}));
    let converted = convert_text(&value.to_string());
    let told = || format!("{value:#}\n{}\n{}", converted.text, converted.summary);
    if converted.code != 0 && converted.code != 1 {
        return Err(format!("exit code {}: {}", converted.code, told()));
    }
    counts.converted += usize::from(converted.code == 0);
    counts.with_claims += usize::from(converted.code == 0 && converted.text.contains("authorize"));
    let policies: Result<Vec<_>, String> = documents(&converted.text).iter().map(policy).collect();
    let policies = policies.map_err(|error| format!("{error}: {}", told()))?;
    for _ in 0..REQUESTS {
        let request = request(&mut tape);
        let asked = asked(&request);
        // If the two filters become separate policies, the second still sees the token, since this test removes none.
        let ours = policies.iter().all(|policy| asked.is_allowed(policy, NOW));
        let theirs = filters.allows(&request);
        counts.allowed += usize::from(ours);
        counts.refused += usize::from(!theirs);
        if ours && !theirs {
            return Err(format!("{request:?} is allowed: {}", told()));
        }
        if converted.code == 0 && theirs && !ours {
            return Err(format!("{request:?} is refused: {}", told()));
        }
    }
    Ok(())
}

#[test]
fn no_rbac_becomes_more_permissive() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(FILTERS);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut counts = Counts::default();
    let counted = std::cell::RefCell::new(&mut counts);
    let run = TestRunner::new(config).run(&prop::collection::vec(any::<u8>(), 200..700), |choices| {
        check(&choices, &mut counted.borrow_mut()).map_err(TestCaseError::fail)
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
    let Counts { converted, with_claims, allowed, refused } = counts;
    let least = cases as usize / 20;
    assert!(
        converted >= least && with_claims >= least / 2,
        "{converted} converted, {with_claims} with claims"
    );
    assert!(allowed >= cases as usize && refused >= cases as usize, "{allowed} allowed, {refused} refused");
}
