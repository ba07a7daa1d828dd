//! Basic credentials: valid ones, and valid ones with a single change.

use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE, Engine as _};
use sha1::{Digest as _, Sha1};

use super::random::Random;
use super::{Case, fields};

const USERS: [(&str, &str); 5] = [
    ("alice", "wonderland"),
    ("bob", "looking:glass:"),
    ("carol jones", "pass word ~?>"),
    ("dora", "p\u{e4}ss\u{1f511}"),
    ("e", "\u{3c0}\u{3c0}\u{3c0}???>>>"),
];

/// Returns an htpasswd file in the format that `basic_auth` supports.
pub fn users() -> String {
    let line =
        |(user, password): (&str, &str)| format!("{user}:{{SHA}}{}\n", BASE64.encode(Sha1::digest(password)));
    USERS.map(line).concat()
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut random = Random::new(20);
    for (user, password) in USERS {
        let mut add = |mutation: &str, content: &str| {
            cases.push(Case::new(format!("Basic: {mutation}"), format!("Basic {content}")));
        };
        let good = format!("{user}:{password}");
        for (what, bytes) in bytes(user, password) {
            add(what, &BASE64.encode(bytes));
        }
        for (what, text) in encodings(&BASE64.encode(&good)) {
            add(what, &text);
        }
        for _ in 0..60 {
            let mut bytes = good.clone().into_bytes();
            let bit = random.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            add("a bit flipped", &BASE64.encode(bytes));
        }
        for byte in 0..=0xff {
            let mut inserted = good.clone().into_bytes();
            inserted.insert(random.below(good.len() + 1), byte);
            add("a byte inserted", &BASE64.encode(inserted));
        }
        for _ in 0..60 {
            let length = random.below(40);
            let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            add("bytes at random", &BASE64.encode(bytes));
        }
    }
    let content = |text: &str| BASE64.encode(text);
    cases.extend(fields::around("Basic", &content("alice:wonderland"), &content("alice:wrong")));
    cases
}

/// Variants of the text that is encoded.
fn bytes(user: &str, password: &str) -> Vec<(&'static str, Vec<u8>)> {
    let text = |what, text: String| (what, text.into_bytes());
    let last = password.chars().last().unwrap().len_utf8();
    let mut all = vec![
        text("as it should be", format!("{user}:{password}")),
        text("no colon", user.to_owned()),
        text("no user", format!(":{password}")),
        text("no password", format!("{user}:")),
        text("a colon alone", ":".to_owned()),
        text("nothing", String::new()),
        text("two colons", format!("{user}::{password}")),
        text("a colon before", format!(":{user}:{password}")),
        text("a colon after", format!("{user}:{password}:")),
        text("a semicolon", format!("{user};{password}")),
        text("a wrong password", format!("{user}:wrong")),
        text("the last letter less", format!("{user}:{}", &password[..password.len() - last])),
        text("a letter more", format!("{user}:{password}x")),
        text("the hash for the password", format!("{user}:{}", BASE64.encode(Sha1::digest(password)))),
        text("the whole entry", format!("{user}:{{SHA}}{}", BASE64.encode(Sha1::digest(password)))),
        text("another user's password", format!("{user}:swordfish")),
        text("an unknown user", format!("mallory:{password}")),
        text("a user in upper case", format!("{}:{password}", user.to_uppercase())),
        text("a password in upper case", format!("{user}:{}", password.to_uppercase())),
        text("a space before the user", format!(" {user}:{password}")),
        text("a space after the user", format!("{user} :{password}")),
        text("a space before the password", format!("{user}: {password}")),
        text("a space after the password", format!("{user}:{password} ")),
        text("a line feed after it", format!("{user}:{password}\n")),
        text("a carriage return and a line feed after it", format!("{user}:{password}\r\n")),
        text("another line after it", format!("{user}:{password}\nalice:wonderland")),
        text("a byte order mark", format!("\u{feff}{user}:{password}")),
        text("a control character in the user", format!("{user}\u{7}:{password}")),
        text("DEL in the user", format!("{user}\u{7f}:{password}")),
        text("a control character in the password", format!("{user}:{password}\u{7}")),
        text("NUL before it", format!("\0{user}:{password}")),
        text("NUL after the user", format!("{user}\0:{password}")),
        text("NUL before the password", format!("{user}:\0{password}")),
        text("NUL after the password", format!("{user}:{password}\0")),
        text("NUL and more after the password", format!("{user}:{password}\0x")),
        text("percent escapes", format!("{user}:{password}").replace('a', "%61")),
        text("a long password", format!("{user}:{}", password.repeat(200))),
        text("a long user", format!("{}:{password}", user.repeat(500))),
    ];
    let utf16: Vec<u8> = format!("{user}:{password}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    all.push(("UTF-16", utf16));
    all.push((
        "a byte that is no UTF-8 in the user",
        [user.as_bytes(), b"\xff:", password.as_bytes()].concat(),
    ));
    all.push((
        "a byte that is no UTF-8 in the password",
        [user.as_bytes(), b":", password.as_bytes(), b"\xff"].concat(),
    ));
    if !password.is_ascii() {
        let latin1 = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
        all.push(("Latin-1", format!("{user}:{password}").chars().map(latin1).collect()));
    }
    all
}

/// Other base64 encodings of the same bytes.
fn encodings(good: &str) -> Vec<(&'static str, String)> {
    let bytes = BASE64.decode(good).unwrap();
    let bare = good.trim_end_matches('=');
    let middle = good.len() / 2 / 4 * 4;
    let insert = |text: &str| format!("{}{text}{}", &good[..middle], &good[middle..]);
    let mut all = vec![
        ("four equals signs more", format!("{good}====")),
        ("an equals sign within", insert("=")),
        ("four equals signs within", insert("====")),
        ("an equals sign before", format!("={good}")),
        ("a letter of base64 more", format!("{good}A")),
        ("a letter of base64 less", bare[..bare.len() - 1].to_owned()),
        ("four letters of base64 after it", format!("{good}AAAA")),
        ("four letters after a space", format!("{good} AAAA")),
        ("a space in the base64", insert(" ")),
        ("a tab in the base64", insert("\t")),
        ("an exclamation mark in the base64", insert("!")),
        ("a byte that is not ASCII in the base64", insert("é")),
        ("a dot in the base64", insert(".")),
        ("a comma in the base64", insert(",")),
        ("a percent escape in the base64", format!("%{:02X}{}", good.as_bytes()[0], &good[1..])),
        ("no base64", String::from_utf8_lossy(&bytes).into_owned()),
        ("base64 twice", BASE64.encode(good)),
        ("base64 in hexadecimal", bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    ];
    let more = ["an equals sign", "an equals sign after one", "an equals sign after two"];
    all.push((more[good.len() - bare.len()], format!("{good}=")));
    if bare != good {
        all.push(("no padding", bare.to_owned()));
        all.push(("padding as percent escapes", good.replace('=', "%3D")));
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let last = alphabet.find(bare.chars().last().unwrap()).unwrap();
        let padding = &good[bare.len()..];
        for stray in 1..(if padding.len() == 2 { 16 } else { 4 }) {
            let letter = &alphabet[last + stray..=last + stray];
            all.push(("stray bits at the end", format!("{}{letter}{padding}", &bare[..bare.len() - 1])));
        }
        all.push(("more after the padding", format!("{good}{good}")));
    }
    if padding_of_two(good) {
        all.push(("half of the padding", good[..good.len() - 1].to_owned()));
    }
    if good.contains(['+', '/']) {
        all.push(("the URL alphabet", BASE64_URL_SAFE.encode(&bytes)));
    }
    all
}

fn padding_of_two(good: &str) -> bool {
    good.ends_with("==")
}
