use super::two_generation::OVERHEAD;
use super::*;
use crate::jose::claims::Claims;

fn at(seconds: f64) -> NumericDate {
    NumericDate::from_seconds(seconds).unwrap()
}

fn principal(subject: &str) -> Rc<Principal> {
    Rc::new(Principal {
        subject: subject.to_owned(),
        issuer: None,
        scopes: Vec::new(),
        claims: Claims::default(),
    })
}

fn memory(max_entries: usize, max_bytes: usize) -> CredentialCache {
    CredentialCache::new([7; 16], Limits { max_entries, max_bytes, ttl: 100.0, ..Limits::default() })
}

fn remember(memory: &mut CredentialCache, name: &str, now: f64, valid_until: Option<f64>) {
    let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, name.as_bytes());
    memory.remember_held(cache_key, &principal(name), at(now), valid_until.map(at), None);
}

fn recall(memory: &mut CredentialCache, name: &str, now: f64) -> Option<String> {
    let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, name.as_bytes());
    memory.held(cache_key, at(now)).map(|principal| principal.subject.clone())
}

#[test]
fn nothing_counts_longer_than_its_time() {
    let mut memory = memory(8, 1 << 20);
    remember(&mut memory, "ttl", 1000.0, None);
    remember(&mut memory, "short", 1000.0, Some(1010.5));
    remember(&mut memory, "long", 1000.0, Some(5000.0));
    for (name, last) in [("ttl", 1100.0), ("short", 1010.5), ("long", 1100.0)] {
        assert_eq!(recall(&mut memory, name, last - 0.25).as_deref(), Some(name));
        assert_eq!(recall(&mut memory, name, last), None, "{name}");
    }
}

#[test]
fn an_outcome_belongs_to_its_authenticator_and_key() {
    let memory_a = memory(8, 1 << 20);
    let memory_b = CredentialCache::new([8; 16], Limits::default());
    let cache_key = memory_a.cache_key(AuthenticatorId::new(0), 0, b"token");
    assert!(cache_key == memory_a.cache_key(AuthenticatorId::new(0), 0, b"token"));
    assert!(cache_key != memory_a.cache_key(AuthenticatorId::new(1), 0, b"token"));
    assert!(cache_key != memory_a.cache_key(AuthenticatorId::new(0), 1, b"token"));
    assert!(cache_key != memory_a.cache_key(AuthenticatorId::new(0), 0, b"tokem"));
    assert!(cache_key != memory_b.cache_key(AuthenticatorId::new(0), 0, b"token"));
}

#[test]
fn entries_are_bounded_and_what_is_in_use_stays() {
    let mut memory = memory(100, 1 << 20);
    remember(&mut memory, "used", 1000.0, None);
    for n in 0..10_000 {
        remember(&mut memory, &n.to_string(), 1000.0, None);
        if n % 10 == 0 {
            assert!(recall(&mut memory, "used", 1001.0).is_some(), "after {n}");
        }
    }
    assert!(memory.held.count() <= 100);
    assert_eq!(recall(&mut memory, "0", 1001.0), None);
    assert!(recall(&mut memory, "9999", 1001.0).is_some());
}

#[test]
fn octets_are_bounded() {
    let mut memory = memory(1_000_000, 100_000);
    for n in 0..1_000 {
        remember(&mut memory, &format!("{n}{}", "x".repeat(1000)), 1000.0, None);
    }
    let kept = memory.held.count();
    assert!((10..100).contains(&kept), "{kept}");
    let huge = "x".repeat(200_000);
    remember(&mut memory, &huge, 1000.0, None);
    assert_eq!(recall(&mut memory, &huge, 1000.0), None);
}

#[test]
fn failures_take_no_place_from_successes() {
    let mut memory = memory(10, 1 << 20);
    remember(&mut memory, "good", 1000.0, None);
    for n in 0..1_000 {
        let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, format!("bad{n}").as_bytes());
        memory.remember_failed(cache_key, at(1000.0));
        assert!(n > 0 || memory.failed(cache_key, at(1000.0)));
    }
    assert!(recall(&mut memory, "good", 1000.0).is_some());
    let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, b"good");
    assert!(!memory.failed(cache_key, at(1000.0)));
}

#[test]
fn credentials_are_forgotten_and_what_must_not_be_used_twice_is_not() {
    let mut memory = memory(10, 1 << 20);
    remember(&mut memory, "good", 1000.0, None);
    let bad = memory.cache_key(AuthenticatorId::new(0), 0, b"bad");
    memory.remember_failed(bad, at(1000.0));
    assert!(memory.nonces().take(7, at(1000.0), 1));
    memory.forget_credentials();
    assert_eq!(recall(&mut memory, "good", 1000.0), None);
    assert!(!memory.failed(bad, at(1000.0)));
    assert!(!memory.nonces().take(7, at(1000.0), 1));
    remember(&mut memory, "good", 1000.0, None);
    assert!(recall(&mut memory, "good", 1000.0).is_some());
}

/// A cache with "secret", which `a` presented at 1000 and which is valid until 1250.
fn secret_of(a: SourceId) -> (CredentialCache, CacheKey) {
    let mut memory = memory(100, 1 << 20);
    let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, b"secret");
    memory.remember_held(cache_key, &principal("secret"), at(1000.0), Some(at(1250.0)), Some(a));
    (memory, cache_key)
}

fn sources() -> [SourceId; 6] {
    [1, 2, 3, 4, 5, 6].map(|n| SourceId::of(&[7; 16], Some(IpAddr::from([192, 0, 2, n]))))
}

#[test]
fn a_refused_source_finds_a_secret_only_if_it_presented_it_before() {
    let [a, b, ..] = sources();
    let (mut memory, cache_key) = secret_of(a);
    let mut check = |source, is_refused, expected: bool| {
        assert_eq!(memory.recall(cache_key, at(1001.0), source, is_refused).is_some(), expected);
    };
    check(Some(a), true, true);
    check(Some(b), true, false);
    check(None, true, false);
    check(Some(b), true, false);
    check(None, false, true);
    check(Some(b), true, false);
    check(Some(b), false, true);
    check(Some(b), true, true);
    check(Some(a), true, true);
}

#[test]
fn a_right_guess_of_a_refused_source_leaves_no_trace() {
    let [a, b, ..] = sources();
    let (mut memory, cache_key) = secret_of(a);
    for _ in 0..10 {
        assert!(memory.recall(cache_key, at(1099.0), Some(b), true).is_none());
    }
    assert_eq!(memory.lookups(), Lookups::default());
    // The lifetime is not renewed, and the entry does not count as used, so it is evicted when the room is needed.
    assert!(memory.recall(cache_key, at(1100.0), Some(a), true).is_none());
    let (mut memory, cache_key) = secret_of(a);
    for n in 0..100 {
        remember(&mut memory, &n.to_string(), 1000.0, None);
        assert!(memory.recall(cache_key, at(1001.0), Some(b), true).is_none());
    }
    assert!(memory.recall(cache_key, at(1001.0), Some(a), true).is_none());
}

#[test]
fn the_source_that_has_not_presented_a_secret_for_longest_is_replaced() {
    let [a, b, c, d, e, f] = sources();
    let (mut memory, cache_key) = secret_of(a);
    for source in [b, c, d, a, a, e, f] {
        assert!(memory.recall(cache_key, at(1001.0), Some(source), false).is_some());
    }
    let known = sources().map(|source| memory.recall(cache_key, at(1001.0), Some(source), true).is_some());
    assert_eq!(known, [true, false, false, true, true, true]);
}

#[test]
fn a_secret_in_use_is_remembered_until_it_ends_by_itself() {
    let [a, ..] = sources();
    let (mut memory, cache_key) = secret_of(a);
    for (now, expected) in [(1090.0, true), (1180.0, true), (1249.0, true), (1250.0, false)] {
        assert_eq!(memory.recall(cache_key, at(now), None, false).is_some(), expected, "{now}");
    }
    let (mut memory, cache_key) = secret_of(a);
    assert!(memory.recall(cache_key, at(1100.0), None, false).is_none(), "without use");
    // A token is never renewed, since it may have been revoked in the meantime.
    let (mut memory, cache_key) = secret_of(a);
    assert!(memory.held(cache_key, at(1090.0)).is_some());
    assert!(memory.held(cache_key, at(1100.0)).is_none());
}

#[test]
fn a_source_is_asked_for_once_a_second() {
    let [a, ..] = sources();
    let (mut memory, cache_key) = secret_of(a);
    let mut check = |now: f64, expected: bool| {
        assert_eq!(memory.wants_source(cache_key, at(now)), expected, "{now}");
        let source = expected.then_some(a);
        assert!(memory.recall(cache_key, at(now), source, false).is_some(), "{now}");
    };
    check(1000.5, false);
    check(1001.0, true);
    check(1001.5, false);
    check(1002.0, true);
    // A clock that is set back.
    check(1000.0, true);
    let other = memory.cache_key(AuthenticatorId::new(0), 0, b"other");
    assert!(!memory.wants_source(other, at(1002.0)));
}

#[test]
fn no_room_remembers_nothing() {
    for (entries, bytes) in [(0, 1 << 20), (10, 0), (10, 100)] {
        let mut memory = memory(entries, bytes);
        remember(&mut memory, "a", 1000.0, None);
        assert_eq!(recall(&mut memory, "a", 1000.0), None, "{entries} {bytes}");
    }
    let mut memory = memory(1, 1 << 20);
    remember(&mut memory, "a", 1000.0, None);
    remember(&mut memory, "b", 1000.0, None);
    assert_eq!(recall(&mut memory, "a", 1000.0), None);
    assert!(recall(&mut memory, "b", 1000.0).is_some());
}

/// An entry in the old generation expires like any other.
#[test]
fn what_is_old_is_forgotten_in_time_too() {
    let mut memory = memory(8, 1 << 20);
    let in_old = |memory: &mut CredentialCache, name: &str| {
        remember(memory, name, 1000.0, Some(1010.0));
        for n in 0..4 {
            remember(memory, &n.to_string(), 1000.0, None);
        }
    };
    in_old(&mut memory, "a");
    assert_eq!(recall(&mut memory, "a", 1010.0), None);
    in_old(&mut memory, "b");
    assert_eq!(recall(&mut memory, "b", 1009.75).as_deref(), Some("b"));
    let mut store = TwoGenerationCache::new(8, 1 << 20);
    let cache_key = |n: u128| CacheKey(n);
    for n in 0..5 {
        store.insert(cache_key(n), Entry { value: n, since: at(1000.0), until: at(1010.0), bytes: 0 });
    }
    for n in [0, 4] {
        assert_eq!(store.peek(cache_key(n), at(1010.0)), None);
        assert_eq!(store.peek(cache_key(n), at(1009.75)), Some(&n));
    }
    assert_eq!(store.take(cache_key(0), at(1010.0)), None);
    assert_eq!(store.take(cache_key(1), at(1009.75)), Some(1));
    assert_eq!(store.take(cache_key(4), at(1010.0)), None);
}

/// An entry that is taken is gone, even if it was inserted again after it had become old.
#[test]
fn a_slot_is_in_one_generation() {
    let mut store = TwoGenerationCache::new(8, 1 << 20);
    let entry = |value: u128| Entry { value, since: at(1000.0), until: at(1010.0), bytes: 0 };
    for n in (0..5).chain([0]) {
        store.insert(CacheKey(n), entry(n));
    }
    assert_eq!(store.count(), 5);
    assert_eq!(store.take(CacheKey(0), at(1001.0)), Some(0));
    assert_eq!(store.find(CacheKey(0), at(1001.0)), None);
}

/// A clock that is set back must not make a password or a token count for longer than its time.
#[test]
fn nothing_counts_before_it_was_remembered() {
    for others in [0, 4] {
        let mut memory = memory(8, 1 << 20);
        remember(&mut memory, "a", 5000.0, None);
        let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, b"bad");
        memory.remember_failed(cache_key, at(5000.0));
        for n in 0..others {
            remember(&mut memory, &n.to_string(), 5000.0, None);
        }
        assert_eq!(recall(&mut memory, "a", 4999.75), None);
        assert!(!memory.failed(cache_key, at(4999.75)));
    }
}

/// Anybody can compute digests under a key that is all zeros.
#[test]
fn without_randomness_nothing_is_remembered() {
    let mut memory = CredentialCache::without_key(Limits::default());
    remember(&mut memory, "a", 1000.0, None);
    assert_eq!(recall(&mut memory, "a", 1000.0), None);
    let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, b"bad");
    memory.remember_failed(cache_key, at(1000.0));
    assert!(!memory.failed(cache_key, at(1000.0)));
    assert!(memory.nonces().key().is_none());
}

/// Metrics show the numbers of lookups.
#[test]
fn lookups_are_counted() {
    let mut memory = memory(8, 1 << 20);
    remember(&mut memory, "good", 1000.0, None);
    let cache_key =
        |memory: &CredentialCache, name: &str| memory.cache_key(AuthenticatorId::new(0), 0, name.as_bytes());
    let (good, bad) = (cache_key(&memory, "good"), cache_key(&memory, "bad"));
    memory.remember_failed(bad, at(1000.0));
    memory.held(good, at(1001.0)).unwrap();
    memory.recall(good, at(1001.0), None, false).unwrap();
    memory.recall(good, at(1001.0), None, false).unwrap();
    assert!(memory.held(bad, at(1001.0)).is_none() && !memory.failed(good, at(1001.0)));
    for _ in 0..4 {
        assert!(memory.failed(bad, at(1001.0)));
    }
    for _ in 0..2 {
        memory.note_miss();
    }
    assert_eq!(memory.lookups(), Lookups { hits: 3, wrong_hits: 4, misses: 2 });
}

/// Failures use at most a quarter of the entries and bytes, in addition to those of successes.
#[test]
fn failures_have_a_quarter_of_the_room() {
    for (max_entries, max_bytes, expected) in
        [(103, 1 << 20, 24), (3, 1 << 20, 0), (1 << 20, 4 * 10 * OVERHEAD + 3, 10), (1 << 20, 3, 0)]
    {
        let mut memory = memory(max_entries, max_bytes);
        for n in 0..1_000_u32 {
            let cache_key = memory.cache_key(AuthenticatorId::new(0), 0, &n.to_be_bytes());
            memory.remember_failed(cache_key, at(1000.0));
            assert!(memory.failed.count() <= expected, "{max_entries} {max_bytes} after {n}");
        }
        assert!(memory.failed.count() * 2 >= expected, "{max_entries} {max_bytes}");
    }
}
