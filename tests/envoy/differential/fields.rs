//! Variants of Authorization headers around the credentials, for any scheme.

use super::Case;

/// Returns every way to write a header with the credentials `content` of this auth-scheme.
pub fn around(scheme: &str, content: &str, other: &str) -> Vec<Case> {
    let (lower, upper) = (scheme.to_lowercase(), scheme.to_uppercase());
    let mixed: String = scheme
        .chars()
        .enumerate()
        .map(
            |(at, letter)| {
                if at % 2 == 0 { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
            },
        )
        .collect();
    let one = |what: &str, field: String| Case::new(format!("{scheme} field: {what}"), field);
    let bytes = |what: &str, field: Vec<u8>| Case::new(format!("{scheme} field: {what}"), field);
    let several = |what: &str, fields: &[String]| Case {
        mutation: format!("{scheme} field: {what}"),
        fields: fields.iter().map(|field| field.clone().into_bytes()).collect(),
    };
    let good = format!("{scheme} {content}");
    let wrong = format!("{scheme} {other}");
    let mut cases = vec![
        one("as it should be", good.clone()),
        one("scheme in lower case", format!("{lower} {content}")),
        one("scheme in upper case", format!("{upper} {content}")),
        one("scheme in mixed case", format!("{mixed} {content}")),
        one("no space", format!("{scheme}{content}")),
        one("two spaces", format!("{scheme}  {content}")),
        one("many spaces", format!("{scheme}{}{content}", " ".repeat(40))),
        one("a tab", format!("{scheme}\t{content}")),
        one("a space and a tab", format!("{scheme} \t{content}")),
        one("a tab and a space", format!("{scheme}\t {content}")),
        one("space before it", format!("   {good}")),
        one("a tab before it", format!("\t{good}")),
        one("space after it", format!("{good}   ")),
        one("a tab after it", format!("{good}\t")),
        one("the scheme alone", scheme.to_owned()),
        one("the scheme and a space", format!("{scheme} ")),
        one("empty", String::new()),
        one("no scheme", content.to_owned()),
        one("another scheme", format!("Negotiate {content}")),
        one("a longer scheme", format!("{scheme}er {content}")),
        one("a shorter scheme", format!("{} {content}", &scheme[..scheme.len() - 1])),
        one("something before the scheme", format!("X {good}")),
        one("something joined before the scheme", format!("X{good}")),
        one("the scheme twice", format!("{scheme} {good}")),
        one("another scheme and a comma before it", format!("Negotiate abc, {good}")),
        one("another scheme and a comma after it", format!("{good}, Negotiate abc")),
        one("a comma before it", format!(", {good}")),
        one("a comma before the content", format!("{scheme} ,{content}")),
        one("a comma after it", format!("{good},")),
        one("twice with a comma", format!("{good}, {good}")),
        one("good and wrong with a comma", format!("{good}, {wrong}")),
        one("wrong and good with a comma", format!("{wrong}, {good}")),
        one("a word after it", format!("{good} x")),
        one("a semicolon after it", format!("{good};")),
        one("a parameter after it", format!("{good}, realm=\"x\"")),
        one("a colon after the scheme", format!("{scheme}: {content}")),
        one("quoted", format!("{scheme} \"{content}\"")),
        one("half quoted", format!("{scheme} \"{content}")),
        one("in single quotes", format!("{scheme} '{content}'")),
        one("as a parameter", format!("{scheme} token={content}")),
        one("in angle brackets", format!("{scheme} <{content}>")),
        several("twice", &[good.clone(), good.clone()]),
        several("good and wrong", &[good.clone(), wrong.clone()]),
        several("wrong and good", &[wrong, good.clone()]),
        several("another scheme first", &["Negotiate abc".to_owned(), good.clone()]),
        several("another scheme last", &[good.clone(), "Negotiate abc".to_owned()]),
        several("an empty one first", &[String::new(), good.clone()]),
        several("an empty one last", &[good.clone(), String::new()]),
    ];
    for byte in (0_u8..=0xff).filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        let kind = match byte {
            b'\t' => "a tab",
            b' ' => "a space",
            b',' => "a comma",
            b'"' => "a quote",
            b'=' => "an equals sign",
            b'.' => "a dot",
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => "a letter or digit",
            b'-' | b'_' => "a byte of base64url",
            b'+' | b'/' => "a byte of base64",
            0x80.. => "a byte that is not ASCII",
            0..0x20 | 0x7f => "a control byte",
            _ => "another byte",
        };
        let place = |before: &str, after: &str| [before.as_bytes(), &[byte], after.as_bytes()].concat();
        cases.push(bytes(&format!("{kind} before the scheme"), place("", &good)));
        cases.push(bytes(&format!("{kind} right after the scheme"), place(scheme, &format!(" {content}"))));
        cases.push(bytes(&format!("{kind} in place of the space"), place(scheme, content)));
        cases.push(bytes(&format!("{kind} before the content"), place(&format!("{scheme} "), content)));
        cases.push(bytes(&format!("{kind} after the content"), place(&good, "")));
    }
    cases
}
