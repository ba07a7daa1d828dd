//! Host of a request, as in `:authority` ([RFC 9110 §7.2](https://www.rfc-editor.org/rfc/rfc9110#section-7.2),
//! [RFC 3986 §3.2](https://www.rfc-editor.org/rfc/rfc3986#section-3.2)), and patterns of hosts.
//!
//! The parser is stricter than the RFCs: a registered name consists of DNS labels, and user information is rejected. An
//! authority that a proxy might route differently from how it is matched here is an error, not a guess.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Maximum length of a DNS name, in bytes ([RFC 1035 §2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)).
pub const MAX_NAME: usize = 253;

/// A host without port: a name in lower case without the dot of the root, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// DNS labels, joined by dots.
    Name(Cow<'a, str>),
    /// An IPv4 address, or an IPv6 address that was in brackets.
    Ip(IpAddr),
}

/// An authority that is not `reg-name|IP[:port]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the authority is not a host name or an IP address, with or without a port")]
pub struct BadAuthority;

impl<'a> Host<'a> {
    /// Parses an authority. Ignores case, the port and one trailing dot. `None` if the authority is empty, which means
    /// that there is no host.
    ///
    /// # Errors
    /// Fails if the authority is not a host name or an IP address, with or without a port.
    pub fn parse(authority: &'a [u8]) -> Result<Option<Host<'a>>, BadAuthority> {
        let authority = std::str::from_utf8(authority).map_err(|_| BadAuthority)?;
        if authority.is_empty() {
            return Ok(None);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (address, port) = bracketed.split_once(']').ok_or(BadAuthority)?;
                let address: Ipv6Addr = address.parse().map_err(|_| BadAuthority)?;
                let port =
                    if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(BadAuthority)?) };
                (Host::Ip(address.into()), port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (name_or_ipv4(host)?, Some(port)),
                None => (name_or_ipv4(authority)?, None),
            },
        };
        if port.is_none_or(is_port) { Ok(Some(host)) } else { Err(BadAuthority) }
    }
}

/// A pattern that matches one host, or all names below a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Matches exactly one host.
    Exact(Host<'static>),
    /// `*.x`: names with one or more labels before this name, which is in lower case. Does not match `x` itself.
    Below(Box<str>),
    /// `{variable}.x`: names with exactly one label before this name.
    Label {
        /// Name of the variable whose value is that label.
        variable: Box<str>,
        /// The name after the label, in lower case.
        parent: Box<str>,
    },
}

/// Reason why a text is not a host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// Neither a host, nor `*.` or `{variable}.` and a name.
    #[error(
        "expected a host name, an IP address (IPv6 in brackets), or `*.` and a name, as in `*.example.com`"
    )]
    Syntax,
    /// A brace outside of one variable, which is the whole first label.
    #[error(
        "expected a variable as the whole first label only, as in `{{tenant}}.example.com`, with a name of letters, digits \
         and `_`"
    )]
    Variable,
    /// The pattern has a port. Ports are never compared.
    #[error("expected a host without port: ports are not compared")]
    Port,
    /// The pattern has a character outside ASCII.
    #[error("expected ASCII: write an international name as clients send it, with `xn--`")]
    NotAscii,
}

impl HostPattern {
    /// Parses `host`, `*.name` or `{variable}.name`.
    ///
    /// # Errors
    /// Fails if the pattern has another form, a port, or a character outside ASCII.
    pub fn parse(pattern: &str) -> Result<HostPattern, HostPatternError> {
        if !pattern.is_ascii() {
            return Err(HostPatternError::NotAscii);
        }
        if pattern.contains(['{', '}']) {
            return HostPattern::with_variable(pattern);
        }
        let (below, host) = match pattern.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, pattern),
        };
        // A colon after the last bracket can only start a port here.
        let has_port = host.rsplit(']').next().is_some_and(|tail| tail.contains(':'));
        match Host::parse(host.as_bytes()) {
            Ok(Some(_)) if has_port => Err(HostPatternError::Port),
            Ok(Some(Host::Name(name))) if below => Ok(HostPattern::Below(name.into())),
            Ok(Some(host)) if !below => Ok(HostPattern::Exact(host.into_owned())),
            _ => Err(HostPatternError::Syntax),
        }
    }

    fn with_variable(pattern: &str) -> Result<HostPattern, HostPatternError> {
        let (label, parent) = pattern.split_once('.').ok_or(HostPatternError::Variable)?;
        let variable = variable(label).ok_or(HostPatternError::Variable)?;
        match HostPattern::parse(parent)? {
            HostPattern::Exact(Host::Name(parent)) => {
                Ok(HostPattern::Label { variable: variable.into(), parent: parent.into() })
            }
            HostPattern::Exact(Host::Ip(_)) | HostPattern::Below(_) => Err(HostPatternError::Syntax),
            HostPattern::Label { .. } => Err(HostPatternError::Variable),
        }
    }

    /// Name of the variable; `None` if the pattern has none.
    pub fn variable(&self) -> Option<&str> {
        match self {
            HostPattern::Label { variable, .. } => Some(variable),
            HostPattern::Exact(_) | HostPattern::Below(_) => None,
        }
    }

    /// Value of the variable for `host`, in lower case; `None` if the pattern has no variable, or does not match.
    pub fn capture<'h>(&self, host: &'h Host<'_>) -> Option<&'h str> {
        match (self, host) {
            (HostPattern::Label { parent, .. }, Host::Name(name)) => {
                name.split_once('.').filter(|(_, rest)| *rest == &**parent).map(|(label, _)| label)
            }
            _ => None,
        }
    }

    /// True if the pattern matches `host`.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Exact(pattern), host) => pattern == host,
            (HostPattern::Below(parent), Host::Name(name)) => {
                name.strip_suffix(&**parent).is_some_and(|rest| rest.ends_with('.'))
            }
            (HostPattern::Label { .. }, host) => self.capture(host).is_some(),
            (HostPattern::Below(_), Host::Ip(_)) => false,
        }
    }
}

/// Name of the variable in `{name}`, of letters, digits and `_`; `None` for any other text.
pub fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

impl Host<'_> {
    /// Converts the host into one that borrows nothing.
    pub fn into_owned(self) -> Host<'static> {
        match self {
            Host::Name(name) => Host::Name(name.into_owned().into()),
            Host::Ip(address) => Host::Ip(address),
        }
    }
}

fn name_or_ipv4(host: &str) -> Result<Host<'_>, BadAuthority> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    let is_name = host.len() <= MAX_NAME && host.split('.').all(is_label);
    let has_upper_case = host.bytes().any(|byte| byte.is_ascii_uppercase());
    match is_name {
        true if has_upper_case => Ok(Host::Name(host.to_ascii_lowercase().into())),
        true => Ok(Host::Name(host.into())),
        false => Err(BadAuthority),
    }
}

/// True for letters, digits, `-` and `_`. Host names do contain `_`, although
/// [RFC 1123 §2.1](https://www.rfc-editor.org/rfc/rfc1123#section-2.1) does not allow it.
fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_port(port: &str) -> bool {
    // `parse` also accepts a sign, so check for digits first.
    (1..=5).contains(&port.len())
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authority: &[u8], expected: Result<&str, BadAuthority>) {
        let found = Host::parse(authority).map(|host| match host {
            Some(Host::Name(name)) => name.into_owned(),
            Some(Host::Ip(address)) => format!("ip {address}"),
            None => "none".to_owned(),
        });
        assert_eq!(found, expected.map(str::to_owned), "{}", authority.escape_ascii());
    }

    #[test]
    fn case_port_and_one_dot_are_ignored() {
        for authority in ["example.com", "EXAMPLE.com", "example.com.", "example.com:8443", "Example.Com.:1"]
        {
            check(authority.as_bytes(), Ok("example.com"));
        }
        check(b"", Ok("none"));
        check(b"localhost", Ok("localhost"));
        check(b"a-b_c.d:65535", Ok("a-b_c.d"));
        check(b"a:080", Ok("a"));
        check(b"10.0.0.1:80", Ok("ip 10.0.0.1"));
        check(b"10.0.0.1.", Ok("ip 10.0.0.1"));
        check(b"[::1]", Ok("ip ::1"));
        check(b"[2001:DB8::0:1]:443", Ok("ip 2001:db8::1"));
        // Not an address by the strict grammar, so a name: it must not equal 10.0.0.1.
        check(b"010.0.0.1", Ok("010.0.0.1"));
        check("a".repeat(MAX_NAME).as_bytes(), Ok(&"a".repeat(MAX_NAME)));
    }

    #[test]
    fn anything_else_is_refused() {
        for authority in [
            "u@host",
            "a,b",
            "host:",
            "host..",
            ".host",
            ".",
            "..",
            "a..b",
            " ",
            "a b",
            "a%2eb",
            "h\u{e9}",
            ":80",
            "host:0",
            "host:65536",
            "host:+80",
            "host:80:80",
            "host:000080",
            "host:8a",
            "host: 80",
            "::1",
            "[::1",
            "[::1]80",
            "[::1]:",
            "[::1].",
            "[::1%25eth0]",
            "[10.0.0.1]",
            "[]",
            "[a]",
            "a/b",
            "a?b",
            "a#b",
            "*.a",
            "a*",
            "http://a",
            "a\\b",
            "a;b",
            "a\n",
            "a\0",
            "host:80.",
            "[::1]:80:",
            "[[::1]]",
        ] {
            check(authority.as_bytes(), Err(BadAuthority));
        }
        check(b"\xff", Err(BadAuthority));
        check("a".repeat(MAX_NAME + 1).as_bytes(), Err(BadAuthority));
    }

    #[test]
    fn a_plain_name_is_borrowed() {
        assert!(matches!(Host::parse(b"example.com:80"), Ok(Some(Host::Name(Cow::Borrowed("example.com"))))));
    }

    fn check_pattern(pattern: &str, matches: &[&str], leaves: &[&str]) {
        let parsed = HostPattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for (authority, expected) in
            matches.iter().map(|a| (a, true)).chain(leaves.iter().map(|a| (a, false)))
        {
            let host = Host::parse(authority.as_bytes()).unwrap().unwrap();
            assert_eq!(parsed.matches(&host), expected, "{pattern}, {authority}");
        }
    }

    #[test]
    fn patterns_take_hosts() {
        check_pattern(
            "A.example.COM.",
            &["a.example.com", "A.EXAMPLE.com.:80"],
            &["example.com", "b.a.example.com"],
        );
        check_pattern(
            "*.Example.net",
            &["a.example.net", "a.b.example.net:1", "A.EXAMPLE.NET"],
            &["example.net", "xexample.net", "a.example.net.evil", "10.0.0.1", "net"],
        );
        check_pattern(
            "10.0.0.1",
            &["10.0.0.1", "10.0.0.1:80"],
            &["10.0.0.10", "a.10.0.0.1", "[::ffff:10.0.0.1]"],
        );
        check_pattern("[::1]", &["[::1]", "[0:0::1]:80"], &["[::2]"]);
        check_pattern(
            "{tenant}.Example.net.",
            &["a.example.net", "A.EXAMPLE.NET.:1", "xn--a.example.net"],
            &["example.net", "a.b.example.net", "a.xexample.net", "a.example.net.evil", "10.0.0.1"],
        );
    }

    #[test]
    fn the_first_label_is_the_value_of_the_variable() {
        let pattern = HostPattern::parse("{tenant}.example.com").unwrap();
        assert_eq!(pattern.variable(), Some("tenant"));
        for (authority, expected) in [
            ("Acme.EXAMPLE.com.:443", Some("acme")),
            ("a-b_c.example.com", Some("a-b_c")),
            ("example.com", None),
            ("x.acme.example.com", None),
            ("[::1]", None),
        ] {
            let host = Host::parse(authority.as_bytes()).unwrap().unwrap();
            assert_eq!(pattern.capture(&host), expected, "{authority}");
        }
        for pattern in ["*.example.com", "acme.example.com"] {
            let pattern = HostPattern::parse(pattern).unwrap();
            assert_eq!(pattern.variable(), None);
            assert_eq!(pattern.capture(&Host::Name("acme.example.com".into())), None);
        }
    }

    #[test]
    fn bad_patterns_say_why() {
        use HostPatternError::*;
        let table = [
            ("", Syntax),
            ("*", Syntax),
            ("*.", Syntax),
            ("*.*.a", Syntax),
            ("a.*", Syntax),
            ("*a", Syntax),
            ("a b", Syntax),
            ("::1", Syntax),
            ("*.10.0.0.1", Syntax),
            ("*.[::1]", Syntax),
            ("http://a", Syntax),
            ("a:80", Port),
            ("[::1]:80", Port),
            ("*.a:80", Port),
            ("b\u{fc}cher.example", NotAscii),
            ("{tenant}", Variable),
            ("{}.a", Variable),
            ("{a-b}.a", Variable),
            ("x{tenant}.a", Variable),
            ("{tenant}x.a", Variable),
            ("a.{tenant}", Variable),
            ("a.{tenant}.b", Variable),
            ("{a}.{b}.c", Variable),
            ("*.{a}.b", Variable),
            ("{a}.*.b", Syntax),
            ("{a}.10.0.0.1", Syntax),
            ("{a}.b:80", Port),
        ];
        for (pattern, expected) in table {
            assert_eq!(HostPattern::parse(pattern), Err(expected), "{pattern}");
        }
    }
}
