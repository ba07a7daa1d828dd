//! Locations of credentials in a request: finding credentials there, and removing them.

use std::borrow::Cow;

use crate::http::authorization::{self, Credentials, CredentialsError};
use crate::http::codec::{form_decode, hex_byte};
use crate::http::request::{Request, is_tchar, trim_ows};

/// A location in a request that an authenticator reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLocation {
    /// A header, with its name in lower case. With an auth-scheme, the value is `credentials` of that scheme; without
    /// one, the value is the credential.
    Field {
        /// Name of the header.
        name: String,
        /// Auth-scheme before the credential.
        scheme: Option<String>,
    },
    /// A query parameter, by its decoded name.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// Result of [`CredentialLocation::find`].
#[derive(Clone, PartialEq, Eq)]
pub enum Found<'a> {
    /// No value that is meant for this location.
    Nothing,
    /// A value, possibly empty. It must be checked with [`CredentialLocation::vet`].
    Value(Cow<'a, [u8]>),
    /// A value that cannot be parsed.
    Malformed,
    /// More than one value.
    Ambiguous,
}

impl CredentialLocation {
    /// The `Authorization` header with credentials of `scheme`.
    pub fn authorization(scheme: &str) -> Self {
        CredentialLocation::Field { name: "authorization".to_owned(), scheme: Some(scheme.to_owned()) }
    }

    /// Auth-scheme before the value in this location.
    pub fn scheme(&self) -> Option<&str> {
        match self {
            CredentialLocation::Field { scheme, .. } => scheme.as_deref(),
            CredentialLocation::Query(_) | CredentialLocation::Cookie(_) => None,
        }
    }

    /// Header that this location is in; `None` for the query.
    pub fn header(&self) -> Option<&str> {
        match self {
            CredentialLocation::Field { name, .. } => Some(name),
            CredentialLocation::Query(_) => None,
            CredentialLocation::Cookie(_) => Some("cookie"),
        }
    }

    /// True if a lenient parser of cookies or of the query finds a value for this location that
    /// [`CredentialLocation::find`] does not find. Such a value cannot be removed without changing its neighbors.
    ///
    /// Lenient parsers also split cookies at white space and commas, and parameters at `;`.
    pub fn is_hidden_in(&self, request: &Request<'_>) -> bool {
        match self {
            CredentialLocation::Field { .. } => false,
            CredentialLocation::Query(name) => {
                let query = request.path.and_then(|path| split_at_query(path).1).unwrap_or_default();
                query.contains(&b';') && parameters(query).any(|parameter| hides_parameter(parameter, name))
            }
            CredentialLocation::Cookie(name) => {
                let mut pairs = request.values("cookie").flat_map(|value| value.split(|byte| *byte == b';'));
                pairs.any(|pair| hides_cookie(pair, name))
            }
        }
    }

    /// True if both locations read the same part of a request, so that one value cannot be meant for both.
    pub fn overlaps(&self, other: &CredentialLocation) -> bool {
        match (self, other) {
            (CredentialLocation::Field { name: a, .. }, CredentialLocation::Field { name: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }

    /// True if both locations have auth-schemes and these differ, so that no value of a shared header belongs to both.
    pub fn is_told_from(&self, other: &CredentialLocation) -> bool {
        match (self.scheme(), other.scheme()) {
            (Some(a), Some(b)) => !a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }

    /// Checks that a value from this location is one value, and not two headers that a proxy joined. Values of cached
    /// credentials need no further check.
    ///
    /// # Errors
    /// Fails with [`CredentialsError::Ambiguous`] if the value is several, and with [`CredentialsError::Malformed`] if
    /// a quoted string in it does not end.
    pub fn vet(&self, value: &[u8]) -> Result<(), CredentialsError> {
        match self {
            CredentialLocation::Field { scheme: Some(_), .. } => authorization::ensure_single(value),
            CredentialLocation::Field { scheme: None, .. } if value.contains(&b',') => {
                Err(CredentialsError::Ambiguous)
            }
            CredentialLocation::Field { .. }
            | CredentialLocation::Query(_)
            | CredentialLocation::Cookie(_) => Ok(()),
        }
    }

    /// Finds the value in this location.
    pub fn find<'a>(&self, request: &Request<'a>) -> Found<'a> {
        match self {
            CredentialLocation::Field { name, scheme } => {
                let mut values = request.values(name);
                match (values.next(), values.next()) {
                    (None, _) => Found::Nothing,
                    (Some(value), None) => in_field(value, scheme.as_deref()),
                    (Some(_), Some(_)) => Found::Ambiguous,
                }
            }
            CredentialLocation::Query(name) => in_query(request, name),
            CredentialLocation::Cookie(name) => {
                let pairs = request.values("cookie").flat_map(|value| value.split(|byte| *byte == b';'));
                let values = pairs.map(split_cookie).filter(|(found, _)| *found == name.as_bytes());
                only_one(values.map(|(_, value)| Found::Value(Cow::Borrowed(value))))
            }
        }
    }
}

fn in_field<'a>(value: &'a [u8], scheme: Option<&str>) -> Found<'a> {
    let Some(expected) = scheme else {
        return Found::Value(Cow::Borrowed(trim_ows(value)));
    };
    let is_expected = |scheme: &[u8]| scheme.eq_ignore_ascii_case(expected.as_bytes());
    match Credentials::split(value) {
        Ok(credentials) if is_expected(credentials.scheme) => {
            Found::Value(Cow::Borrowed(credentials.content))
        }
        // Joined headers may contain a credential for this location, whichever scheme comes first.
        Ok(credentials)
            if authorization::ensure_single(credentials.content) == Err(CredentialsError::Ambiguous) =>
        {
            Found::Ambiguous
        }
        Ok(_) => Found::Nothing,
        Err(CredentialsError::Ambiguous) => Found::Ambiguous,
        Err(CredentialsError::Malformed) => match authorization::scheme(value) {
            Some(scheme) if !is_expected(scheme) => Found::Nothing,
            _ => Found::Malformed,
        },
    }
}

fn in_query<'a>(request: &Request<'a>, name: &str) -> Found<'a> {
    let query = request.path.and_then(|path| split_at_query(path).1);
    let values = parameters(query.unwrap_or_default()).filter_map(|parameter| {
        let (found, value) = split_pair(parameter);
        is_named(found, name).then(|| form_decode(value).map_or(Found::Malformed, Found::Value))
    });
    only_one(values)
}

fn only_one<'a>(mut values: impl Iterator<Item = Found<'a>>) -> Found<'a> {
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(found), None) => found,
        (Some(_), Some(_)) => Found::Ambiguous,
    }
}

/// `:path` without the query parameters of these names, and without those that hide one of them from a strict parser.
/// `None` if there is nothing to remove. The other parameters stay as they are.
pub fn without_parameters(path: &[u8], names: &[&str]) -> Option<Vec<u8>> {
    if names.is_empty() {
        return None;
    }
    let (before, query) = split_at_query(path);
    let query = query?;
    let can_hide = query.contains(&b';');
    let is_removed = |parameter: &[u8]| {
        let found = split_pair(parameter).0;
        names.iter().any(|name| is_named(found, name) || can_hide && hides_parameter(parameter, name))
    };
    if !parameters(query).any(is_removed) {
        return None;
    }
    let kept: Vec<&[u8]> = parameters(query).filter(|parameter| !is_removed(parameter)).collect();
    let query = kept.join(&b'&');
    let separator: &[u8] = if query.is_empty() { b"" } else { b"?" };
    Some([before, separator, &query].concat())
}

/// Result of [`without_cookies`].
#[derive(Debug, PartialEq, Eq)]
pub enum Cookies {
    /// The request has none of these cookies.
    Unchanged,
    /// No cookie is left.
    Empty,
    /// Remaining cookies, for a single header.
    Left(Vec<u8>),
}

/// The Cookie headers without the cookies of these names. The other cookies stay as they are.
pub fn without_cookies(request: &Request<'_>, names: &[&str]) -> Cookies {
    if names.is_empty() {
        return Cookies::Unchanged;
    }
    let is_kept = |pair: &&[u8]| !names.iter().any(|name| split_cookie(pair).0 == name.as_bytes());
    let (mut left, mut removed) = (Vec::new(), false);
    for field in request.values("cookie") {
        let pairs: Vec<&[u8]> = field.split(|byte| *byte == b';').collect();
        let kept: Vec<&[u8]> = pairs.iter().copied().filter(is_kept).collect();
        removed |= kept.len() < pairs.len();
        let kept = kept.join(&b';');
        let kept = trim_ows(&kept);
        if !kept.is_empty() {
            left.push(kept.to_vec());
        }
    }
    match (removed, left.is_empty()) {
        (false, _) => Cookies::Unchanged,
        (true, true) => Cookies::Empty,
        (true, false) => Cookies::Left(left.join(&b"; "[..])),
    }
}

/// Splits a request target at its first `?`.
fn split_at_query(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match path.iter().position(|byte| *byte == b'?') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..)),
        None => (path, None),
    }
}

fn parameters(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|byte| *byte == b'&')
}

fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, &[]),
    }
}

/// Splits a pair into name and value. Servers differ in what they ignore around a name: various kinds of white space,
/// control characters, quotes. This function ignores all bytes that cannot be part of a name
/// ([RFC 6265 §4.1.1](https://www.rfc-editor.org/rfc/rfc6265#section-4.1.1)); otherwise a server could find a cookie
/// that the filter overlooks.
fn split_cookie(pair: &[u8]) -> (&[u8], &[u8]) {
    let (mut name, value) = split_pair(pair);
    while let [first, rest @ ..] = name
        && !is_tchar(*first)
    {
        name = rest;
    }
    while let [rest @ .., last] = name
        && !is_tchar(*last)
    {
        name = rest;
    }
    (name, trim_ows(value))
}

/// True if a parameter has another parameter `name` after a `;`, whether or not its own name is `name`.
fn hides_parameter(parameter: &[u8], name: &str) -> bool {
    let is_it = |part: &&[u8]| is_named(split_pair(part).0, name);
    parameter.contains(&b';') && {
        let found = parameter.split(|byte| *byte == b';').filter(is_it).take(2).count();
        found > usize::from(is_it(&parameter))
    }
}

/// True if a cookie pair has another cookie `name` after white space or a comma, whether or not its own name is `name`.
fn hides_cookie(pair: &[u8], name: &str) -> bool {
    // Bytes outside ASCII count as white space: NEL and NBSP are white space, and no name contains such bytes.
    let separates = |byte: &u8| matches!(byte, b',' | 0..=b' ' | 0x7f..);
    let mut parts = pair.split(separates).filter(|part| !part.is_empty()).peekable();
    let mut found = 0;
    while let Some(part) = parts.next() {
        let has_value = part.contains(&b'=') || parts.peek().is_some_and(|next| next.starts_with(b"="));
        found += usize::from(has_value && split_cookie(part).0 == name.as_bytes());
    }
    found > usize::from(split_cookie(pair).0 == name.as_bytes())
}

/// True if the decoded text is `name`. A query of 60 KB has tens of thousands of names, so no decoded name is
/// allocated, and most are rejected at their first byte.
fn is_named(mut encoded: &[u8], name: &str) -> bool {
    for expected in name.bytes() {
        let byte;
        (byte, encoded) = match encoded {
            [b'%', high, low, rest @ ..] => (hex_byte(*high, *low), rest),
            [b'+', rest @ ..] => (Some(b' '), rest),
            [byte, rest @ ..] => (Some(*byte), rest),
            [] => return false,
        };
        if byte != Some(expected) {
            return false;
        }
    }
    encoded.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(path: &'a str, fields: &[(&'a str, &'a str)]) -> Request<'a> {
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Request::new(std::iter::once((&b":path"[..], path.as_bytes())).chain(fields), None)
    }

    fn show(found: Found<'_>) -> String {
        match found {
            Found::Nothing => "nothing".to_owned(),
            Found::Value(value) => format!("={}", value.escape_ascii()),
            Found::Malformed => "malformed".to_owned(),
            Found::Ambiguous => "ambiguous".to_owned(),
        }
    }

    #[test]
    fn fields_are_read_by_scheme() {
        let bearer = CredentialLocation::authorization("Bearer");
        let plain = CredentialLocation::Field { name: "x-jwt".to_owned(), scheme: None };
        let check = |location: &CredentialLocation, fields: &[(&str, &str)], expected: &str| {
            let found = match location.find(&request("/", fields)) {
                Found::Value(value) => match location.vet(&value) {
                    Ok(()) => Found::Value(value),
                    Err(CredentialsError::Ambiguous) => Found::Ambiguous,
                    Err(CredentialsError::Malformed) => Found::Malformed,
                },
                other => other,
            };
            assert_eq!(show(found), expected, "{fields:?}");
        };
        check(&bearer, &[], "nothing");
        check(&bearer, &[("authorization", "bearer  a.b.c")], "=a.b.c");
        check(&bearer, &[("authorization", "Basic YQ==")], "nothing");
        check(&bearer, &[("authorization", "Basic\tYQ==")], "nothing");
        check(&bearer, &[("authorization", "Bearer\ta.b.c")], "malformed");
        check(&bearer, &[("authorization", "Bearer")], "=");
        check(&bearer, &[("authorization", "")], "malformed");
        check(&bearer, &[("authorization", "Bearer a, Bearer b")], "ambiguous");
        check(&bearer, &[("authorization", "Basic YQ==, Bearer b")], "ambiguous");
        check(&bearer, &[("authorization", "Bearer a"), ("authorization", "Bearer a")], "ambiguous");
        check(&plain, &[("x-jwt", " a.b.c ")], "=a.b.c");
        check(&plain, &[("x-jwt", "")], "=");
        check(&plain, &[("x-jwt", "a,b")], "ambiguous");
        check(&plain, &[("x-jwt", "a"), ("x-jwt", "b")], "ambiguous");
    }

    /// All texts of up to five of these bytes.
    #[test]
    fn a_name_is_compared_as_it_is_decoded() {
        let mut texts = vec![Vec::new()];
        for _ in 0..5 {
            let longer = |text: &Vec<u8>| b"a%61+ z".map(|byte| [text.as_slice(), &[byte]].concat());
            let next: Vec<_> = texts.iter().flat_map(longer).collect();
            texts.extend(next);
            texts.sort();
            texts.dedup();
        }
        assert_eq!(texts.len(), (0..=5).map(|length| 7_usize.pow(length)).sum::<usize>());
        let mut found = 0;
        for text in &texts {
            for name in ["", "a", "aa", "a ", " a", "a1", "6", "z"] {
                let expected = form_decode(text).is_some_and(|decoded| *decoded == *name.as_bytes());
                assert_eq!(is_named(text, name), expected, "{} {name}", text.escape_ascii());
                found += usize::from(expected);
            }
        }
        assert!(found > 10, "{found}");
    }

    #[test]
    fn parameters_are_found_and_taken_out_by_their_decoded_name() {
        let check = |path: &str, expected: &str, left: Option<&str>| {
            assert_eq!(
                show(CredentialLocation::Query("access_token".to_owned()).find(&request(path, &[]))),
                expected,
                "{path}"
            );
            let found = without_parameters(path.as_bytes(), &["access_token"]);
            assert_eq!(found.as_deref(), left.map(str::as_bytes), "{path}");
        };
        check("/x", "nothing", None);
        check("/x?", "nothing", None);
        check("/x?a=%zz&b=c", "nothing", None);
        check("/access_token=1", "nothing", None);
        check("/x?access_token=t", "=t", Some("/x"));
        check("/x?access_token=t&a=%41&&b", "=t", Some("/x?a=%41&&b"));
        check("/x?a=1&access%5Ftoken=t&b=?x", "=t", Some("/x?a=1&b=?x"));
        check("/x?a=1&%61ccess_token=t%2e", "=t.", Some("/x?a=1"));
        check("/x?access_token", "=", Some("/x"));
        check("/x?access_token=%zz", "malformed", Some("/x"));
        check("/x?access_token=a&ACCESS_TOKEN=b", "=a", Some("/x?ACCESS_TOKEN=b"));
        check("/x?access_token=a&access_token=a", "ambiguous", Some("/x"));
    }

    #[test]
    fn cookies_are_found_and_taken_out() {
        let check = |fields: &[&str], expected: &str, left: Cookies| {
            let fields: Vec<_> = fields.iter().map(|value| ("cookie", *value)).collect();
            let request = request("/", &fields);
            assert_eq!(
                show(CredentialLocation::Cookie("session".to_owned()).find(&request)),
                expected,
                "{fields:?}"
            );
            assert_eq!(without_cookies(&request, &["session"]), left, "{fields:?}");
        };
        let left = |text: &str| Cookies::Left(text.as_bytes().to_vec());
        check(&[], "nothing", Cookies::Unchanged);
        check(&["a=1; xsession=2; Session=3"], "nothing", Cookies::Unchanged);
        check(&["session=t"], "=t", Cookies::Empty);
        check(&["session="], "=", Cookies::Empty);
        check(&["a=1; session=t;b=\"2\""], "=t", left("a=1;b=\"2\""));
        check(&["session=t; b=2"], "=t", left("b=2"));
        check(&["a=1", "session=t", "c=3"], "=t", left("a=1; c=3"));
        check(&["session=t; a=1; session=u"], "ambiguous", left("a=1"));
        check(&["session=t", "session=t"], "ambiguous", Cookies::Empty);
        check(&["a=1; session = t "], "=t", left("a=1"));
        check(&["a=1;\u{c} session\u{a0}=t"], "=t", left("a=1"));
        check(&["\"session\"=t; sess ion=u"], "=t", left("sess ion=u"));
        check(&["a=1; session=t;\u{1f}session=u"], "ambiguous", left("a=1"));
        check(&["=session; \u{c}=t"], "nothing", Cookies::Unchanged);
    }
}
