//! Key sets: every member is a key or is reported as ignored, and no key verifies a signature made without it.

use authgate::jose::jwk::{KeySet, KeySetOrigin};
use authgate::jose::jwt::{SignatureVerifier, SoftwareVerifier};
use serde_json::Value;

pub fn check(bytes: &[u8]) {
    let Ok(value) = authgate::json::parse(bytes) else { return };
    for origin in [KeySetOrigin::Inline, KeySetOrigin::Fetched] {
        let Ok((set, ignored)) = KeySet::from_jwks(&value, origin) else { continue };
        let members = value["keys"].as_array().expect("an array");
        assert_eq!(set.keys().len() + ignored.len(), members.len());
        let mut unnamed = 0;
        for key in set.keys() {
            assert!(
                !(origin == KeySetOrigin::Fetched && key.is_symmetric()),
                "a shared secret from elsewhere"
            );
            match key.kid() {
                None => unnamed += 1,
                Some(kid) => {
                    let named = set.named(kid).expect("a key is found by its name");
                    assert!(named.iter().all(|key| key.kid() == Some(kid)));
                    let is_it = |member: &&Value| member["kid"] == *kid;
                    assert!(members.iter().filter(is_it).count() >= named.len());
                }
            }
        }
        assert_eq!(set.unnamed().len(), unnamed);
        // Arithmetic costs much more than everything else: one key, one algorithm.
        if let Some(key) = set.keys().first()
            && let Some(algorithm) = key.algorithms().iter().next()
        {
            assert!(!SoftwareVerifier.verify(key, algorithm, bytes, bytes.get(..64).unwrap_or(bytes)));
        }
    }
}
