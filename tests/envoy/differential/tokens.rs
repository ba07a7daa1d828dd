//! Tokens: valid ones, and valid ones with a single change. They are correctly signed unless the signature is changed.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL, Engine as _};
use serde_json::{Value, json};

use super::random::Random;
use super::{Case, fields};
use authgate_testing::e2e::mint::{SECRET, hs256, jwks, jws, now, rsa_public_forms, signed};

const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "EdDSA", "HS256"];

/// Names and values, as written.
type Members = Vec<(String, String)>;

/// Returns one key for each algorithm.
pub fn keys() -> Value {
    let mut keys = jwks();
    let secret =
        json!({"kty": "oct", "kid": "HS256", "alg": "HS256", "use": "sig", "k": BASE64URL.encode(SECRET)});
    keys["keys"].as_array_mut().unwrap().push(secret);
    keys
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for alg in ALGORITHMS {
        of_algorithm(alg, &mut cases);
    }
    let good = token("ES256", &header("ES256"), &claims());
    let (start, signature) = good.rsplit_once('.').unwrap();
    let wrong = format!("{start}.{}", with_flipped_bit(signature, 3));
    cases.extend(fields::around("Bearer", &good, &wrong));
    cases
}

fn of_algorithm(alg: &str, cases: &mut Vec<Case>) {
    let mut add =
        |mutation: String, token: String| cases.push(Case::new(mutation, format!("Bearer {token}")));
    let (header, claims) = (header(alg), claims());
    for (name, value) in header_values() {
        add(format!("header {name}: {value}"), token(alg, &set(&header, name, value), &claims));
    }
    for (name, value) in claim_values() {
        let shown = value.replace(char::is_whitespace, " ");
        add(format!("claim {name}: {shown}"), token(alg, &header, &set(&claims, name, value)));
    }
    for other in ALGORITHMS.into_iter().filter(|other| *other != alg) {
        let says = |name| set(&header, name, &format!("\"{other}\""));
        add("header alg: another key's".to_owned(), token(alg, &says("alg"), &claims));
        add("header kid: another key's".to_owned(), token(alg, &says("kid"), &claims));
        add("signed by another key".to_owned(), jws(other, object(&header), object(&claims)));
    }
    for (_, secret) in rsa_public_forms() {
        let header = set(&set(&header, "alg", "\"HS256\""), "kid", &format!("\"{alg}\""));
        add("HMAC keyed with a public key".to_owned(), hs256(&secret, object(&header), object(&claims)));
    }
    for (part, members) in [("header", &header), ("claims", &claims)] {
        for (name, _) in members {
            let name = name.trim_matches('"');
            for (what, text) in doubled(members, name) {
                let (header, claims) = in_part(part, &text, &header, &claims);
                add(format!("{part} {name} {what}"), jws(alg, header, claims));
            }
        }
        for (what, text) in syntax(&object(members)) {
            let (header, claims) = in_part(part, &text, &header, &claims);
            add(format!("{part} as JSON: {what}"), jws(alg, header, claims));
        }
    }
    let good = token(alg, &header, &claims);
    for (what, token) in segments(&good) {
        add(format!("segments: {what}"), token);
    }
    let parts: Vec<&str> = good.split('.').collect();
    let mut random = Random::new(alg.len() as u64 + 8);
    for (at, part) in ["header", "payload", "signature"].into_iter().enumerate() {
        let with = |text: &str| match at {
            0 => signed(alg, &format!("{text}.{}", parts[1])),
            1 => signed(alg, &format!("{}.{text}", parts[0])),
            _ => format!("{}.{}.{text}", parts[0], parts[1]),
        };
        for (what, text) in encodings(parts[at]) {
            // An additional letter encodes an additional byte or none. Its effect depends on the algorithm.
            let of = if at == 2 && what == "a letter more" { format!(" of {alg}") } else { String::new() };
            add(format!("base64 of the {part}{of}: {what}"), with(&text));
        }
        for _ in 0..60 {
            let bit = random.below(BASE64URL.decode(parts[at]).unwrap().len() * 8);
            let mut changed = parts.clone();
            let flipped = with_flipped_bit(parts[at], bit);
            changed[at] = &flipped;
            add(format!("a bit of the {part} flipped"), changed.join("."));
        }
    }
    for (what, signature) in signatures(parts[2]) {
        add(
            format!("signature of {alg}: {what}"),
            format!("{}.{}.{}", parts[0], parts[1], BASE64URL.encode(signature)),
        );
    }
}

fn token(alg: &str, header: &Members, claims: &Members) -> String {
    jws(alg, object(header), object(claims))
}

fn in_part(part: &str, text: &[u8], header: &Members, claims: &Members) -> (Vec<u8>, Vec<u8>) {
    match part {
        "header" => (text.to_vec(), object(claims).into_bytes()),
        _ => (object(header).into_bytes(), text.to_vec()),
    }
}

fn header(alg: &str) -> Members {
    members(&[("alg", &format!("\"{alg}\"")), ("kid", &format!("\"{alg}\"")), ("typ", "\"JWT\"")])
}

fn claims() -> Members {
    let values = [("iss", "\"https://idp.example.com\""), ("aud", "\"api\""), ("sub", "\"alice\"")];
    let times = [("iat", time("now-1")), ("nbf", time("now-1")), ("exp", time("now+600"))];
    let times = times.iter().map(|(name, value)| (*name, value.as_str()));
    members(&values.into_iter().chain(times).collect::<Vec<_>>())
}

fn members(pairs: &[(&str, &str)]) -> Members {
    pairs.iter().map(|(name, value)| (format!("\"{name}\""), (*value).to_owned())).collect()
}

fn object(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Replaces the value of a member, in its position; `absent` removes the member.
fn set(members: &Members, name: &str, value: &str) -> Members {
    let quoted = format!("\"{name}\"");
    let (mut members, value) = (members.clone(), time(value));
    match members.iter_mut().find(|(known, _)| *known == quoted) {
        Some(member) => member.1 = value,
        None => members.push((quoted.clone(), value)),
    }
    members.retain(|(_, value)| value != "absent");
    members
}

/// Converts `now`, `now-10` and `now+10.5` to a number, and returns any other text unchanged.
fn time(text: &str) -> String {
    let Some(offset) = text.strip_prefix("now") else { return text.to_owned() };
    let (whole, fraction) = offset.split_once('.').unwrap_or((offset, ""));
    let seconds = now() as i64 + whole.parse::<i64>().unwrap_or(0);
    if fraction.is_empty() { seconds.to_string() } else { format!("{seconds}.{fraction}") }
}

fn header_values() -> Vec<(&'static str, &'static str)> {
    let of = |name, values: &'static [&'static str]| values.iter().map(move |value| (name, *value));
    const ANY: &[&str] = &["null", "true", "0", "1.5", "[]", "{}", "\"\""];
    of("alg", ANY)
        .chain(of(
            "alg",
            &[
                "absent",
                "\"none\"",
                "\"None\"",
                "\"NONE\"",
                "\"rs256\"",
                "\"es256\"",
                "\"XX256\"",
                "[\"ES256\"]",
            ],
        ))
        .chain(of("kid", ANY))
        .chain(of(
            "kid",
            &["absent", "\"other\"", "\"rs256\"", "\"RS256 \"", "[\"ES256\"]", "\"../../dev/null\""],
        ))
        .chain(of("typ", ANY))
        .chain(of(
            "typ",
            &[
                "absent",
                "\"jwt\"",
                "\"at+jwt\"",
                "\"AT+JWT\"",
                "\"application/at+jwt\"",
                "\"application/jwt\"",
                "\"JWS\"",
                "\"JOSE\"",
                "\"dpop+jwt\"",
                "\"logout+jwt\"",
                "\"JWE\"",
                "[\"JWT\"]",
            ],
        ))
        .chain(of("cty", &["\"JWT\"", "\"json\"", "null", "1"]))
        .chain(of("crit", ANY))
        .chain(of("crit", &["[\"exp\"]", "[\"b64\"]", "[\"alg\"]", "[\"x\"]", "\"exp\"", "[1]"]))
        .chain(of("b64", &["true", "false", "null", "\"false\"", "0"]))
        .chain(of("zip", &["\"DEF\"", "null", "1"]))
        .chain(of("enc", &["\"A128GCM\""]))
        .chain(of("jku", &["\"https://evil.example/jwks.json\"", "null", "1"]))
        .chain(of("x5u", &["\"https://evil.example/x5u.pem\"", "null"]))
        .chain(of("x5c", &["[]", "[\"AAAA\"]", "\"AAAA\""]))
        .chain(of("x5t", &["\"AAAA\"", "1"]))
        .chain(of("jwk", &["{\"kty\":\"oct\",\"k\":\"AAAA\"}", "{}", "null", "\"x\""]))
        .chain(of("x", &["1", "{\"a\":[1,{\"b\":null}]}", "{\"a\":1,\"a\":2}"]))
        .collect()
}

fn claim_values() -> Vec<(&'static str, &'static str)> {
    let of = |name, values: &'static [&'static str]| values.iter().map(move |value| (name, *value));
    const ANY: &[&str] =
        &["absent", "null", "true", "false", "0", "1.5", "-1", "[]", "{}", "[null]", "[1]", "\"\"", "[\"\"]"];
    // Well within the clock skew or well beyond it: up to a minute may pass between the creation of a token and its
    // use.
    const TIMES: &[&str] = &[
        "now",
        "now-20",
        "now-400",
        "now+20",
        "now+400",
        "now+20.5",
        "now-20.5",
        "now+400.25",
        "now-400.25",
        "now+86400",
        "now-86400",
        "-0",
        "-0.0",
        "0.0",
        "-1.5",
        "1e9",
        "1E9",
        "1e10",
        "1e+10",
        "1e-10",
        "10e9",
        "1e18",
        "1e19",
        "1e20",
        "1e300",
        "1e400",
        "-1e300",
        "-1e400",
        "2147483647",
        "2147483648",
        "4294967296",
        "253402300800",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "100000000000000000000000",
        "-9223372036854775808",
        "-9223372036854775809",
        "\"9999999999\"",
        "\"now\"",
        "\"1e10\"",
        "[9999999999]",
        "{\"a\":9999999999}",
        "9999999999.0",
        "9999999999.999999999999",
    ];
    const NAMES: &[&str] = &[
        "\"alice\"",
        "\"Alice\"",
        "\"\\u0061lice\"",
        "\"al\\u0000ice\"",
        "\"al ice\"",
        "\"ali,ce\"",
        "\"\\u00e4\"",
        "\"ä\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"a\\nb\"",
        "\"%61\"",
        "[\"alice\"]",
        "{\"a\":\"alice\"}",
        "12345678901234567890",
    ];
    of("iss", ANY)
        .chain(of(
            "iss",
            &[
                "\"https://idp.example.com\"",
                "\"https://idp.example.com/\"",
                "\"https://IDP.example.com\"",
                "\"http://idp.example.com\"",
                "\" https://idp.example.com\"",
                "\"https://idp.example.com \"",
                "\"https:\\/\\/idp.example.com\"",
                "\"https://idp\\u002eexample.com\"",
                "\"https://idp.example.com\\u0000\"",
                "\"https://idp.example.com.evil.example\"",
                "[\"https://idp.example.com\"]",
                "\"idp.example.com\"",
            ],
        ))
        .chain(of("aud", ANY))
        .chain(of(
            "aud",
            &[
                "\"api\"",
                "\"API\"",
                "\"api \"",
                "\" api\"",
                "\"api,web\"",
                "\"api web\"",
                "\"web\"",
                "\"ap\"",
                "\"apis\"",
                "[\"api\"]",
                "[\"web\",\"api\"]",
                "[\"api\",\"web\"]",
                "[\"web\"]",
                "[\"api\",1]",
                "[1,\"api\"]",
                "[\"api\",null]",
                "[[\"api\"]]",
                "{\"api\":true}",
                "\"\\u0061pi\"",
                "\"api\\u0000\"",
                "\"api/\"",
                "\"https://api\"",
                "[\"api\",\"api\"]",
                "\"*\"",
            ],
        ))
        .chain(of("exp", ANY))
        .chain(of("exp", TIMES))
        .chain(of("nbf", ANY))
        .chain(of("nbf", TIMES))
        .chain(of("iat", ANY))
        .chain(of("iat", TIMES))
        .chain(of("sub", ANY))
        .chain(of("sub", NAMES))
        .chain(of("jti", ANY))
        .chain(of("jti", &["\"x\"", "12345678901234567890"]))
        .chain(of(
            "x",
            &[
                "1",
                "1e400",
                "{\"a\":[1,{\"b\":null}]}",
                "{\"a\":1,\"a\":2}",
                "[{\"b\":{\"a\":1,\"\\u0061\":2}}]",
                "\"\\ud800\"",
                "-0",
                "01",
            ],
        ))
        .chain(of("cnf", &["null", "{}", "{\"jkt\":\"AAAA\"}", "{\"x5t#S256\":\"AAAA\"}", "\"x\""]))
        .collect()
}

/// Returns objects with a duplicate member: the same value, another value first or last, or its name in another
/// spelling.
fn doubled(members: &Members, name: &str) -> Vec<(&'static str, Vec<u8>)> {
    let quoted = format!("\"{name}\"");
    let value = &members.iter().find(|(known, _)| *known == quoted).unwrap().1;
    let escaped = format!("\"\\u{:04x}{}\"", name.as_bytes()[0], &name[1..]);
    let with = |first: bool, name: &str, value: &str| {
        let mut members = members.clone();
        let at = if first { 0 } else { members.len() };
        members.insert(at, (name.to_owned(), value.to_owned()));
        object(&members).into_bytes()
    };
    vec![
        ("twice, the same", with(false, &quoted, value)),
        ("twice, wrong first", with(true, &quoted, "\"x\"")),
        ("twice, wrong last", with(false, &quoted, "\"x\"")),
        ("twice, null first", with(true, &quoted, "null")),
        ("twice, null last", with(false, &quoted, "null")),
        ("twice, escaped first", with(true, &escaped, "\"x\"")),
        ("twice, escaped last", with(false, &escaped, "\"x\"")),
        ("in another case as well", with(false, &quoted.to_uppercase(), "\"x\"")),
    ]
}

/// Returns variants of an object's text, most of which are not valid JSON.
fn syntax(good: &str) -> Vec<(String, Vec<u8>)> {
    let inner = &good[1..good.len() - 1];
    let with = |member: &str| format!("{{{inner},\"x\":{member}}}");
    let texts = [
        ("space around it", format!(" \t\r\n{good} \t\r\n")),
        ("space within", good.replace(':', " : ").replace("https : ", "https:")),
        ("line feeds within", good.replace(',', "\n,\r\n")),
        ("a form feed before it", format!("\u{c}{good}")),
        ("a vertical tab before it", format!("\u{b}{good}")),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("a no-break space", format!("\u{a0}{good}")),
        ("NUL after it", format!("{good}\0")),
        ("NUL before it", format!("\0{good}")),
        ("a trailing comma", format!("{{{inner},}}")),
        ("a leading comma", format!("{{,{inner}}}")),
        ("two commas", good.replacen(',', ",,", 1)),
        ("no closing brace", format!("{{{inner}")),
        ("two closing braces", format!("{good}}}")),
        ("another object after it", format!("{good}{{}}")),
        ("letters after it", format!("{good} x")),
        ("a comment", format!("/* */{good}")),
        ("a line comment", format!("{{// \n{inner}}}")),
        ("single quotes", good.replace('"', "'")),
        ("names without quotes", good.replacen("\"alg\"", "alg", 1).replacen("\"iss\"", "iss", 1)),
        ("equals signs", good.replace(':', "=")),
        ("in an array", format!("[{good}]")),
        ("in a string", Value::from(good).to_string()),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("empty", String::new()),
        ("an empty object", "{}".to_owned()),
        ("an empty array", "[]".to_owned()),
        ("a name that is empty", format!("{{{inner},\"\":1}}")),
        ("a name that is a number", format!("{{{inner},1:1}}")),
        ("a name that is null", format!("{{{inner},null:1}}")),
        ("leading zero", with("01")),
        ("plus sign", with("+1")),
        ("no digit before the point", with(".5")),
        ("no digit after the point", with("1.")),
        ("no exponent", with("1e")),
        ("hexadecimal", with("0x1")),
        ("NaN", with("NaN")),
        ("Infinity", with("Infinity")),
        ("minus alone", with("-")),
        ("True", with("True")),
        ("undefined", with("undefined")),
        ("a huge number", with("1e400")),
        ("a tiny number", with("1e-400")),
        ("many digits", with(&"9".repeat(400))),
        ("a control character in a string", with("\"\u{1}\"")),
        ("a line feed in a string", with("\"\n\"")),
        ("a tab in a string", with("\"\t\"")),
        ("DEL in a string", with("\"\u{7f}\"")),
        ("NUL in a string", with("\"\0\"")),
        ("an escaped NUL", with("\"\\u0000\"")),
        ("an unknown escape", with("\"\\x41\"")),
        ("an escaped quote at the end", with("\"\\\"")),
        ("a short escape", with("\"\\u41\"")),
        ("a lone high surrogate", with("\"\\ud800\"")),
        ("a lone low surrogate", with("\"\\udc00\"")),
        ("surrogates the wrong way round", with("\"\\udc00\\ud800\"")),
        ("a pair of surrogates", with("\"\\ud83d\\ude00\"")),
        ("all escapes", with("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"")),
        ("a member named twice within", with("{\"a\":1,\"a\":1}")),
        ("a name with an escape", format!("{{{inner},\"\\u0078\":1}}")),
        ("60 arrays", with(&nested(60))),
        ("63 arrays", with(&nested(63))),
        ("64 arrays", with(&nested(64))),
        ("1000 arrays", with(&nested(1000))),
        ("a long member", with(&format!("\"{}\"", "x".repeat(2000)))),
    ];
    let bytes: [(&str, &[u8]); 6] = [
        ("a byte that is no UTF-8", b"\"\xff\""),
        ("a continuation byte alone", b"\"\x80\""),
        ("an overlong encoding", b"\"\xc0\xaf\""),
        ("a surrogate in UTF-8", b"\"\xed\xa0\x80\""),
        ("beyond Unicode", b"\"\xf4\x90\x80\x80\""),
        ("a cut-off sequence", b"\"\xe2\x82\""),
    ];
    let bytes = bytes
        .into_iter()
        .map(|(what, value)| (what.to_owned(), [b"{", inner.as_bytes(), b",\"x\":", value, b"}"].concat()));
    texts.into_iter().map(|(what, text)| (what.to_owned(), text.into_bytes())).chain(bytes).collect()
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn segments(good: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = good.split('.').collect();
    vec![
        ("one", parts[0].to_owned()),
        ("two", format!("{}.{}", parts[0], parts[1])),
        ("two and a dot", format!("{}.{}.", parts[0], parts[1])),
        ("four", format!("{good}.{}", parts[2])),
        ("five", format!("{good}.{}.{}", parts[0], parts[2])),
        ("a dot before", format!(".{good}")),
        ("a dot after", format!("{good}.")),
        ("two dots between", good.replacen('.', "..", 1)),
        ("an empty header", format!(".{}.{}", parts[1], parts[2])),
        ("an empty payload", format!("{}..{}", parts[0], parts[2])),
        ("dots alone", "..".to_owned()),
        ("swapped", format!("{}.{}.{}", parts[1], parts[0], parts[2])),
        ("twice", format!("{good}{good}")),
        ("a comma for a dot", good.replacen('.', ",", 1)),
        ("a space for a dot", good.replacen('.', " ", 1)),
        ("an escaped dot", good.replacen('.', "%2E", 1)),
        (
            "JWS JSON",
            format!(
                "{{\"payload\":\"{}\",\"protected\":\"{}\",\"signature\":\"{}\"}}",
                parts[1], parts[0], parts[2]
            ),
        ),
    ]
}

/// Returns other base64 encodings of a part, which a lenient decoder would map to the same bytes.
fn encodings(part: &str) -> Vec<(String, String)> {
    let bytes = BASE64URL.decode(part).unwrap();
    let standard = BASE64_STANDARD.encode(&bytes);
    let middle = part.len() / 2;
    let insert = |text: &str| format!("{}{text}{}", &part[..middle], &part[middle..]);
    let rest = part.len() % 4;
    let padding = &"=="[..(4 - rest) % 4 % 3];
    let mut all = vec![
        ("four equals signs", format!("{part}====")),
        ("an equals sign within", insert("=")),
        ("an equals sign before", format!("={part}")),
        ("a letter more", format!("{part}A")),
        ("a letter less", part[..part.len() - 1].to_owned()),
        ("a letter more within", insert("A")),
        ("a plus sign within", insert("+")),
        ("a slash within", insert("/")),
        ("a space within", insert(" ")),
        ("a tab within", insert("\t")),
        ("an exclamation mark within", insert("!")),
        ("a byte that is not ASCII within", insert("é")),
        ("an escaped letter", format!("%{:02X}{}", part.as_bytes()[0], &part[1..])),
        ("in hexadecimal", bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        ("twice", BASE64URL.encode(part)),
    ];
    if padding != "=" {
        all.push(("one equals sign", format!("{part}=")));
    }
    if !padding.is_empty() {
        all.push(("right padding", format!("{part}{padding}")));
        // Surplus bits that do not fit into a byte.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(part.chars().last().unwrap()).unwrap();
        for stray in 1..(if rest == 2 { 16 } else { 4 }) {
            let letter = &alphabet[last + stray..=last + stray];
            all.push(("stray bits at its end", format!("{}{letter}", &part[..part.len() - 1])));
        }
    }
    if standard.contains(['+', '/']) {
        let standard = standard.trim_end_matches('=').to_owned();
        all.push(("in the standard alphabet", standard));
    }
    all.into_iter().map(|(what, text)| (what.to_owned(), text)).collect()
}

fn with_flipped_bit(part: &str, bit: usize) -> String {
    let mut bytes = BASE64URL.decode(part).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    BASE64URL.encode(bytes)
}

/// Returns signatures with other lengths and values.
fn signatures(good: &str) -> Vec<(&'static str, Vec<u8>)> {
    let good = BASE64URL.decode(good).unwrap();
    let (first, second) = good.split_at(good.len() / 2);
    let integer = |bytes: &[u8]| {
        let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let bytes =
            if bytes.first().is_some_and(|byte| *byte > 0x7f) { [&[0], &bytes[..]].concat() } else { bytes };
        [&[2, bytes.len() as u8], &bytes[..]].concat()
    };
    let mut all = vec![
        ("a byte less", good[..good.len() - 1].to_vec()),
        ("the first byte less", good[1..].to_vec()),
        ("a byte more", [&good[..], &[0]].concat()),
        ("a byte before", [&[0], &good[..]].concat()),
        ("half of it", first.to_vec()),
        ("twice", [&good[..], &good[..]].concat()),
        ("halves swapped", [second, first].concat()),
        ("zeros", vec![0; good.len()]),
        ("ones", vec![0xff; good.len()]),
        ("empty", Vec::new()),
        ("one byte", vec![0]),
        ("reversed", good.iter().rev().copied().collect()),
    ];
    if good.len() == 64 {
        let halves = [integer(first), integer(second)].concat();
        all.push(("in DER", [&[0x30, halves.len() as u8], &halves[..]].concat()));
        all.push(("first half zero", [&[0; 32], second].concat()));
        all.push(("second half zero", [first, &[0; 32]].concat()));
    }
    all
}
