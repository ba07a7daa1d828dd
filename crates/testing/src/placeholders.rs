//! Placeholders for credentials and unusual bytes in case files, such as `<token NAME>` and `<xHH>`; see
//! `tests/decide.rs`.

use authgate::jose::jwk::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::mint;

/// Expands the placeholders in a text. `made` maps the content of the angle brackets to a token or proof.
pub fn expand(text: &str, made: impl Fn(&str) -> String) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('<') {
        bytes.extend(before.bytes());
        let (what, after) = after.split_once('>').unwrap();
        match what.split_once(' ') {
            Some(("token" | "proof", _)) => bytes.extend(made(what).bytes()),
            Some(("basic", pair)) => bytes.extend(format!("Basic {}", STANDARD.encode(pair)).bytes()),
            Some(("basic64", text)) => bytes.extend(STANDARD.encode(text).bytes()),
            Some(("long", rest)) => {
                let (count, user) = rest.split_once(' ').unwrap();
                let pair = format!("{user}:{}", "p".repeat(count.parse().unwrap()));
                bytes.extend(format!("Basic {}", STANDARD.encode(pair)).bytes());
            }
            Some(("repeat", rest)) => {
                let (count, text) = rest.split_once(' ').unwrap();
                bytes.extend(text.repeat(count.parse().unwrap()).bytes());
            }
            _ => bytes.push(u8::from_str_radix(what.strip_prefix('x').unwrap(), 16).unwrap()),
        }
        rest = after;
    }
    bytes.extend(rest.bytes());
    bytes
}

/// Replaces `{jwk: ALG}` by a public key, and `{thumbprint: ALG}` by its thumbprint.
pub fn insert_keys(value: &mut Value) {
    match value {
        Value::Object(members) if members.contains_key("jwk") => {
            let algorithm = Algorithm::from_name(members["jwk"].as_str().unwrap()).unwrap();
            let key = match members.remove("other") {
                Some(_) => mint::SigningKey::other(algorithm),
                None => mint::SigningKey::for_algorithm(algorithm),
            };
            members.remove("jwk");
            let mut jwk = key.jwk_with(json!({"alg": algorithm.name()}));
            jwk.as_object_mut().unwrap().extend(std::mem::take(members));
            jwk.as_object_mut().unwrap().retain(|_, member| !member.is_null());
            *value = jwk;
        }
        Value::Object(members) if members.contains_key("thumbprint") => {
            let algorithm = Algorithm::from_name(members["thumbprint"].as_str().unwrap()).unwrap();
            *value = mint::thumbprint(&mint::SigningKey::for_algorithm(algorithm).jwk()).into();
        }
        Value::Object(members) => members.values_mut().for_each(insert_keys),
        Value::Array(elements) => elements.iter_mut().for_each(insert_keys),
        _ => {}
    }
}
