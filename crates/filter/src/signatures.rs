//! Signature verification by the host's cryptography, if it has any and gets the known answers right.
//!
//! Envoy's foreign function `verify_signature` (BoringSSL) takes a fortieth of the time that software verification in
//! the VM takes.

use std::borrow::Cow;
use std::fmt;

use prost::Message;

use super::Host;
use crate::known_answers::{self, KnownAnswer};
use authgate::jose::jwk::{Algorithm, Algorithms, VerifyingKey};
use authgate::jose::jwt::{SignatureVerifier, SoftwareVerifier, ecdsa_to_der};

/// Algorithms that the host verifies. The module verifies all others in software.
pub struct HostAlgorithms(Algorithms);

impl HostAlgorithms {
    /// Probes the host with the known answers. An algorithm counts only if the host accepts a good signature and
    /// rejects a bad one.
    pub fn probe(host: &impl Host) -> Self {
        let answers_right = |answer: &&KnownAnswer| {
            let ask = |message| ask_host(host, answer.algorithm, answer.spki, answer.signature, message);
            ask(known_answers::MESSAGE) == Some(true) && ask(b"another message") == Some(false)
        };
        HostAlgorithms(
            known_answers::ALL.iter().filter(answers_right).map(|answer| answer.algorithm).collect(),
        )
    }

    /// Returns a verifier that uses this host.
    pub fn verifier<'h, H: Host>(&'h self, host: &'h H) -> HostVerifier<'h, H> {
        HostVerifier { host, algorithms: self.0 }
    }
}

/// Lists the names, for the log.
impl fmt::Display for HostAlgorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Algorithm::name).collect();
        f.write_str(&if names.is_empty() { "none".to_owned() } else { names.join(", ") })
    }
}

/// A verifier that uses the host for some algorithms, and software for all others.
pub struct HostVerifier<'h, H> {
    host: &'h H,
    algorithms: Algorithms,
}

impl<H: Host> SignatureVerifier for HostVerifier<'_, H> {
    fn is_native(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(algorithm)
    }

    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        if let Some(spki) = key.spki_der().filter(|_| self.algorithms.contains(algorithm)) {
            // A signature of the wrong length is rejected without a host call.
            let Some(signature) = host_form(algorithm, signature) else { return false };
            if let Some(answer) = ask_host(self.host, algorithm, spki, &signature, input) {
                return answer;
            }
        }
        SoftwareVerifier.verify(key, algorithm, input, signature)
    }
}

/// Converts a signature to the form that the host expects.
fn host_form(algorithm: Algorithm, signature: &[u8]) -> Option<Cow<'_, [u8]>> {
    match algorithm {
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => {
            ecdsa_to_der(algorithm, signature).map(Cow::Owned)
        }
        _ => Some(signature.into()),
    }
}

/// Verifies a signature on the host; `None` if the host gives no result.
fn ask_host(
    host: &impl Host,
    algorithm: Algorithm,
    spki: &[u8],
    signature: &[u8],
    text: &[u8],
) -> Option<bool> {
    let hash = match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => "sha256",
        Algorithm::RS384 | Algorithm::ES384 => "sha384",
        Algorithm::RS512 | Algorithm::ES512 => "sha512",
        _ => return None,
    };
    let question = question([hash.as_bytes(), spki, signature, text])?;
    let answer = host.call_foreign_function("verify_signature", &question)?;
    VerifySignatureResult::decode(answer.as_slice()).ok().map(|answer| answer.result)
}

/// Encodes `envoy.source.extensions.common.wasm.VerifySignatureArguments`, whose fields 1 to 4 are bytes. The message
/// is written with a single allocation, since every new token needs one.
fn question(fields: [&[u8]; 4]) -> Option<Vec<u8>> {
    const BYTES: u8 = 2;
    const MAX_PREFIX: usize = 1 + 5;
    let mut question = Vec::with_capacity(fields.iter().map(|field| MAX_PREFIX + field.len()).sum());
    for (number, field) in (1..).zip(fields) {
        question.push(number << 3 | BYTES);
        prost::encode_length_delimiter(field.len(), &mut question).ok()?;
        question.extend_from_slice(field);
    }
    Some(question)
}

/// `envoy.source.extensions.common.wasm.VerifySignatureResult`, without its error text.
#[derive(Message)]
struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    result: bool,
}
