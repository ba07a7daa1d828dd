//! DPoP proofs: one that was not signed for this token, method, URL and time is rejected.
//!
//! The input is the value of `DPoP`; `{PROOF}` in it is replaced by the valid proof, and `{HEADER}`, `{CLAIMS}` and
//! `{SIGNATURE}` by its parts.

use authgate::decision::Verdict;

use super::fixture::{GOOD, fill, instance, request};

pub fn check(bytes: &[u8]) {
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
    let text = names.into_iter().fold(bytes.to_vec(), |text, (name, value)| fill(&text, name, value));
    let authorization = format!("DPoP {}", good.bound);
    for (field, expected) in [(&text[..], text == good.proof.as_bytes()), (good.proof.as_bytes(), true)] {
        // A proof can be used only once; this check is about its validity, so the state is reset.
        let instance = instance();
        instance.forget();
        let decision = request(b"/bound", &[(b"authorization", authorization.as_bytes()), (b"dpop", field)]);
        let decision = instance.decide(&decision);
        let passes = matches!(decision.verdict, Verdict::Allow(_));
        // White space around a header's value is not part of it.
        assert!(
            passes == expected || field.trim_ascii() == good.proof.as_bytes(),
            "{}",
            bytes.escape_ascii()
        );
        assert!(passes || !expected);
    }
}
