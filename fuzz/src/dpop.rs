//! Proofs of possession: one that was not signed for this token, this method, this address and this time proves nothing.
//!
//! Input is what stands in `DPoP`; `{PROOF}` stands for the one that is good, and `{HEADER}`, `{CLAIMS}` and
//! `{SIGNATURE}` for its parts.

use authgate::decision::Verdict;

use super::fixture::{GOOD, fill, house, request};

pub fn check(octets: &[u8]) {
    let good = &*GOOD;
    let mut parts = good.proof.split('.');
    let mut next = || parts.next().unwrap_or_default();
    let (header, claims, signature) = (next(), next(), next());
    let names = [
        ("{PROOF}", good.proof.as_str()),
        ("{HEADER}", header),
        ("{CLAIMS}", claims),
        ("{SIGNATURE}", signature),
    ];
    let text = names.into_iter().fold(octets.to_vec(), |text, (name, value)| fill(&text, name, value));
    let authorization = format!("DPoP {}", good.bound);
    for (field, expected) in [(&text[..], text == good.proof.as_bytes()), (good.proof.as_bytes(), true)] {
        // A proof is used up; what is asked here is whether it is one.
        let house = house();
        house.forget();
        let decision = request(b"/bound", &[(b"authorization", authorization.as_bytes()), (b"dpop", field)]);
        let decision = house.decide(&decision);
        let passes = matches!(decision.verdict, Verdict::Allow(_));
        // White space around a field's value is no part of it.
        assert!(
            passes == expected || field.trim_ascii() == good.proof.as_bytes(),
            "{}",
            octets.escape_ascii()
        );
        assert!(passes || !expected);
    }
}
