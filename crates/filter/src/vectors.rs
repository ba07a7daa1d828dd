//! Verifies signature vectors with the host's verifier and the software verifier, inside the host. Only in a module
//! that is built for tests.

use serde::Deserialize;
use serde_json::Value;

use super::Host;
use super::signatures::HostAlgorithms;
use authgate::jose::jwk::{Algorithms, KeySet, KeySetOrigin};
use authgate::jose::jwt::{Jws, SignatureVerifier, SoftwareVerifier};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    jwks: Value,
    token: String,
    valid: bool,
}

/// True if both verifiers give the expected result for all vectors; `None` if the configuration contains no vectors.
pub fn run(host: &impl Host, configuration: &[u8]) -> Option<bool> {
    let Vectors { vectors } = serde_json::from_slice(configuration).ok()?;
    let algorithms = HostAlgorithms::probe(host);
    let mut wrong = 0;
    for vector in &vectors {
        for (who, verifier) in
            [("host", &algorithms.verifier(host) as &dyn SignatureVerifier), ("module", &SoftwareVerifier)]
        {
            let found = KeySet::from_jwks(&vector.jwks, KeySetOrigin::Inline).is_ok_and(|(keys, _)| {
                Jws::parse(vector.token.as_bytes())
                    .is_ok_and(|jws| jws.verify(&keys, Some(Algorithms::ALL), verifier).is_ok())
            });
            if found != vector.valid {
                wrong += 1;
                log::error!("vectors: {who} says {found} of {}", vector.name);
            }
        }
    }
    log::info!("vectors: {} run twice, {wrong} wrong; the host verifies: {algorithms}", vectors.len(),);
    Some(wrong == 0)
}
