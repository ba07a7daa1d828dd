//! Signatures, verified by the host's own cryptography where it has any and answers right.
//!
//! Envoy's foreign function `verify_signature` (BoringSSL) takes a fortieth of the time that the same takes in the VM.

use std::borrow::Cow;

use prost::Message;

use super::host;
use crate::jwk::{Algorithm, Algorithms, VerifyingKey};
use crate::jwt::{SignatureVerifier, SoftwareVerifier, ecdsa_to_der};
use crate::known_answers::{self, KnownAnswer};

/// Who verifies what: the host for some algorithms, the module for all others.
pub struct Signatures {
    host: Algorithms,
}

impl Signatures {
    /// Asks the host for answers that are known. For an algorithm that it does not have, or where it does not accept a
    /// good signature or does not refuse a bad one, it is not asked again.
    pub fn probe() -> Self {
        let answers_right = |answer: &&KnownAnswer| {
            let ask = |message| ask_host(answer.algorithm, answer.spki, answer.signature, message);
            ask(known_answers::MESSAGE) == Some(true) && ask(b"another message") == Some(false)
        };
        Signatures {
            host: known_answers::ALL.iter().filter(answers_right).map(|answer| answer.algorithm).collect(),
        }
    }

    /// The algorithms that the host verifies, for the log.
    pub fn host_algorithms(&self) -> String {
        let names: Vec<&str> = self.host.iter().map(Algorithm::name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

impl SignatureVerifier for Signatures {
    fn is_native(&self, algorithm: Algorithm) -> bool {
        self.host.contains(algorithm)
    }

    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        if let Some(spki) = key.spki_der().filter(|_| self.host.contains(algorithm)) {
            // What is no pair of numbers of that length is no signature, whoever is asked.
            let Some(signature) = host_form(algorithm, signature) else { return false };
            if let Some(answer) = ask_host(algorithm, spki, &signature, input) {
                return answer;
            }
        }
        SoftwareVerifier.verify(key, algorithm, input, signature)
    }
}

/// The form that the host takes.
fn host_form(algorithm: Algorithm, signature: &[u8]) -> Option<Cow<'_, [u8]>> {
    match algorithm {
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => {
            ecdsa_to_der(algorithm, signature).map(Cow::Owned)
        }
        _ => Some(signature.into()),
    }
}

/// `None` where the host has no answer.
fn ask_host(algorithm: Algorithm, spki: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
    let hash = match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => "sha256",
        Algorithm::RS384 | Algorithm::ES384 => "sha384",
        Algorithm::RS512 | Algorithm::ES512 => "sha512",
        _ => return None,
    };
    let question = question([hash.as_bytes(), spki, signature, text])?;
    let answer = host::call_foreign_function("verify_signature", &question)?;
    VerifySignatureResult::decode(answer.as_slice()).ok().map(|answer| answer.result)
}

/// `envoy.source.extensions.common.wasm.VerifySignatureArguments`, whose fields 1 to 4 are octets. Written at once, since
/// each new token takes this way.
fn question(fields: [&[u8]; 4]) -> Option<Vec<u8>> {
    const OCTETS: u8 = 2;
    const MOST_BEFORE: usize = 1 + 5;
    let mut question = Vec::with_capacity(fields.iter().map(|field| MOST_BEFORE + field.len()).sum());
    for (number, field) in (1..).zip(fields) {
        question.push(number << 3 | OCTETS);
        prost::encode_length_delimiter(field.len(), &mut question).ok()?;
        question.extend_from_slice(field);
    }
    Some(question)
}

/// `envoy.source.extensions.common.wasm.VerifySignatureResult`; its error text is not looked at.
#[derive(Message)]
struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    result: bool,
}
