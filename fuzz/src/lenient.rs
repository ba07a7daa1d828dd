//! Cookies, queries and methods compared with a lenient parser: no request passes with a credential that such a parser
//! finds and the filter did not verify.
//!
//! The input is a method, a path and then Cookie headers, on separate lines. `{PEOPLE}` is replaced by a valid token.

use authgate::decision::Verdict;
use authgate::http::request::Request;
use authgate::policy::Access;

use super::fixture::{GOOD, fill, instance};

pub fn check(bytes: &[u8]) {
    let text = fill(bytes, "{PEOPLE}", &GOOD.people);
    let mut lines = text.split(|byte| *byte == b'\n');
    let method = lines.next().unwrap_or_default();
    let path = lines.next().unwrap_or_default();
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b":method", method),
        (b":scheme", b"https"),
        (b":authority", b"api.example.com"),
        (b":path", path),
    ];
    fields.extend(lines.map(|line| (&b"cookie"[..], line)));
    let request = Request::new(fields.iter().copied(), None);
    let instance = instance();
    let decision = instance.decide(&request);
    let rule = decision.rule.map(|rule| rule.number);
    let Verdict::Allow(_) = decision.verdict else { return };
    // The upper-case method selects the same rule.
    let upper_case = Request { method: &method.to_ascii_uppercase(), ..request.clone() };
    assert_eq!(instance.decide(&upper_case).rule.map(|rule| rule.number), rule, "{}", method.escape_ascii());
    if decision.rule.is_some_and(|rule| matches!(rule.access, Access::Public)) {
        return;
    }
    // The forwarded request contains no credential, however it is split.
    let set = |name: &str| {
        decision.mutations.set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.as_slice())
    };
    let path = set(":path").unwrap_or(path);
    let query = path.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default();
    for parameter in query.split(|byte| matches!(byte, b'&' | b';')) {
        let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
        assert!(![&b"access_token"[..], b"api_key"].contains(&name), "{}", path.escape_ascii());
    }
    let is_removed = decision.mutations.remove.contains(&&b"cookie"[..]);
    let kept = request.values("cookie").filter(|_| !is_removed).chain(set("cookie"));
    for pair in
        kept.flat_map(|value| value.split(|byte| matches!(byte, b';' | b',' | b' ' | b'\t' | b'\x0c')))
    {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        assert!(
            !pair.contains(&b'=') || ![&b"session"[..], b"api_key"].contains(&name),
            "{} goes on",
            pair.escape_ascii()
        );
    }
}
