//! Keys that change under load, on four workers: no valid token is rejected, and no token of a withdrawn key passes for
//! longer than the interval between two fetches.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::remote_keys::{eventually, policy};
use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::mint::ProviderKey;
use authgate_testing::e2e::provider::{Provider, keys};
use authgate_testing::e2e::proxy::Proxy;

/// Interval between fetches, and an allowance for a fetch and the tick before it on a busy machine.
const REFRESH: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_secs(2);

#[test]
fn a_new_key_is_taken_at_once_and_an_old_one_refused_after_the_refresh() {
    let (provider, old, new) = (Provider::start(), ProviderKey::new("old"), ProviderKey::new("new"));
    provider.on("/keys", keys(&[old.jwk()]));
    let remote = json!({"uri": "https://idp/keys", "cluster": "idp", "refresh": "2s"});
    let policy = policy("partners", "https://idp", json!({ "remote": remote }));
    let token = |key: &ProviderKey, subject: &str| get("/").bearer(&key.token("https://idp", subject));
    let gate = listener("gate", policy, token(&new, "good")).cluster("idp", provider.port);
    let proxy = Proxy::start_with_workers(4, "rotation", vec![gate]);
    // Some tokens are repeated, others are new: caching makes no difference.
    let tokens =
        |key: &ProviderKey| -> Vec<Request> { (0..64).map(|n| token(key, &format!("user-{n}"))).collect() };
    let (olds, news) = (tokens(&old), tokens(&new));
    let (published, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let answers: Mutex<Vec<(Instant, bool, u16)>> = Mutex::default();
    let withdrawn = thread::scope(|scope| {
        for client in 0..4 {
            let (proxy, olds, news, published, stop, answers) =
                (&proxy, &olds, &news, &published, &stop, &answers);
            scope.spawn(move || {
                for turn in client.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let is_new = turn % 2 == 1 && published.load(Ordering::SeqCst);
                    let request = &if is_new { news } else { olds }[turn % 64];
                    let sent = Instant::now();
                    // Each over a new connection, so that each worker gets some.
                    let status = proxy.send("gate", request).status;
                    answers.lock().unwrap().push((sent, is_new, status));
                    thread::sleep(Duration::from_millis(3));
                }
            });
        }
        thread::sleep(Duration::from_millis(1500));
        provider.on("/keys", keys(&[old.jwk(), new.jwk()]));
        published.store(true, Ordering::SeqCst);
        thread::sleep(REFRESH + Duration::from_millis(500));
        provider.on("/keys", keys(&[new.jwk()]));
        let withdrawn = Instant::now();
        thread::sleep(REFRESH + SLACK + Duration::from_secs(1));
        stop.store(true, Ordering::SeqCst);
        withdrawn
    });
    let answers = answers.into_inner().unwrap();
    let of = |which: bool, from: Option<Instant>, to: Option<Instant>| -> Vec<u16> {
        let within = |at: Instant| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to);
        answers
            .iter()
            .filter(|(at, is_new, _)| *is_new == which && within(*at))
            .map(|(.., status)| *status)
            .collect()
    };
    let (valid_new, valid_old) =
        (of(true, None, None), of(false, None, Some(withdrawn - Duration::from_millis(200))));
    let refused = of(false, Some(withdrawn + REFRESH + SLACK), None);
    for (what, statuses, expected) in [
        ("the new key", valid_new, 200),
        ("the old key", valid_old, 200),
        ("the old key, withdrawn", refused, 401),
    ] {
        assert!(statuses.len() > 50, "{what}: only {} requests", statuses.len());
        let wrong = statuses.iter().filter(|status| **status != expected).count();
        assert_eq!(wrong, 0, "{what}: {wrong} of {} requests did not get {expected}", statuses.len());
    }
    eventually("each worker fetches", || provider.asked("/keys").len() >= 4 * 3);
    proxy.finish();
}
