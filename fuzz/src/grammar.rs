//! The grammar of RFC 9110 §11.4 and §5.6, rule by rule. Each function returns the rest of the text. Slow, but easy to
//! compare with the RFC.

/// Matches `tchar`.
pub fn tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Parses `token = 1*tchar`.
pub fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 0;
    while end < text.len() && tchar(text[end]) {
        end += 1;
    }
    if end == 0 { None } else { Some((&text[..end], &text[end..])) }
}

/// Skips `OWS = *( SP / HTAB )`; `BWS` is the same.
pub fn ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Removes surrounding white space.
pub fn trim(text: &[u8]) -> &[u8] {
    let text = ows(text);
    let end = text.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |at| at + 1);
    &text[..end]
}

/// Parses `quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE`, and returns the unescaped text.
pub fn quoted_string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let [b'"', rest @ ..] = text else { return None };
    let mut rest = rest;
    let mut meaning = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((meaning, after)),
            [b'\\', escaped @ (b'\t' | b' '..=b'~' | 0x80..), after @ ..] => {
                meaning.push(*escaped);
                rest = after;
            }
            [plain @ (b'\t' | b' ' | b'!' | b'#'..=b'[' | b']'..=b'~' | 0x80..), after @ ..] => {
                meaning.push(*plain);
                rest = after;
            }
            _ => return None,
        }
    }
}

/// Parses `auth-param = token BWS "=" BWS ( token / quoted-string )`.
pub fn auth_param(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>, &[u8])> {
    let (name, rest) = token(text)?;
    let [b'=', rest @ ..] = ows(rest) else { return None };
    let rest = ows(rest);
    if let Some((meaning, rest)) = quoted_string(rest) {
        return Some((name.to_vec(), meaning, rest));
    }
    let (value, rest) = token(rest)?;
    Some((name.to_vec(), value.to_vec(), rest))
}

/// Parses all of `text` as `auth-param *( OWS "," OWS auth-param )`.
pub fn auth_params(text: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut params = Vec::new();
    let mut rest = text;
    loop {
        let (name, value, after) = auth_param(rest)?;
        params.push((name, value));
        match ows(after) {
            [] if after.is_empty() => return Some(params),
            [b',', next @ ..] => rest = ows(next),
            _ => return None,
        }
    }
}

/// True if all of `text` is `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
pub fn token68(text: &[u8]) -> bool {
    let stem: &[u8] = {
        let mut stem = text;
        while let [before @ .., b'='] = stem {
            stem = before;
        }
        stem
    };
    let allowed =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !stem.is_empty() && stem.iter().all(allowed)
}

/// Parses `credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`, and returns the scheme and the text after the
/// spaces.
pub fn credentials(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (scheme, rest) = token(text)?;
    if rest.is_empty() {
        return Some((scheme, rest));
    }
    let mut content = rest;
    while let [b' ', after @ ..] = content {
        content = after;
    }
    let spaced = content.len() < rest.len();
    (spaced && (token68(content) || auth_params(content).is_some())).then_some((scheme, content))
}
