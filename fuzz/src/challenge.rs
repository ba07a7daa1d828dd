//! Challenges, parsed by an independent parser.

use authgate::http::challenge::{Challenge, Realm};

pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\n');
    let (realm, description, scope) = (parts.next(), parts.next(), parts.next());
    let (realm, description, scope) =
        (realm.unwrap_or_default(), description.unwrap_or_default(), scope.unwrap_or_default());
    let plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match Realm::new(realm) {
        Err(_) => assert!(realm.is_empty() || !plain(realm), "refused: {realm:?}"),
        Ok(realm) => {
            let mut challenge = Challenge::new("Bearer", &realm).with_token("stale", "true");
            let mut expected = vec![("realm", realm.as_str()), ("stale", "true")];
            for (name, value) in [("error_description", description), ("scope", scope)] {
                // All other values in challenges are constants, or were checked when they were configured.
                if plain(value) {
                    challenge = challenge.with(name, value);
                    expected.push((name, value));
                }
            }
            let field = challenge.to_string();
            assert!(plain(&field), "not visible ASCII: {field:?}");
            let read = http_auth::parse_challenges(&field).expect("our challenge is by the grammar");
            let [read] = read.as_slice() else { panic!("{} challenges in {field}", read.len()) };
            assert_eq!(read.scheme, "Bearer");
            let found: Vec<_> =
                read.params.iter().map(|(name, value)| (*name, value.to_unescaped())).collect();
            let expected: Vec<_> =
                expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
            assert_eq!(found, expected, "{field}");
        }
    }
}
