//! Signatures, verified by the host's own cryptography where it has any and answers right.
//!
//! Envoy's foreign function `verify_signature` (BoringSSL) takes a fortieth of the time that the same takes in the VM.

use prost::Message;

use super::host;
use crate::jwk::{Algorithm, Algorithms, VerifyingKey};
use crate::jwt::{SignatureVerifier, SoftwareVerifier};
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
    fn verify(&self, key: &VerifyingKey, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        if let Some(spki) = key.spki_der().filter(|_| self.host.contains(algorithm)) {
            // What is no pair of numbers in range is no signature, whoever is asked.
            let Some(signature) = host_form(algorithm, signature) else { return false };
            if let Some(answer) = ask_host(algorithm, spki, &signature, input) {
                return answer;
            }
        }
        SoftwareVerifier.verify(key, algorithm, input, signature)
    }
}

/// The form that the host takes: ASN.1 for ECDSA, where JWS (RFC 7518 §3.4) has two numbers of fixed length.
fn host_form(algorithm: Algorithm, signature: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::ES256 => {
            Some(p256::ecdsa::Signature::from_slice(signature).ok()?.to_der().as_bytes().to_vec())
        }
        Algorithm::ES384 => {
            Some(p384::ecdsa::Signature::from_slice(signature).ok()?.to_der().as_bytes().to_vec())
        }
        Algorithm::ES512 => {
            Some(p521::ecdsa::Signature::from_slice(signature).ok()?.to_der().as_bytes().to_vec())
        }
        _ => Some(signature.to_vec()),
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
    let question = VerifySignature {
        hash: hash.to_owned(),
        public_key: spki.to_vec(),
        signature: signature.to_vec(),
        text: text.to_vec(),
    };
    let answer = host::call_foreign_function("verify_signature", &question.encode_to_vec())?;
    VerifySignatureResult::decode(answer.as_slice()).ok().map(|answer| answer.result)
}

/// `envoy.source.extensions.common.wasm.VerifySignatureArguments`.
#[derive(Message)]
struct VerifySignature {
    #[prost(string, tag = "1")]
    hash: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

/// `envoy.source.extensions.common.wasm.VerifySignatureResult`; its error text is not looked at.
#[derive(Message)]
struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    result: bool,
}
