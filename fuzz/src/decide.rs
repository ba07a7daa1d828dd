//! The whole decision: no request passes without a credential that a simple parser of the request finds, whatever else
//! the request contains.
//!
//! The input is a path and then headers, each `name: value`, on separate lines. `BASIC`, `SHARED`, `PEOPLE`, `BOUND`
//! and `PROOF` in braces are replaced by valid credentials, so the fuzzer does not have to guess signatures.

use authgate::decision::Verdict;
use authgate::policy::Access;

use super::fixture::{API_KEY, GOOD, PASSWORD, fill, instance, request};

pub fn check(bytes: &[u8]) {
    let text = filled(bytes);
    let mut lines = text.split(|byte| *byte == b'\n');
    let path = lines.next().unwrap_or_default();
    let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
    for line in lines {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = &line[at + 1..];
        fields.push((&line[..at], value.strip_prefix(b" ").unwrap_or(value)));
    }
    // A host passes each pseudo-header at most once, and names in lower case.
    fields.retain(|(name, _)| !name.is_empty() && !name.iter().any(u8::is_ascii_uppercase));
    let request = request(path, &fields);
    let instance = instance();
    let decision = instance.decide(&request);
    match &decision.verdict {
        Verdict::Allow(None) => {
            let access = decision.rule.map(|rule| &rule.access);
            assert!(matches!(access, Some(Access::Public)), "passes as nobody");
            assert!(path.starts_with(b"/"), "a public path that is none");
        }
        Verdict::Allow(Some(permit)) => {
            let subject = &permit.first().principal.subject;
            assert!(holds_good_credential(path, &fields), "passes as {subject}: {}", bytes.escape_ascii());
            assert!(["alice", "ann"].contains(&subject.as_str()), "passes as {subject}");
            let identity = decision.mutations.set.iter().filter(|(name, _)| *name == "x-user");
            assert_eq!(identity.count(), 1, "no identity");
            // The verified cookie is not forwarded, and no part of a credential becomes identity.
            for (name, value) in &decision.mutations.set {
                let is_session = |pair: &[u8]| pair.trim_ascii_start().starts_with(b"session=");
                assert!(*name != "cookie" || !value.split(|byte| *byte == b';').any(is_session));
                for secret in [&GOOD.basic, &GOOD.shared, &GOOD.people, &GOOD.bound] {
                    assert!(
                        *name != "x-user" || !contains(value, secret.as_bytes()),
                        "identity tells a credential"
                    );
                }
            }
        }
        Verdict::Deny(denial) => {
            let response = denial.response(&instance.policy.denials, instance.policy.denials.form(&request));
            assert!((400..=503).contains(&response.status));
            let challenges: Vec<_> =
                response.fields.iter().filter(|(name, _)| *name == "www-authenticate").collect();
            assert!(response.status != 401 || !challenges.is_empty(), "a 401 without challenge");
            for (_, challenge) in challenges {
                http_auth::parse_challenges(challenge).expect("a challenge by the grammar");
            }
            for (name, value) in &response.fields {
                assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}");
            }
            let body = response.body.as_bytes();
            for secret in [PASSWORD, API_KEY, &GOOD.basic, &GOOD.shared, &GOOD.people, &GOOD.bound] {
                assert!(!contains(body, secret.as_bytes()), "a body repeats a credential");
            }
        }
        Verdict::Reply(_) | Verdict::Pending(_) => panic!("nothing to answer, nothing to wait for"),
    }
    // Forged identity is removed from every request.
    for (name, _) in &fields {
        let normal: Vec<u8> =
            name.iter().map(|byte| if byte.is_ascii_alphanumeric() { *byte } else { b'-' }).collect();
        if [&b"x-user"[..], b"x-gone"].contains(&normal.as_slice()) {
            assert!(decision.mutations.remove.contains(name), "{} goes on", name.escape_ascii());
        }
    }
}

fn filled(bytes: &[u8]) -> Vec<u8> {
    let good = &*GOOD;
    let names = [
        ("{BASIC}", &good.basic),
        ("{SHARED}", &good.shared),
        ("{PEOPLE}", &good.people),
        ("{BOUND}", &good.bound),
        ("{PROOF}", &good.proof),
    ];
    names.into_iter().fold(bytes.to_vec(), |text, (name, value)| fill(&text, name, value))
}

/// True if a whole valid credential is at a location where it is accepted.
fn holds_good_credential(path: &[u8], fields: &[(&[u8], &[u8])]) -> bool {
    let good = &*GOOD;
    let values = |wanted: &str| {
        fields
            .iter()
            .filter(move |(name, _)| *name == wanted.as_bytes())
            .map(|(_, value)| *value)
            .collect::<Vec<_>>()
    };
    let with_scheme = |scheme: &str, credential: &str| {
        values("authorization").iter().any(|value| {
            let text = String::from_utf8_lossy(value).into_owned();
            let text = text.trim_matches([' ', '\t']);
            text.get(..scheme.len()).is_some_and(|found| found.eq_ignore_ascii_case(scheme))
                && text.get(scheme.len()..).is_some_and(|rest| rest.trim_start_matches(' ') == credential)
        })
    };
    let elsewhere = |credential: &str, field: &str| {
        values(field).iter().any(|value| value.trim_ascii() == credential.as_bytes())
            || contains(path, credential.as_bytes())
            || values("cookie").iter().any(|value| contains(value, credential.as_bytes()))
            // In the query any byte may be percent-encoded.
            || path.contains(&b'%')
    };
    let proved = values("dpop").iter().any(|value| value.trim_ascii() == good.proof.as_bytes());
    with_scheme("Basic", &good.basic)
        || with_scheme("Bearer", &good.shared)
        || elsewhere(&good.people, "x-jwt")
        || elsewhere(API_KEY, "x-api-key")
        || with_scheme("DPoP", &good.bound) && proved
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
