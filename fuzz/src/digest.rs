//! Digest credentials: only those pass that a simple implementation of RFC 7616 considers valid.
//!
//! The input is the text after `Digest `. `{NONCE}` in it is replaced by a valid nonce, and `{RESPONSE}` by the digest
//! for the other params.

use authgate::decision::Verdict;

use super::fixture::{fill, instance, request, sha256_hex};
use super::grammar;

pub fn check(bytes: &[u8]) {
    let instance = instance();
    instance.forget();
    let nonce = nonce();
    let text = fill(bytes, "{NONCE}", &nonce);
    let right = params(&fill(&text, "{RESPONSE}", "0")).and_then(|params| response(&params));
    let text = fill(&text, "{RESPONSE}", &right.unwrap_or_default());
    let field = [b"Digest ", &text[..]].concat();
    let target = request(b"/digest", &[(b"authorization", &field)]);
    if let Verdict::Allow(permit) = instance.decide(&target).verdict {
        let permit = permit.expect("somebody");
        assert_eq!(permit.first().principal.subject, "alice");
        let params = params(text.trim_ascii()).expect("params by the grammar");
        assert!(is_right(&params, &nonce), "{}", bytes.escape_ascii());
        // A response is accepted only once.
        assert!(!matches!(instance.decide(&target).verdict, Verdict::Allow(_)), "taken twice");
    } else if let Some(params) = params(&text) {
        assert!(!is_right(&params, &nonce), "refused, though it is right: {}", text.escape_ascii());
    }
}

type Params = Vec<(Vec<u8>, Vec<u8>)>;

/// Returns the params, with unique names in lower case.
fn params(text: &[u8]) -> Option<Params> {
    let mut params = grammar::auth_params(text)?;
    for (name, _) in &mut params {
        name.make_ascii_lowercase();
    }
    let mut names: Vec<_> = params.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    (names.len() == params.len() && params.len() <= 32).then_some(params)
}

fn param<'a>(params: &'a Params, wanted: &str) -> Option<&'a [u8]> {
    params.iter().find(|(name, _)| name == wanted.as_bytes()).map(|(_, value)| value.as_slice())
}

fn is_right(params: &Params, nonce: &str) -> bool {
    let is = |name: &str, value: &str| param(params, name) == Some(value.as_bytes());
    let nc = param(params, "nc").unwrap_or_default();
    is("username", "alice")
        && is("realm", "legacy")
        && is("nonce", nonce)
        && is("uri", "/digest")
        && is("qop", "auth")
        && param(params, "algorithm").is_some_and(|name| name.eq_ignore_ascii_case(b"SHA-256"))
        && param(params, "userhash").is_none_or(|flag| flag.eq_ignore_ascii_case(b"false"))
        && param(params, "username*").is_none()
        && nc.len() == 8
        && nc.iter().all(u8::is_ascii_hexdigit)
        && nc != b"00000000"
        && param(params, "cnonce").is_some_and(|cnonce| !cnonce.is_empty())
        && param(params, "response").map(<[u8]>::to_ascii_lowercase)
            == response(params).map(String::into_bytes)
}

/// Returns the response of [RFC 7616 §3.4.1](https://www.rfc-editor.org/rfc/rfc7616#section-3.4.1) for alice's secret
/// and GET.
fn response(params: &Params) -> Option<String> {
    let secret = sha256_hex(b"alice:legacy:horse");
    let request = sha256_hex(&[b"GET:", param(params, "uri")?].concat());
    let parts = [
        secret.as_bytes(),
        param(params, "nonce")?,
        param(params, "nc")?,
        param(params, "cnonce")?,
        b"auth",
        request.as_bytes(),
    ];
    Some(sha256_hex(&parts.join(&b':')))
}

fn nonce() -> String {
    let instance = instance();
    let request = request(b"/digest", &[]);
    let Verdict::Deny(denial) = instance.decide(&request).verdict else { panic!("no challenge") };
    let response = denial.response(&instance.policy.denials, instance.policy.denials.form(&request));
    let mut nonces = response.fields.iter().filter_map(|(_, value)| {
        let (_, rest) = value.split_once("nonce=\"")?;
        rest.split_once('"').map(|(nonce, _)| nonce.to_owned())
    });
    nonces.next_back().expect("a nonce")
}
