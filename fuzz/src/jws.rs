//! Tokens: strict JSON compared with `serde_json`, and the parts of a JWT compared with its text.
//!
//! The input is a header, a line feed and claims, both as JSON; or a token.

use authgate::jose::jwt::Jwt;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::Value;

use super::json::Shape;

pub fn check(bytes: &[u8]) {
    check_token(bytes);
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (header, claims) = (&bytes[..at], &bytes[at + 1..]);
    check_json(header);
    check_json(claims);
    let token = format!("{}.{}.c2ln", BASE64URL.encode(header), BASE64URL.encode(claims));
    let read = |text: &[u8]| authgate::json::parse(text).ok().filter(Value::is_object);
    let expected = read(header).filter(|header| {
        let is_text = |name: &str| header.get(name).is_none_or(Value::is_string);
        header["alg"].is_string() && is_text("kid") && is_text("typ")
    });
    let expected = expected.zip(read(claims));
    let found = Jwt::parse(token.as_bytes());
    assert_eq!(found.is_ok(), expected.is_some(), "{}", bytes.escape_ascii());
    let (Ok(found), Some((header, claims))) = (found, expected) else { return };
    assert_eq!(found.jws().header().kid(), header["kid"].as_str());
    assert_eq!(found.jws().header().typ(), header["typ"].as_str());
    assert_eq!(found.issuer(), claims["iss"].as_str());
    assert_eq!(&Value::Object(found.claims().members().clone()), &claims);
    let algorithm = found.jws().header().algorithm();
    assert!(algorithm.is_none_or(|algorithm| Some(algorithm.name()) == header["alg"].as_str()));
    let is_extended = header.get("crit").is_some() || header.get("b64").is_some();
    assert_eq!(found.jws().header().is_understood(), !is_extended);
}

/// Re-encoding the parts gives the token: each token has a single encoding.
fn check_token(token: &[u8]) {
    let Ok(found) = Jwt::parse(token) else { return };
    let parts: Vec<_> = token.split(|byte| *byte == b'.').collect();
    let [_, payload, _] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    assert_eq!(BASE64URL.encode(found.jws().payload()).as_bytes(), *payload);
    for part in parts {
        let decoded = BASE64URL.decode(part).expect("base64url");
        assert_eq!(BASE64URL.encode(decoded).as_bytes(), part);
    }
}

/// Both parsers agree on all accepted texts. A text that only serde_json accepts repeats a name or is too deep.
fn check_json(text: &[u8]) {
    let (ours, theirs) = (authgate::json::parse(text), serde_json::from_slice::<Value>(text));
    let shape = Shape::of(text);
    let is_accepted =
        shape.is_some_and(|shape| !shape.repeats_a_name() && shape.depth() <= authgate::json::MAX_DEPTH);
    assert_eq!(ours.is_ok(), is_accepted, "{}", text.escape_ascii());
    if let Ok(ours) = ours {
        assert_eq!(ours, theirs.expect("what we take is JSON"));
    }
}
