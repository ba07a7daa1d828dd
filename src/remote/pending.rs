//! Requests that wait for a key set or an introspection answer, bounded in number and time.
//!
//! The room is limited for each authenticator, and within that for each source address and each introspected token, so
//! that none can use up the room of others. Proxies buffer the body of a pending request, so the total of those is
//! limited, too.

use std::net::IpAddr;
use std::rc::Rc;

use crate::http::request::Request;
use crate::principal::AuthenticatorId;
use crate::remote::callout::{FetchId, Pending};
use crate::timestamp::NumericDate;

/// Pending requests of one authenticator.
pub const MAX_WAITING: usize = 1024;

/// Pending requests of one authenticator from one source.
pub const MAX_WAITING_OF_SOURCE: usize = 256;

/// Pending requests with one token.
pub const MAX_WAITING_OF_TOKEN: usize = 256;

/// Bytes of request bodies that the proxy may buffer for the pending requests of one configuration.
pub const MAX_BODY_BYTES: usize = 64 << 20;

/// The share of one source in [`MAX_BODY_BYTES`].
pub const MAX_BODY_BYTES_OF_SOURCE: usize = 16 << 20;

/// The most that a proxy buffers for one request, in bytes: the default of `per_connection_buffer_limit_bytes` in
/// Envoy.
const MAX_BUFFERED: usize = 1 << 20;

/// A pending request.
pub struct PendingRequest<T> {
    /// The context ID of its stream.
    pub stream: u32,
    /// The configuration that decides the request.
    pub owner: Rc<T>,
    /// The fetch that the request waits for.
    pub pending_on: Pending,
    /// The limit on requests that wait for the same fetch.
    pub max_per_fetch: usize,
    /// The time at which the request stops waiting.
    pub deadline: NumericDate,
    /// The network of the client, if known: see [`source_network`](crate::http::cidr::source_network).
    pub source: Option<IpAddr>,
    /// The bytes that the proxy may have to buffer meanwhile: see [`body_bytes`].
    pub body_bytes: usize,
    /// The original path, if it was changed so that logs do not show a credential meanwhile.
    pub original_path: Option<Vec<u8>>,
}

/// Returns the bytes that a proxy may have to buffer while a request is pending: the announced length, or the proxy's
/// limit if none is announced.
pub fn body_bytes(has_body: bool, request: &Request<'_>) -> usize {
    let announced = || std::str::from_utf8(request.value("content-length")?).ok()?.parse().ok();
    if has_body { announced().unwrap_or(MAX_BUFFERED).min(MAX_BUFFERED) } else { 0 }
}

/// All pending requests, in order of arrival.
pub struct PendingRequests<T> {
    pending: Vec<PendingRequest<T>>,
}

impl<T> PendingRequests<T> {
    /// Creates an empty list.
    pub const fn new() -> Self {
        PendingRequests { pending: Vec::new() }
    }

    /// True if there is room for the request.
    pub fn has_room(&self, new: &PendingRequest<T>) -> bool {
        let (mut count, mut of_source, mut of_fetch) = (0, 0, 0);
        let (mut bytes, mut bytes_of_source) = (new.body_bytes, new.body_bytes);
        for known in self.pending.iter().filter(|known| Rc::ptr_eq(&known.owner, &new.owner)) {
            let is_same_source = known.source == new.source;
            bytes += known.body_bytes;
            bytes_of_source += if is_same_source { known.body_bytes } else { 0 };
            if known.pending_on.authenticator == new.pending_on.authenticator {
                count += 1;
                of_source += usize::from(is_same_source);
                of_fetch += usize::from(known.pending_on.fetch_id == new.pending_on.fetch_id);
            }
        }
        count < MAX_WAITING
            && of_source < MAX_WAITING_OF_SOURCE
            && of_fetch < new.max_per_fetch
            && (new.body_bytes == 0 || bytes <= MAX_BODY_BYTES && bytes_of_source <= MAX_BODY_BYTES_OF_SOURCE)
    }

    /// Adds a request for which there is room.
    pub fn insert(&mut self, new: PendingRequest<T>) {
        self.pending.push(new);
    }

    /// True if the request of this stream is pending.
    pub fn contains(&self, stream: u32) -> bool {
        self.pending.iter().any(|pending| pending.stream == stream)
    }

    /// Removes the requests whose streams are not live.
    pub fn sweep(&mut self, mut is_live: impl FnMut(u32) -> bool) {
        self.pending.retain(|pending| is_live(pending.stream));
    }

    /// Removes and returns the requests of an owner that wait for this fetch.
    pub fn take_settled(
        &mut self,
        owner: &Rc<T>,
        authenticator: AuthenticatorId,
        fetch_id: FetchId,
    ) -> Vec<PendingRequest<T>> {
        self.take(|pending| {
            let pending_on = pending.pending_on;
            pending_on.authenticator == authenticator
                && pending_on.fetch_id == fetch_id
                && Rc::ptr_eq(&pending.owner, owner)
        })
    }

    /// Removes and returns the requests that have reached their deadline.
    pub fn take_overdue(&mut self, now: NumericDate) -> Vec<PendingRequest<T>> {
        self.take(|pending| now >= pending.deadline)
    }

    /// Returns the number of requests of an owner.
    pub fn count(&self, owner: &Rc<T>) -> usize {
        self.pending.iter().filter(|pending| Rc::ptr_eq(&pending.owner, owner)).count()
    }

    fn take(&mut self, is_taken: impl FnMut(&mut PendingRequest<T>) -> bool) -> Vec<PendingRequest<T>> {
        self.pending.extract_if(.., is_taken).collect()
    }
}

impl<T> Default for PendingRequests<T> {
    fn default() -> Self {
        PendingRequests::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: f64) -> NumericDate {
        NumericDate::from_seconds(seconds).unwrap()
    }

    fn pending(owner: &Rc<u8>, stream: u32, authenticator: usize, fetch_id: u64) -> PendingRequest<u8> {
        PendingRequest {
            stream,
            owner: Rc::clone(owner),
            pending_on: Pending {
                authenticator: AuthenticatorId::new(authenticator),
                fetch_id: FetchId(fetch_id),
                max_wait: Duration::from_secs(5),
            },
            max_per_fetch: MAX_WAITING,
            deadline: at(10.0),
            source: None,
            body_bytes: 0,
            original_path: None,
        }
    }

    /// Sets the source of a request.
    fn from(source: u32, pending: PendingRequest<u8>) -> PendingRequest<u8> {
        PendingRequest { source: Some(IpAddr::V4(source.into())), ..pending }
    }

    fn streams(pending: Vec<PendingRequest<u8>>) -> Vec<u32> {
        pending.iter().map(|pending| pending.stream).collect()
    }

    #[test]
    fn a_request_leaves_when_its_fetch_is_settled_or_its_deadline_is_reached() {
        let (a, b) = (Rc::new(1), Rc::new(2));
        let mut requests = PendingRequests::new();
        for (owner, stream, authenticator, fetch_id, deadline) in [
            (&a, 1, 0, 1, 10.0),
            (&a, 2, 0, 2, 20.0),
            (&b, 3, 0, 1, 30.0),
            (&a, 4, 1, 1, 10.0),
            (&a, 5, 0, 1, 40.0),
        ] {
            let new = pending(owner, stream, authenticator, fetch_id);
            requests.insert(PendingRequest { deadline: at(deadline), ..new });
        }
        assert_eq!((requests.count(&a), requests.count(&b)), (4, 1));
        assert_eq!(streams(requests.take_settled(&a, AuthenticatorId::new(0), FetchId(1))), [1, 5]);
        assert_eq!((requests.count(&a), requests.count(&b)), (2, 1));
        assert!(!requests.contains(1) && requests.contains(2) && requests.contains(3));
        assert!(requests.take_overdue(at(9.75)).is_empty());
        assert_eq!(streams(requests.take_overdue(at(20.0))), [2, 4]);
        assert_eq!(streams(requests.take_settled(&b, AuthenticatorId::new(0), FetchId(1))), [3]);
    }

    /// Adds requests of `known` while there is room, and checks their number and which other requests still have room.
    fn check(
        known: impl Fn(u32) -> PendingRequest<u8>,
        expected: usize,
        others: &[(PendingRequest<u8>, bool)],
    ) {
        let mut requests = PendingRequests::new();
        for n in 0..expected as u32 {
            assert!(requests.has_room(&known(n)), "{n} of {expected}");
            requests.insert(known(n));
        }
        assert!(!requests.has_room(&known(expected as u32)), "more than {expected}");
        assert_eq!(requests.pending.len(), expected);
        for (at, (other, has_room)) in others.iter().enumerate() {
            assert_eq!(requests.has_room(other), *has_room, "the other with index {at}");
        }
    }

    #[test]
    fn no_authenticator_takes_the_room_of_another() {
        let (a, b) = (Rc::new(1), Rc::new(2));
        let of_source = |n| from(n, pending(&a, n, 0, 1));
        let others = [
            (from(9999, pending(&a, 9999, 0, 2)), false),
            (from(1, pending(&a, 9999, 1, 1)), true),
            (from(1, pending(&b, 9999, 0, 1)), true),
        ];
        check(of_source, MAX_WAITING, &others);
    }

    #[test]
    fn no_source_takes_the_room_of_another() {
        let a = Rc::new(1);
        let others = [
            (from(7, pending(&a, 9999, 0, 77)), false),
            (from(8, pending(&a, 9999, 0, 1)), true),
            (pending(&a, 9999, 0, 1), true),
        ];
        check(|n| from(7, pending(&a, n, 0, u64::from(n))), MAX_WAITING_OF_SOURCE, &others);
        // All unknown addresses are one source.
        check(|n| pending(&a, n, 0, 1), MAX_WAITING_OF_SOURCE, &[(from(7, pending(&a, 9999, 0, 1)), true)]);
    }

    #[test]
    fn no_token_takes_the_room_of_another() {
        let a = Rc::new(1);
        let with = |n, fetch_id| PendingRequest {
            max_per_fetch: MAX_WAITING_OF_TOKEN,
            ..from(n, pending(&a, n, 0, fetch_id))
        };
        check(|n| with(n, 1), MAX_WAITING_OF_TOKEN, &[(with(9999, 1), false), (with(9999, 2), true)]);
    }

    #[test]
    fn buffered_content_is_bounded() {
        let a = Rc::new(1);
        let with = |source, authenticator, body_bytes| PendingRequest {
            body_bytes,
            ..from(source, pending(&a, 1, authenticator, 1))
        };
        const MIB: usize = 1 << 20;
        check(|n| with(n, 0, MIB), 64, &[(with(9999, 1, 1), false), (with(9999, 0, 0), true)]);
        check(
            |_| with(7, 0, MIB),
            16,
            &[(with(7, 0, 1), false), (with(7, 0, 0), true), (with(8, 0, MIB), true)],
        );
        check(|_| with(7, 0, MIB - 1), 16, &[(with(7, 0, 16), true), (with(7, 0, 17), false)]);
    }

    #[test]
    fn a_client_that_has_left_makes_room() {
        let a = Rc::new(1);
        let mut requests = PendingRequests::new();
        for stream in 0..MAX_WAITING_OF_SOURCE as u32 {
            requests.insert(pending(&a, stream, 0, 1));
        }
        assert!(!requests.has_room(&pending(&a, 5000, 0, 1)));
        requests.sweep(|stream| stream != 7);
        assert!(!requests.contains(7) && requests.contains(8));
        assert!(requests.has_room(&pending(&a, 5000, 0, 1)));
    }

    #[test]
    fn content_counts_as_it_is_announced() {
        let check = |fields: &[(&str, &str)], has_body: bool, expected: usize| {
            let pairs = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(body_bytes(has_body, &Request::new(pairs, None)), expected, "{fields:?}");
        };
        check(&[], false, 0);
        check(&[("content-length", "10")], false, 0);
        check(&[("content-length", "10")], true, 10);
        check(&[("content-length", "99999999")], true, MAX_BUFFERED);
        check(&[("content-length", "10"), ("content-length", "11")], true, MAX_BUFFERED);
        check(&[("content-length", "-1")], true, MAX_BUFFERED);
        check(&[("transfer-encoding", "chunked")], true, MAX_BUFFERED);
    }
}
