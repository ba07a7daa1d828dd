//! Parser of `Authorization` values ([RFC 9110 §11.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2)).
//!
//! ```text
//! Authorization = credentials
//! credentials   = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
//! auth-param    = token BWS "=" BWS ( token / quoted-string )
//! ```
//!
//! There are two deviations. The value of an auth-param is left to the scheme, because unregistered schemes use other
//! characters there. A comma that does not separate auth-params is an error: it means that two headers were joined on
//! the way, as proxies do, and it is unclear which of them the upstream would use.

use std::borrow::Cow;

use crate::http::request::{is_tchar, trim_ows};

/// Auth-scheme of tokens that are bound to a key ([RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)).
pub const DPOP: &str = "DPoP";

/// An auth-scheme and the content after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The auth-scheme as written. Schemes are compared case-insensitively.
    pub scheme: &'a [u8],
    /// A token68, auth-params or nothing. The scheme validates it.
    pub content: &'a [u8],
}

/// Reason why a value is not one set of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsError {
    /// The value does not match the grammar.
    Malformed,
    /// The value has more than one set of credentials.
    Ambiguous,
}

impl<'a> Credentials<'a> {
    /// Parses the value of a header.
    ///
    /// # Errors
    /// Fails if the value does not match the grammar, or has more than one set of credentials.
    pub fn parse(value: &'a [u8]) -> Result<Self, CredentialsError> {
        let credentials = Credentials::split(value)?;
        ensure_single(credentials.content)?;
        Ok(credentials)
    }

    /// Splits the value of a header into auth-scheme and content. Check the content with [`ensure_single`] before use.
    ///
    /// # Errors
    /// Fails with [`CredentialsError::Ambiguous`] if a comma follows the auth-scheme, and with
    /// [`CredentialsError::Malformed`] if there is no auth-scheme, if a byte other than a space follows it, or if a tab
    /// follows the spaces.
    pub fn split(value: &'a [u8]) -> Result<Self, CredentialsError> {
        let value = trim_ows(value);
        let scheme = scheme(value).ok_or(CredentialsError::Malformed)?;
        match value.get(scheme.len()..).unwrap_or_default() {
            [] => Ok(Credentials { scheme, content: &[] }),
            [b',', ..] => Err(CredentialsError::Ambiguous),
            [b' ', rest @ ..] => {
                let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
                let content = rest.get(spaces..).unwrap_or_default();
                if content.first() == Some(&b'\t') {
                    return Err(CredentialsError::Malformed);
                }
                Ok(Credentials { scheme, content })
            }
            _ => Err(CredentialsError::Malformed),
        }
    }
}

/// The auth-scheme at the start of a value, even if the rest is malformed.
pub fn scheme(value: &[u8]) -> Option<&[u8]> {
    let value = trim_ows(value);
    let length = value.iter().take_while(|byte| is_tchar(**byte)).count();
    value.get(..length).filter(|scheme| !scheme.is_empty())
}

/// Checks that commas separate nothing but auth-params.
///
/// # Errors
/// Fails with [`CredentialsError::Ambiguous`] if a comma separates anything else, and with
/// [`CredentialsError::Malformed`] if a quoted string does not end.
pub fn ensure_single(content: &[u8]) -> Result<(), CredentialsError> {
    if !content.iter().any(|byte| matches!(byte, b',' | b'"')) {
        return Ok(());
    }
    let elements = split_list(content)?;
    match elements.as_slice() {
        [] | [_] => Ok(()),
        many if many.iter().all(|element| is_auth_param(element)) => Ok(()),
        _ => Err(CredentialsError::Ambiguous),
    }
}

/// Splits at commas outside quoted strings.
fn split_list(content: &[u8]) -> Result<Vec<&[u8]>, CredentialsError> {
    let (mut elements, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in content.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                elements.push(content.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(CredentialsError::Malformed);
    }
    elements.push(content.get(start..).unwrap_or_default());
    Ok(elements)
}

fn is_auth_param(element: &[u8]) -> bool {
    let element = trim_ows(element);
    let name = element.iter().take_while(|byte| is_tchar(**byte)).count();
    let rest = trim_ows(element.get(name..).unwrap_or_default());
    name > 0 && matches!(rest, [b'=', value @ ..] if !trim_ows(value).is_empty())
}

/// Auth-params. Names are unique and in lower case; values are without quotes and escapes.
pub type AuthParams<'a> = Vec<(Vec<u8>, Cow<'a, [u8]>)>;

/// The auth-params of a content. `None` if the content has anything else, repeats a name, or has more auth-params than
/// any scheme uses.
pub fn auth_params(content: &[u8]) -> Option<AuthParams<'_>> {
    const MOST: usize = 32;
    let elements = split_list(content).ok().filter(|elements| elements.len() <= MOST)?;
    let mut params = AuthParams::with_capacity(elements.len());
    for element in elements {
        let element = trim_ows(element);
        let length = element.iter().take_while(|byte| is_tchar(**byte)).count();
        let (name, rest) = element.split_at_checked(length)?;
        let [b'=', value @ ..] = trim_ows(rest) else { return None };
        let (name, value) = (name.to_ascii_lowercase(), param_value(trim_ows(value))?);
        if name.is_empty() || params.iter().any(|(known, _)| *known == name) {
            return None;
        }
        params.push((name, value));
    }
    Some(params)
}

/// Removes quotes and escapes from the value of an auth-param.
///
/// ```text
/// token / quoted-string
/// quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
/// ```
fn param_value(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        let is_token = !value.is_empty() && value.iter().all(|byte| is_tchar(*byte));
        return is_token.then_some(Cow::Borrowed(value));
    };
    let quoted = quoted.strip_suffix(b"\"")?;
    if quoted.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return None;
    }
    if !quoted.iter().any(|byte| matches!(byte, b'"' | b'\\')) {
        return Some(Cow::Borrowed(quoted));
    }
    let (mut unescaped, mut bytes) = (Vec::with_capacity(quoted.len()), quoted.iter());
    while let Some(byte) = bytes.next() {
        unescaped.push(match byte {
            b'"' => return None,
            b'\\' => *bytes.next()?,
            byte => *byte,
        });
    }
    Some(Cow::Owned(unescaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8], expected: Result<(&str, &str), CredentialsError>) {
        let found = Credentials::parse(value);
        let expected = expected.map(|(scheme, content)| (scheme.as_bytes(), content.as_bytes()));
        assert!(found.map(|c| (c.scheme, c.content)) == expected, "{}", value.escape_ascii());
    }

    #[test]
    fn one_set_of_credentials_and_nothing_else() {
        use CredentialsError::*;
        check(b"Basic YWxpY2U6eA==", Ok(("Basic", "YWxpY2U6eA==")));
        check(b"  bAsIc    YQ==  ", Ok(("bAsIc", "YQ==")));
        check(b"Negotiate", Ok(("Negotiate", "")));
        check(b"Basic ", Ok(("Basic", "")));
        check(
            b"Digest username=\"a, b\", nc=00000001,uri=\"/\"",
            Ok(("Digest", "username=\"a, b\", nc=00000001,uri=\"/\"")),
        );
        check(b"Digest a=\"x\\\", Basic y\", b=c", Ok(("Digest", "a=\"x\\\", Basic y\", b=c")));
        check(
            b"AWS4-HMAC-SHA256 Credential=A/b/c, SignedHeaders=host;date, Signature=ab",
            Ok(("AWS4-HMAC-SHA256", "Credential=A/b/c, SignedHeaders=host;date, Signature=ab")),
        );
        check(b"Basic\tYQ==", Err(Malformed));
        check(b"Basic \tYQ==", Err(Malformed));
        check(b"", Err(Malformed));
        check(b"   ", Err(Malformed));
        check(b"\xffBasic YQ==", Err(Malformed));
        check(b"Ba\xffsic YQ==", Err(Malformed));
        check(b"Basic:YQ==", Err(Malformed));
        check(b"\"Basic\" YQ==", Err(Malformed));
        check(b"Digest a=\"x", Err(Malformed));
        check(b"Basic YQ==, Bearer x", Err(Ambiguous));
        check(b"Basic YQ==,Basic YQ==", Err(Ambiguous));
        check(b"Basic YQ==,", Err(Ambiguous));
        check(b"Basic,Bearer x", Err(Ambiguous));
        check(b"Bearer a.b.c,d", Err(Ambiguous));
        check(b"Digest a=b, Digest c=d", Err(Ambiguous));
        check(b"Digest a=b, Basic YQ==", Err(Ambiguous));
        check(b"Digest a=b, Basic =", Err(Ambiguous));
        check(b"Digest a=b,, c=d", Err(Ambiguous));
        check(b"Digest a=b\\, Basic YQ==", Err(Ambiguous));
        check(b"Digest a=b, =c", Err(Ambiguous));
    }

    #[test]
    fn a_byte_that_is_not_utf8_is_content_like_any_other() {
        assert!(Credentials::parse(b"Basic \xff").is_ok_and(|c| c.content == b"\xff"));
    }

    #[test]
    fn auth_params_are_names_and_values() {
        let check = |content: &[u8], expected: Option<&[(&str, &str)]>| {
            let found = auth_params(content);
            let expected = expected.map(|params| {
                let bytes = params
                    .iter()
                    .map(|(name, value)| (name.as_bytes().to_vec(), Cow::Borrowed(value.as_bytes())));
                bytes.collect::<Vec<_>>()
            });
            assert!(found == expected, "{}", content.escape_ascii());
        };
        check(b"a=b", Some(&[("a", "b")]));
        check(b"A = b ,\tc=\"d, e\"", Some(&[("a", "b"), ("c", "d, e")]));
        check(br#"a="\"b\\\c\"", d="""#, Some(&[("a", r#""b\c""#), ("d", "")]));
        check(b"a*=UTF-8''b", Some(&[("a*", "UTF-8''b")]));
        check(b"a=\"\xc3\xa9\"", Some(&[("a", "é")]));
        check(b"", None);
        check(b"a", None);
        check(b"a=", None);
        check(b"=b", None);
        check(b"a b=c", None);
        check(b"a=b c", None);
        check(b"a=b;c=d", None);
        check(b"a=b,", None);
        check(b"a=b,,c=d", None);
        check(b"a=/b", None);
        check(b"a=\"b\"c", None);
        check(b"a=b\"c\"", None);
        check(b"a=\"", None);
        check(b"a=\"b", None);
        check(b"a=\"b\\\"", None);
        check(b"a=\"b\" \"c\"", None);
        check(b"a=\"b\x00\"", None);
        check(b"a=\"b\x7f\"", None);
        check(b"a=\xc3\xa9", None);
        check(b"a=b, a=b", None);
        check(b"a=b, A=c", None);
        let many = |count: usize| (0..count).map(|n| format!("p{n}=v")).collect::<Vec<_>>().join(",");
        assert!(auth_params(many(32).as_bytes()).is_some());
        assert!(auth_params(many(33).as_bytes()).is_none());
    }
}
