//! Password hashes, compared with those of real tools; see tests/data/htpasswd/README.md.
#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a test may panic")]

use authgate::password::{
    HashError, HashPart, HashScheme, HtpasswdError, HtpasswdErrorKind, MAX_PASSWORD_LEN, PasswordHash,
    Plaintext, parse_htpasswd,
};

const FILES: [(&str, usize); 13] = [
    (include_str!("data/htpasswd/apache-apr1.htpasswd"), 5),
    (include_str!("data/htpasswd/apache-bcrypt.htpasswd"), 6),
    (include_str!("data/htpasswd/apache-sha1.htpasswd"), 5),
    (include_str!("data/htpasswd/apache-sha256crypt.htpasswd"), 10),
    (include_str!("data/htpasswd/apache-sha512crypt.htpasswd"), 10),
    (include_str!("data/htpasswd/mkpasswd-bcrypt.htpasswd"), 10),
    (include_str!("data/htpasswd/mkpasswd-sha256crypt.htpasswd"), 10),
    (include_str!("data/htpasswd/mkpasswd-sha512crypt.htpasswd"), 10),
    (include_str!("data/htpasswd/mkpasswd-yescrypt.htpasswd"), 7),
    (include_str!("data/htpasswd/python-argon2.htpasswd"), 21),
    (include_str!("data/htpasswd/python-scrypt.htpasswd"), 7),
    (include_str!("data/htpasswd/python-ssha.htpasswd"), 7),
    (
        "plain.plain:{PLAIN}Hunter2-hunter2\r\nutf8.plain:{PLAIN}пароль-Straße-🔑\r\ncolon.plain:{PLAIN}a:b c: d\r\n",
        3,
    ),
];

/// Returns the password of a user named `password.variant`, as in make.sh.
fn password_of(user: &str) -> &'static str {
    match user.split('.').next().unwrap() {
        "plain" => "Hunter2-hunter2",
        "utf8" => "пароль-Straße-🔑",
        "colon" => "a:b c: d",
        "empty" => "",
        "long" => "01234567890123456789012345678901234567890123456789012345678901234567890123456789",
        other => panic!("no password is named {other}"),
    }
}

fn parse(text: &str) -> Result<PasswordHash, HashError> {
    PasswordHash::parse(text, Plaintext::Allow)
}

/// Returns every line of the files: user, password, and hash.
fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    FILES.iter().flat_map(|(text, _)| text.lines()).map(|line| {
        let (user, hash) = line.split_once(':').unwrap();
        (user, password_of(user), hash)
    })
}

/// Returns one line of each variant, the first of its kind.
fn variants() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    lines().filter(|(user, ..)| user.starts_with("plain."))
}

#[test]
fn each_hash_takes_its_password_and_no_other() {
    for (text, count) in FILES {
        let entries = parse_htpasswd(text, Plaintext::Allow).unwrap();
        assert_eq!(entries.len(), count);
        for entry in entries {
            let password = password_of(&entry.user).as_bytes();
            let bcrypt = entry.hash.scheme() == HashScheme::Bcrypt;
            let check = |password: &[u8], expected: bool| {
                assert_eq!(entry.hash.verify(password), Ok(expected), "{}: {password:?}", entry.user);
            };
            check(password, true);
            // bcrypt uses only the first 72 bytes of a password.
            let cut = bcrypt && password.len() > 72;
            check(&[password, b"x"].concat(), cut);
            check(&[b"x", password].concat(), false);
            check(&[password, b"\0"].concat(), false);
            check(&[password, b"\0", password].concat(), false);
            check(&[password, b"\n"].concat(), cut);
            check(&[0xff, 0xfe], false);
            check(&[password, &vec![b'x'; MAX_PASSWORD_LEN][..]].concat(), false);
            if let [prefix @ .., _] = password {
                check(prefix, cut);
                check(b"", false);
                check(&password.to_ascii_uppercase(), password.iter().all(u8::is_ascii_digit));
            }
            if let Some(known) = password.get(..72) {
                check(known, bcrypt);
                check(&known[..71], false);
            }
        }
    }
}

#[test]
fn a_password_has_at_most_1024_bytes() {
    let longest = "p".repeat(MAX_PASSWORD_LEN);
    let hash = parse(&format!("{{PLAIN}}{longest}")).unwrap();
    assert!(hash.verify(longest.as_bytes()) == Ok(true));
    // The password matches, but is too long to be checked.
    let longer = "p".repeat(MAX_PASSWORD_LEN + 1);
    assert!(parse(&format!("{{PLAIN}}{longer}")).unwrap().verify(longer.as_bytes()) == Ok(false));
}

#[test]
fn sha_crypt_hashes_no_password_that_is_too_long() {
    let entries =
        parse_htpasswd(include_str!("data/htpasswd/python-shacrypt.htpasswd"), Plaintext::Refuse).unwrap();
    assert_eq!(entries.len(), 6);
    for entry in entries {
        let (len, expected) = match entry.user.split('.').next().unwrap() {
            "bytes128" => (128, true), // at 656,000 rounds
            "bytes129" => (129, false),
            "bytes511" => (511, true),
            "bytes512" => (512, false),
            other => panic!("no password is named {other}"),
        };
        assert_eq!(entry.hash.verify("x".repeat(len).as_bytes()), Ok(expected), "{}", entry.user);
    }
}

#[test]
fn each_hash_tells_what_it_is() {
    let check = |user: &str, scheme: HashScheme, cost: u64, weak: bool| {
        let (.., text) = lines().find(|line| line.0 == user).unwrap();
        let hash = parse(text).unwrap();
        assert_eq!((hash.scheme(), hash.cost()), (scheme, cost), "{user}");
        // MD5-crypt is both: fast to guess, and slow for long passwords.
        let slow = !weak || scheme == HashScheme::Apr1;
        assert_eq!((hash.is_weak(), hash.is_slow()), (weak, slow), "{user}");
        assert_eq!(format!("{hash:?}"), format!("PasswordHash({scheme:?}, ..)"));
    };
    check("plain.2y-4", HashScheme::Bcrypt, 4, false);
    check("plain.2y-5", HashScheme::Bcrypt, 5, false);
    check("plain.2a", HashScheme::Bcrypt, 5, false);
    check("plain.2b", HashScheme::Bcrypt, 5, false);
    check("plain.apr1", HashScheme::Apr1, 1, true);
    check("plain.sha", HashScheme::Sha1, 1, true);
    check("plain.ssha-8", HashScheme::SaltedSha1, 1, true);
    check("plain.plain", HashScheme::Plain, 1, true);
    check("plain.sha256", HashScheme::Sha256Crypt, 5000, false);
    check("plain.5-1234", HashScheme::Sha256Crypt, 1234, false);
    check("plain.sha512-1000", HashScheme::Sha512Crypt, 1000, false);
    check("plain.6", HashScheme::Sha512Crypt, 5000, false);
    check("plain.argon2id-m512-t3-p4-v19", HashScheme::Argon2id, 1536, false);
    check("plain.argon2i-m64-t1-p1-v19", HashScheme::Argon2i, 64, false);
    check("plain.argon2d-m64-t2-p1-v16", HashScheme::Argon2d, 128, false);
    check("plain.scrypt-5-4-3", HashScheme::Scrypt, 384, false);
    check("plain.y-1", HashScheme::Yescrypt, 1024 * 8, false);
    check("plain.y-default", HashScheme::Yescrypt, 4096 * 32, false);
}

#[test]
fn argon2_without_a_version_is_the_first_one() {
    let (_, password, text) = lines().find(|line| line.0 == "plain.argon2i-m64-t2-p1-v16").unwrap();
    assert!(parse(&text.replace("v=16$", "")).unwrap().verify(password.as_bytes()) == Ok(true));
    assert!(parse(&text.replace("v=16$", "v=19$")).unwrap().verify(password.as_bytes()) == Ok(false));
}

#[test]
fn a_hash_that_was_cut_short_takes_nothing() {
    for (user, password, text) in lines() {
        for len in 0..text.len() {
            let Some(cut) = text.get(..len) else { continue };
            let Ok(hash) = parse(cut) else { continue };
            // Formats without a fixed length may parse when cut, but never match the password.
            use HashScheme::{Argon2d, Argon2i, Argon2id, Plain, SaltedSha1};
            let varies = matches!(hash.scheme(), SaltedSha1 | Plain | Argon2id | Argon2i | Argon2d);
            assert!(varies, "{user} cut to {len}: {hash:?}");
            assert!(hash.verify(password.as_bytes()) == Ok(false), "{user} cut to {len}");
            assert!(hash.verify(b"") == Ok(false), "{user} cut to {len}");
        }
    }
}

#[test]
fn a_hash_with_another_character_takes_nothing() {
    for (user, password, text) in variants() {
        let id_len =
            text.find(['}', '$']).map_or(0, |at| text[at + 1..].find('$').map_or(at, |next| at + next + 1));
        for at in id_len + 1..text.len() {
            for character in ["$", ":", "+", "é", "=", ".", "0", "1", "Z", "", "A0"] {
                let changed = [&text[..at], character, &text[at + 1..]].concat();
                let Ok(hash) = parse(&changed) else { continue };
                // Larger costs are tested elsewhere.
                let cheap = hash.scheme() != HashScheme::Bcrypt || hash.cost() < 6;
                if changed != text && cheap && hash.cost() <= 10_000 {
                    assert!(hash.verify(password.as_bytes()) == Ok(false), "{user}: {character:?} at {at}");
                }
            }
        }
    }
}

#[test]
fn nothing_that_is_read_or_checked_panics() {
    // xorshift64: the same random input in each run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let alphabet: Vec<char> = "$$$$,,==./+09aAzZjy{}: \u{0}\n\r#é🔑".chars().collect();
    let texts: Vec<&str> = variants().map(|line| line.2).collect();
    let mut read = 0;
    for _ in 0..100_000 {
        let mut text: Vec<char> = texts[next(texts.len())].chars().collect();
        for _ in 0..next(4) {
            let (at, character) = (next(text.len() + 1), alphabet[next(alphabet.len())]);
            match next(4) {
                0 => text.truncate(at),
                1 if at < text.len() => drop(text.remove(at)),
                2 if at < text.len() => text[at] = character,
                _ => text.insert(at, character),
            }
        }
        let text: String = text.into_iter().collect();
        let password: Vec<u8> = (0..next(1100)).map(|_| u8::try_from(next(256)).unwrap()).collect();
        let _ = parse_htpasswd(&text, Plaintext::Allow);
        let _ = parse_htpasswd(&format!("user:{text}\nuser:{text}"), Plaintext::Refuse);
        if let Ok(hash) = parse(&text) {
            read += 1;
            // Slow hashes are too many to check each time.
            if hash.is_weak() || next(200) == 0 {
                assert!(hash.verify(&password) == Ok(false));
            }
        }
    }
    assert!(read > 1_000, "{read} were read");
}

/// Unusual costs within the bounds, with digests that match no password.
#[test]
fn no_cost_within_the_bounds_panics() {
    let check = |text: String| {
        let hash = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(hash.verify(b"password") == Ok(false) && hash.verify(b"") == Ok(false), "{text}");
    };
    let (salt, digest) = ("A".repeat(11), "A".repeat(43));
    for kind in ["argon2id", "argon2i", "argon2d"] {
        for cost in [
            "m=8,t=1,p=1",
            "m=8,t=50,p=1",
            "m=17,t=2,p=2",
            "m=31,t=3,p=3",
            "m=1000,t=1,p=125",
            "m=1000,t=2,p=7",
        ] {
            check(format!("${kind}${cost}${salt}${digest}"));
            check(format!("${kind}$v=19${cost}${salt}${}", "A".repeat(22)));
            check(format!("${kind}$v=19${cost}${}${}A", "A".repeat(86), "A".repeat(85)));
        }
    }
    check(format!("$argon2id$v=19$m=65536,t=1,p=8192${salt}${digest}"));
    for cost in ["ln=1,r=1,p=1", "ln=1,r=1,p=500", "ln=1,r=1000,p=1", "ln=13,r=1,p=1", "ln=3,r=7,p=9"] {
        check(format!("$scrypt${cost}${salt}${digest}"));
        check(format!("$scrypt${cost}$AA${digest}"));
    }
    check(format!("$scrypt$ln=1,r=8192,p=1${salt}${digest}"));
    check(format!("$scrypt$ln=1,r=1,p=8192${salt}${digest}"));
    check(format!("$scrypt$ln=6,r=8192,p=1${salt}${digest}"));
    let digest = ".".repeat(43);
    for log_n in ["/", "0", "1", "2", "5", "6", "7", "8"] {
        for r in [".", "/", "0", "5", "T", "j"] {
            // N is at least 4: with 2 there is nothing to mix.
            check(format!("$y$j{log_n}{r}$......${digest}"));
            check(format!("$y$j{log_n}{r}$..${digest}"));
        }
    }
    check(format!("$y$j..$..${digest}"));
    check(format!("$6$rounds=1000$.${}", ".".repeat(86)));
    check(format!("$5$rounds=1000$.${digest}"));
}

#[test]
fn every_fault_of_a_hash_is_told() {
    use HashError::*;
    use HashPart::*;
    use HashScheme::*;
    let d43 = "A".repeat(43);
    let bcrypt = |cost: &str| format!("$2y${cost}$RGYh6UbLEnMY2rgHnvzXtOQxCBj6yXFIQIOIzHoJtiatjHvtx3Bte");
    let argon2 = |setting: &str| format!("$argon2id${setting}$AAAAAAAAAAA${d43}");
    let scrypt = |setting: &str| format!("$scrypt${setting}$AAAA${d43}");
    let yescrypt = |setting: &str| format!("$y${setting}$....${}", ".".repeat(43));
    let sha256 = |text: &str| format!("$5${text}${}", ".".repeat(43));
    let check = |text: &str, expected: HashError| {
        let found = PasswordHash::parse(text, Plaintext::Refuse);
        assert_eq!(found.map(|hash| hash.scheme()), Err(expected), "{text}");
        let said = expected.to_string();
        let tail = text.rsplit(['$', '}']).next().unwrap();
        assert!(said.len() > 20 && (tail.len() < 6 || !said.contains(tail)), "{said}");
    };
    check("", Empty);
    check("{PLAIN}secret", PlaintextRefused);
    check("{PLAIN}", PlaintextRefused);
    check("secret", UnknownKind);
    check("$", UnknownKind);
    check("$2y", UnknownKind);
    check("$7$CU..../....$x", UnknownKind);
    check("$gy$j9T$x$y", UnknownKind);
    check("$pbkdf2-sha256$1$x$y", UnknownKind);
    check("{sha}QvoCCCEGLlKGYQQE6pPn95YR1+E=", UnknownKind);
    check("_Gl/.K0Ay.aosctsbJ1k", UnknownKind);
    check("aZGJuE6EXrjEE", DesCrypt);
    check("$1$5pZSV9va$azfrPr6af3Fc7dLblQXVa0", Md5Crypt);
    check("$2x$04$RGYh6UbLEnMY2rgHnvzXtOQxCBj6yXFIQIOIzHoJtiatjHvtx3Bte", OldBcrypt);
    check("$2$04$RGYh6UbLEnMY2rgHnvzXtOQxCBj6yXFIQIOIzHoJtiatjHvtx3Bte", OldBcrypt);
    check("$$2y$$04$$RGYh6UbLEnMY2rgHnvzXtOQxCBj6yXFIQIOIzHoJtiatjHvtx3Bte", DoubledDollar);
    check(&format!("{} ", bcrypt("04")), ForeignCharacter);
    check(&bcrypt("04").replace('O', "Ö"), ForeignCharacter);

    check(&bcrypt("03"), TooCheap(Bcrypt));
    check(&bcrypt("13"), TooSlow(Bcrypt));
    check(&bcrypt("99"), TooSlow(Bcrypt));
    check(&bcrypt("+5"), Malformed(Bcrypt, Parameters));
    check(&bcrypt("5"), Malformed(Bcrypt, Parameters));
    check(&bcrypt("010"), Malformed(Bcrypt, Parameters));
    check("$2y$10", Malformed(Bcrypt, Layout));
    check("$2y$10$RGYh6UbLEnMY2rgHnvzXt", Malformed(Bcrypt, Salt));
    check(&bcrypt("04").replace("vzXtO", "vzXtP"), Malformed(Bcrypt, Salt)); // stray bits
    check(&bcrypt("04").replace("3Bte", "3Btf"), Malformed(Bcrypt, Digest)); // stray bits
    check(&bcrypt("04").replace("3Bte", "3Bt"), Malformed(Bcrypt, Digest));
    check(&format!("{}e", bcrypt("04")), Malformed(Bcrypt, Digest));
    check(&format!("{}:", bcrypt("04")), Malformed(Bcrypt, Digest));

    check("$apr1$/a/vCDmh", Malformed(Apr1, Layout));
    check("$apr1$$C7EkQA8SvWrTAjaJ49X9O/", Malformed(Apr1, Salt));
    check("$apr1$/a/vCDmh9$C7EkQA8SvWrTAjaJ49X9O/", Malformed(Apr1, Salt));
    check("$apr1$/a/v!Dmh$C7EkQA8SvWrTAjaJ49X9O/", Malformed(Apr1, Salt));
    check("$apr1$/a/vCDmh$C7EkQA8SvWrTAjaJ49X9O", Malformed(Apr1, Digest));
    check("$apr1$/a/vCDmh$C7EkQA8SvWrTAjaJ49X9/", Malformed(Apr1, Digest));
    check("$apr1$/a/vCDmh$C7EkQA8SvWrTAjaJ49X9O2", Malformed(Apr1, Digest)); // stray bits
    check("$apr1$/a/vCDmh$C7EkQA8SvWrTAjaJ49X9$/", Malformed(Apr1, Digest));

    check("{SHA}", Malformed(Sha1, Digest));
    check("{SHA}QvoCCCEGLlKGYQQE6pPn95YR1+E", Malformed(Sha1, Digest));
    check("{SHA}QvoCCCEGLlKGYQQE6pPn95YR1+F=", Malformed(Sha1, Digest)); // stray bits
    check("{SHA}I7yf3snRH4nzQ9uz+lWjIyIXRa72PmdM", Malformed(Sha1, Digest));
    check("{SSHA}", Malformed(SaltedSha1, Digest));
    check("{SSHA}QvoCCCEGLlKGYQQE6pPn95YR1+E=", Malformed(SaltedSha1, Salt));
    check("{SSHA}QvoCCCEGLlKGYQQE6pPn", Malformed(SaltedSha1, Digest));
    check(&format!("{{SSHA}}{}", "A".repeat(116)), Malformed(SaltedSha1, Salt));

    check(&sha256("rounds=999$salt"), TooCheap(Sha256Crypt));
    check(&sha256("rounds=0$salt"), TooCheap(Sha256Crypt));
    check(&sha256("rounds=656001$salt"), TooSlow(Sha256Crypt));
    check(&sha256("rounds=05000$salt"), Malformed(Sha256Crypt, Parameters));
    check(&sha256("rounds=$salt"), Malformed(Sha256Crypt, Parameters));
    check(&sha256("rounds=99999999999$salt"), Malformed(Sha256Crypt, Parameters));
    check(&sha256("rounds=5000"), Malformed(Sha256Crypt, Layout));
    check(&sha256("x$salt"), Malformed(Sha256Crypt, Layout));
    check(&sha256(""), Malformed(Sha256Crypt, Salt));
    check(&sha256("12345678901234567"), Malformed(Sha256Crypt, Salt));
    check(&sha256("sa,t"), Malformed(Sha256Crypt, Salt));
    check(&format!("{}.", sha256("salt")), Malformed(Sha256Crypt, Digest));
    check(&format!("$5$salt${}z", ".".repeat(42)), Malformed(Sha256Crypt, Digest)); // stray bits
    check(&format!("$6$salt${}", ".".repeat(43)), Malformed(Sha512Crypt, Digest));
    check(&format!("$6$salt${}z", ".".repeat(85)), Malformed(Sha512Crypt, Digest)); // stray bits
    check("$6$salt", Malformed(Sha512Crypt, Layout));

    check(&argon2("v=19$m=65537,t=1,p=1"), TooLarge(Argon2id));
    check(&argon2("v=19$m=4294967295,t=4294967295,p=1"), TooLarge(Argon2id));
    check(&argon2("v=19$m=65536,t=5,p=1"), TooSlow(Argon2id));
    check(&argon2("v=19$m=8,t=32769,p=1"), TooSlow(Argon2id));
    check(&argon2("v=19$m=7,t=1,p=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=15,t=1,p=2"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=64,t=0,p=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=64,t=1,p=0"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=64,t=1,p=16777215"), Malformed(Argon2id, Parameters));
    check(&argon2("v=18$m=64,t=1,p=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$t=1,m=64,p=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=64,t=1,p=1,data=AAAA"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=064,t=1,p=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=+64,t=1,p=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$m=64,t=1"), Malformed(Argon2id, Parameters));
    check(&argon2("v=19$x$m=64,t=1,p=1"), Malformed(Argon2id, Layout));
    check("$argon2id$v=19", Malformed(Argon2id, Layout));
    check("$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAA", Malformed(Argon2i, Layout));
    check(&format!("$argon2d$v=19$m=64,t=1,p=1$AAAAAAAAA${d43}"), Malformed(Argon2d, Salt));
    check(&format!("$argon2d$v=19$m=64,t=1,p=1$AAAAAAAAAAB${d43}"), Malformed(Argon2d, Salt)); // stray bits
    check("$argon2d$v=19$m=64,t=1,p=1$AAAAAAAAAAA$", Malformed(Argon2d, Digest));
    check(&format!("$argon2d$v=19$m=64,t=1,p=1$AAAAAAAAAAA${d43}="), Malformed(Argon2d, Digest));

    check(&scrypt("ln=17,r=8,p=1"), TooLarge(Scrypt));
    check(&scrypt("ln=63,r=4294967295,p=1"), TooLarge(Scrypt));
    check(&scrypt("ln=16,r=8,p=3"), TooSlow(Scrypt));
    check(&scrypt("ln=8,r=1,p=8192"), TooSlow(Scrypt));
    check(&scrypt("ln=1,r=1,p=8193"), TooLarge(Scrypt));
    check(&scrypt("ln=1,r=65536,p=65536"), TooLarge(Scrypt));
    check(&scrypt("ln=1,r=4294967295,p=4294967295"), TooLarge(Scrypt));
    check(&scrypt("ln=64,r=1,p=1"), Malformed(Scrypt, Parameters));
    check(&scrypt("ln=0,r=1,p=1"), Malformed(Scrypt, Parameters));
    check(&scrypt("ln=4,r=0,p=1"), Malformed(Scrypt, Parameters));
    check(&scrypt("ln=4,r=8,p=0"), Malformed(Scrypt, Parameters));
    check(&scrypt("ln=4,r=8"), Malformed(Scrypt, Parameters));
    check(&scrypt("v=1$ln=4,r=8,p=1"), Malformed(Scrypt, Layout));
    check(&format!("$scrypt$ln=4,r=8,p=1$${d43}"), Malformed(Scrypt, Salt));
    check("$scrypt$ln=4,r=8,p=1$AAAA$AAAA", Malformed(Scrypt, Digest));
    check(&format!("$scrypt$ln=4,r=8,p=1$AAAA${d43}{d43}"), Malformed(Scrypt, Digest));

    check(&yescrypt("jCT"), TooLarge(Yescrypt));
    check(&yescrypt("jjj"), TooLarge(Yescrypt));
    check(&yescrypt("j9T."), Malformed(Yescrypt, Parameters));
    check(&yescrypt("j9"), Malformed(Yescrypt, Parameters));
    check(&yescrypt("jz9"), Malformed(Yescrypt, Parameters));
    check(&yescrypt("j9z"), Malformed(Yescrypt, Parameters));
    check(&yescrypt(".9T"), Malformed(Yescrypt, Parameters));
    check(&yescrypt(""), Malformed(Yescrypt, Parameters));
    check("$y$j9T$....", Malformed(Yescrypt, Layout));
    check(&format!("$y$j9T$.${}", ".".repeat(43)), Malformed(Yescrypt, Salt));
    check(&format!("$y$j9T$${}", ".".repeat(43)), Malformed(Yescrypt, Salt));
    check(&format!("$y$j9T$....${}", ".".repeat(42)), Malformed(Yescrypt, Digest));
    check(&format!("$y$j9T$....${}z", ".".repeat(42)), Malformed(Yescrypt, Digest)); // stray bits
}

#[test]
fn costs_at_the_bounds_are_read() {
    let (d43, salt) = ("A".repeat(43), "A".repeat(11));
    let check = |text: &str, cost: u64| assert_eq!(parse(text).map(|hash| hash.cost()), Ok(cost), "{text}");
    check("$2y$12$RGYh6UbLEnMY2rgHnvzXtOQxCBj6yXFIQIOIzHoJtiatjHvtx3Bte", 12);
    // Costs that argon2-cffi, PHP and OWASP's cheat sheet use.
    check(&format!("$argon2id$v=19$m=65536,t=3,p=4${salt}${d43}"), 196_608);
    check(&format!("$argon2id$v=19$m=65536,t=4,p=1${salt}${d43}"), 262_144);
    check(&format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${d43}"), 38_912);
    // Costs that passlib and OWASP's cheat sheet use.
    check(&format!("$scrypt$ln=16,r=8,p=1${salt}${d43}"), 524_288);
    check(&format!("$scrypt$ln=16,r=8,p=2${salt}${d43}"), 1_048_576);
    check(&format!("$scrypt$ln=13,r=8,p=10${salt}${d43}"), 655_360);
    check(&format!("$y$jBT$....${}", ".".repeat(43)), 524_288);
    check(&format!("$5$rounds=656000$salt${}", ".".repeat(43)), 656_000);
    check(&format!("$6$rounds=656000$salt${}", ".".repeat(86)), 656_000);
}

#[test]
fn a_file_is_read_line_by_line_and_its_errors_told_together() {
    let read = |text: &str| -> Result<Vec<(usize, String)>, Vec<HtpasswdError>> {
        let entries = parse_htpasswd(text, Plaintext::Refuse)?;
        Ok(entries.into_iter().map(|entry| (entry.line, entry.user)).collect())
    };
    const HASH: &str = "{SHA}QvoCCCEGLlKGYQQE6pPn95YR1+E=";
    let entries = |text: &str, expected: &[(usize, &str)]| {
        let expected = expected.iter().map(|(line, user)| (*line, (*user).to_owned())).collect();
        assert_eq!(read(&text.replace("HASH", HASH)), Ok(expected), "{text:?}");
    };
    entries("", &[]);
    entries("# nobody yet\n \t\n\n", &[]);
    entries("a:HASH", &[(1, "a")]);
    entries("\u{feff}a:HASH\n", &[(1, "a")]);
    entries("#c\r\n\r\na:HASH\r\nA:HASH\r\n#b:HASH\r\nb c:HASH\r", &[(3, "a"), (4, "A"), (6, "b c")]);
    entries("Zoë:HASH\na#:HASH", &[(1, "Zoë"), (2, "a#")]);

    let errors = |text: &str, expected: &[(usize, HtpasswdErrorKind)]| {
        let expected: Vec<_> =
            expected.iter().map(|(line, kind)| HtpasswdError { line: *line, kind: *kind }).collect();
        let found = read(&text.replace("HASH", HASH)).unwrap_err();
        assert_eq!(found, expected, "{text:?}");
        for error in found {
            let said = error.to_string();
            assert!(said.starts_with(&format!("line {}: ", error.line)) && !said.contains("QvoC"), "{said}");
        }
    };
    use HtpasswdErrorKind::*;
    errors("a", &[(1, NoColon)]);
    errors("\u{feff}\u{feff}", &[(1, NoColon)]);
    errors("a:HASH\n:HASH\n", &[(2, EmptyUser)]);
    errors(" a:HASH", &[(1, Indented)]);
    errors("  # a: b", &[(1, Indented)]);
    errors(
        "a\tb:HASH\nc\u{85}:HASH\nd\0:HASH\ne\u{7f}:HASH\nf\r:HASH",
        &[
            (1, ControlCharacter),
            (2, ControlCharacter),
            (3, ControlCharacter),
            (4, ControlCharacter),
            (5, ControlCharacter),
        ],
    );
    errors(
        "a:HASH\n\na:{PLAIN}x\nb:\nb:HASH\n",
        &[(3, DuplicateUser { first: 1 }), (4, Hash(HashError::Empty)), (5, DuplicateUser { first: 4 })],
    );
    errors("a:HASH \n", &[(1, Hash(HashError::ForeignCharacter))]);
    errors("a:HASH\r\r\n", &[(1, Hash(HashError::ForeignCharacter))]);
    errors("a: HASH\n", &[(1, Hash(HashError::ForeignCharacter))]);
    errors("a:{PLAIN}secret\nb", &[(1, Hash(HashError::PlaintextRefused)), (2, NoColon)]);
    assert_eq!(parse("{PLAIN}").map(|hash| hash.scheme()), Err(HashError::Empty));
}
