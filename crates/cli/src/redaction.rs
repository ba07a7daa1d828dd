//! Redaction of secrets in the lines of a file.
//!
//! In `authenticators`, and under every unknown name, only values that cannot be secrets are shown: a misspelled name
//! can have a secret as its value.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use authgate::config::disclosure;

use super::document::{Kind, Node, Style};

/// The parts of the file with this text that are not shown, in bytes.
pub fn hidden(text: &str, root: &Node) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    for member in root.members() {
        let is_open = OPEN.contains(&member.name);
        let place = Place { name: &member.name, above: "", is_open, in_jwk: false };
        collect(text, &member.value, place, &mut hidden);
    }
    if root.members().is_empty() {
        collect(text, root, Place { name: "", above: "", is_open: false, in_jwk: false }, &mut hidden);
    }
    hidden.sort_by_key(|span| span.start);
    hidden
}

/// Members of the root that contain no secret.
pub static OPEN: LazyLock<Vec<String>> = LazyLock::new(disclosure::public_members);

/// Names of values elsewhere that are shown.
static SHOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let fields = disclosure::authenticator_fields().into_iter();
    fields
        .filter(|(name, is_public)| *is_public && !WITHHELD.contains(&name.as_str()))
        .map(|(name, _)| name)
        .chain(["kty".to_owned()])
        .collect()
});

/// Fields that contain no secret, but are not shown: they identify tokens, keys and people. The name of an environment
/// variable is shown only if it looks like one.
const WITHHELD: &[&str] = &["env", "jti", "kid", "subjects"];

/// Public members of a JWK. The private members have other names.
const JWK_SHOWN: &[&str] = &["alg", "crv", "e", "key_ops", "kid", "kty", "n", "use", "x", "y"];

/// The position of a value in the configuration.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The name of the member that it is the value of.
    name: &'a str,
    /// The name of the parent member.
    above: &'a str,
    /// Set if nothing here can be a secret.
    is_open: bool,
    /// Set for a member of a JWK.
    in_jwk: bool,
}

impl Place<'_> {
    fn is_shown(self) -> bool {
        // A user can have any name.
        let is_known = SHOWN.contains(self.name) && self.above != "users";
        self.is_open || is_known || (self.in_jwk && JWK_SHOWN.contains(&self.name))
    }
}

fn collect(text: &str, node: &Node, place: Place<'_>, hidden: &mut Vec<Range<usize>>) {
    let Place { name, is_open, .. } = place;
    match &node.kind {
        Kind::Scalar(scalar) if place.is_shown() && !has_userinfo(&scalar.text) => {}
        Kind::Scalar(scalar) if name == "env" && is_name(&scalar.text) => {}
        Kind::Scalar(scalar) => {
            let quotes = usize::from(scalar.style == Style::Quoted);
            let mut start = node.span.start + quotes;
            // The user name in a line of an htpasswd file is not a secret, and identifies the line.
            let has_users = matches!(name, "htpasswd" | "htdigest") && scalar.style == Style::Literal;
            let written = text.get(start..(node.span.end - quotes).max(start)).unwrap_or_default();
            for line in written.split_inclusive('\n') {
                let content = line.trim();
                let user = content.find(':').filter(|_| has_users).map_or(0, |colon| colon + 1);
                let from = start + line.len() - line.trim_start().len() + user;
                if !content.is_empty() {
                    hidden.push(from..from + content.len() - user);
                }
                start += line.len();
            }
        }
        Kind::List(elements) => {
            elements.iter().for_each(|element| collect(text, element, place, hidden));
        }
        Kind::Map(members) => {
            let in_jwk = members.iter().any(|member| member.name == "kty");
            for member in members {
                // A line of an htpasswd file in place of a user name puts a hash into a name.
                if let Some(colon) = member.name.find(':').filter(|_| !is_open) {
                    let quotes = usize::from(member.style == Style::Quoted);
                    let end = member.at.end - quotes;
                    hidden.push((member.at.start + quotes + colon + 1).min(end)..end);
                }
                // The claims that a token must have, not those of a user.
                let is_claims = member.name == "claims" && matches!(name, "jwt" | "introspection");
                let inner = Place { name: &member.name, above: name, is_open: is_open || is_claims, in_jwk };
                collect(text, &member.value, inner, hidden);
            }
        }
    }
}

/// Returns true if the text may be a URL with a password
/// ([RFC 3986 §3.2.1](https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1)).
fn has_userinfo(text: &str) -> bool {
    text.contains("://") && text.contains('@')
}

/// Returns true if the text has the form of the name of an environment variable; other text may be the secret itself.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The part to hide of a line that cannot be parsed: the text after the first colon, or the whole line.
pub fn hidden_of_unreadable(line: &str) -> Option<Range<usize>> {
    if line.chars().all(|letter| letter.is_whitespace() || "{}[],:\"'".contains(letter)) {
        return None;
    }
    let indent = line.len() - line.trim_start_matches([' ', '-', '{', '[', '"']).len();
    let colon = line.find(':').unwrap_or(indent);
    let name = line.get(indent..colon).unwrap_or_default().trim_end_matches('"');
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'));
    let start = if is_name && colon > indent { colon + 1 } else { indent };
    (start < line.len()).then_some(start..line.len())
}

/// The replacement for hidden text.
const MARK: &str = "***";

/// Replaces the hidden parts of a line by [`MARK`]. Also returns a function from positions in the line to positions in
/// the result, in bytes.
pub fn shown_line(line: &str, hidden: &[Range<usize>]) -> (String, impl Fn(usize) -> usize + use<>) {
    let mut shown = String::with_capacity(line.len());
    let mut origins = Vec::with_capacity(line.len() + 1);
    for (at, letter) in line.char_indices() {
        let place = shown.len();
        match hidden.iter().find(|span| span.contains(&at)) {
            None => shown.push(letter),
            Some(span) if at == span.start || at == 0 => shown.push_str(MARK),
            Some(_) => {}
        }
        origins.extend(std::iter::repeat_n(place, letter.len_utf8()));
    }
    let end = shown.len();
    (shown, move |at| origins.get(at).copied().unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    #[test]
    fn of_an_unreadable_line_at_most_a_name_is_shown() {
        let check = |line: &str, expected: &str| {
            let hidden: Vec<_> = hidden_of_unreadable(line).into_iter().collect();
            assert_eq!(shown_line(line, &hidden).0, expected);
        };
        check("  alice: hunter2", "  alice:***");
        check("  - \"alice\": {hash: hunter2", "  - \"alice\":***");
        check("  hunter2", "  ***");
        check("{hunter2, users: x", "{***");
        check("  }}", "  }}");
        check("users:", "users:");
    }

    #[test]
    fn secrets_are_not_shown() {
        let check = |line: &str, expected: &str| {
            let root = document::parse(line).unwrap().remove(0);
            let (shown, place) = shown_line(line, &hidden(line, &root));
            assert_eq!(shown, expected);
            assert_eq!(place(line.len()), shown.len());
        };
        check(
            "authenticators: {a: {basic: {users: {u: hunter2}}}}",
            "authenticators: {a: {basic: {users: {u: ***}}}}",
        );
        check(
            "authenticators: {a: {basic: {usrs: [\"hunter2\", {hash: 'x'}]}}}",
            "authenticators: {a: {basic: {usrs: [\"***\", {hash: '***'}]}}}",
        );
        check(
            "authenticators: {a: {basic: {users: {\"u:hunter2\": 1}}}}",
            "authenticators: {a: {basic: {users: {\"u:***\": ***}}}}",
        );
        check(
            "authenticators: {a: {jwt: {issuer: x, k: hunter2}}}",
            "authenticators: {a: {jwt: {issuer: x, k: ***}}}",
        );
        check(
            "authenticators: {a: {b: {env: A_1}, c: {env: hunter2}}}",
            "authenticators: {a: {b: {env: A_1}, c: {env: ***}}}",
        );
        check(
            "authenticators: {a: {jwt: {issuer: \"https://u:hunter2@x\"}}}",
            "authenticators: {a: {jwt: {issuer: \"***\"}}}",
        );
        check("authenticatorz: {a: hunter2}", "authenticatorz: {a: ***}");
        check(
            "authenticators: {a: {introspection: {client_id: i, client_secret: hunter2}}}",
            "authenticators: {a: {introspection: {client_id: i, client_secret: ***}}}",
        );
        check(
            "authenticators: {a: {jwt: {keys: {jwks: {keys: [{kty: oct, k: hunter2, d: x}]}}}}}",
            "authenticators: {a: {jwt: {keys: {jwks: {keys: [{kty: oct, k: ***, d: ***}]}}}}}",
        );
        check("{kty: oct, k: hunter2}", "{kty: oct, k: ***}");
        check(
            "authenticators: {a: {jwt: {claims: {team: web}, keys: {jwks: {keys: [{kty: EC, alg: a, kid: b, x: c, y: d, d: hunter2}]}}}}}",
            "authenticators: {a: {jwt: {claims: {team: web}, keys: {jwks: {keys: [{kty: EC, alg: a, kid: b, x: c, y: d, d: ***}]}}}}}",
        );
        check(
            "authenticators: {a: {basic: {users: {issuer: hunter2, id: hunter2, b: {hash: hunter2, scopes: [s]}}}}}",
            "authenticators: {a: {basic: {users: {issuer: ***, id: ***, b: {hash: ***, scopes: [s]}}}}}",
        );
        check(
            "authenticators: {a: {basic: {users: {b: {claims: {x: hunter2}}}}}}",
            "authenticators: {a: {basic: {users: {b: {claims: {x: ***}}}}}}",
        );
        for name in ["value", "secret", "password", "pem", "sha256", "nonce_key", "hash", "cookies"] {
            check(
                &format!("authenticators: {{a: {{x: {{{name}: hunter2}}}}}}"),
                &format!("authenticators: {{a: {{x: {{{name}: ***}}}}}}"),
            );
        }
        check("rules: [{require: a}]", "rules: [{require: a}]");
        check("hunter2", "***");
        let text = "authenticators:\n  a: {basic: {htpasswd: \"u:h\\nv:h\"}}\n  b:\n    basic:\n      htpasswd: |\n        u:h\n        h\n      realm: r\n";
        let root = document::parse(text).unwrap().remove(0);
        let (shown, _) = shown_line(text, &hidden(text, &root));
        assert_eq!(
            shown,
            "authenticators:\n  a: {basic: {htpasswd: \"***\"}}\n  b:\n    basic:\n      htpasswd: |\n        u:***\n        ***\n      realm: r\n"
        );
        // Only the text before a colon in a file of users is the name of a user.
        let text = "authenticators:\n  a:\n    introspection:\n      client_secret: |\n        hunter2:x\n";
        let root = document::parse(text).unwrap().remove(0);
        let (shown, _) = shown_line(text, &hidden(text, &root));
        assert_eq!(shown, "authenticators:\n  a:\n    introspection:\n      client_secret: |\n        ***\n");
    }
}
