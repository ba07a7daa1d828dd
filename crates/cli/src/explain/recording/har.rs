//! Entries of a HAR file.
//!
//! Only the values that can affect a decision are read (method, URL, headers and time), and the status of the response.
//! Bodies are skipped, so that a large file needs little memory.

use serde::Deserialize;

use super::Entry;
use crate::Failure;
use crate::request::{self, OwnRequest};

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<HarEntry>,
}

#[derive(Deserialize)]
struct HarEntry {
    #[serde(rename = "startedDateTime")]
    started: Option<String>,
    request: HarRequest,
    response: Option<HarResponse>,
}

#[derive(Deserialize)]
struct HarRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<HarHeader>,
}

#[derive(Deserialize)]
struct HarHeader {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct HarResponse {
    status: Option<f64>,
}

/// The requests of a file.
///
/// # Errors
/// If the file is not a HAR file. The message contains no text of the file, because it may have credentials.
pub fn entries(name: &str, bytes: &[u8]) -> Result<Vec<Entry>, Failure> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let har: Har = serde_json::from_slice(bytes).map_err(|error| {
        let what = if error.is_data() { "expected a HAR file, with `log.entries`" } else { "not valid JSON" };
        format!("{name}:{}:{}: {what}", error.line(), error.column())
    })?;
    Ok((1..).zip(har.log.entries).map(|(number, entry)| of(number, entry)).collect())
}

fn of(number: usize, HarEntry { started, request, response }: HarEntry) -> Entry {
    let status =
        response.and_then(|response| response.status).filter(|status| (100.0..1000.0).contains(status));
    Entry { number, status: status.map(|status| status as u16), request: own(started.as_deref(), request) }
}

fn own(
    started: Option<&str>,
    HarRequest { method, url, headers }: HarRequest,
) -> Result<OwnRequest, &'static str> {
    let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let scheme = match scheme.as_str() {
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => return Err("not an HTTP request"),
    };
    let time = started.and_then(|time| request::time(time).ok());
    let mut own = OwnRequest::new(&method, time.unwrap_or_else(request::now));
    own.set_url(&url);
    own.scheme = scheme.to_owned();
    for HarHeader { name, value } in headers {
        // Browsers record the pseudo-headers of HTTP/2 among the other headers.
        match name.to_ascii_lowercase().as_str() {
            ":authority" | "host" => own.authority = value.into_bytes(),
            ":path" => own.path = value,
            name if name.starts_with(':') => {}
            name => own.fields.push((name.as_bytes().to_vec(), value.into_bytes())),
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_read() {
        let text = "\u{feff}{\"log\": {\"version\": \"1.2\", \"pages\": [], \"entries\": [
            {\"startedDateTime\": \"2026-01-01T00:00:00.000Z\", \"request\": {\"method\": \"GET\",
             \"url\": \"https://H.example:8443/a?b#c\", \"headers\": [{\"name\": \"Accept\", \"value\": \"text/html\"}]},
             \"response\": {\"status\": 200, \"content\": {\"text\": \"\\ud800 \\u0000\"}}},
            {\"request\": {\"method\": \"POST\", \"url\": \"wss://h\", \"headers\": [
              {\"name\": \":authority\", \"value\": \"g\"}, {\"name\": \":path\", \"value\": \"/%41\"},
              {\"name\": \":scheme\", \"value\": \"https\"}]}, \"response\": {\"status\": 0}},
            {\"request\": {\"method\": \"GET\", \"url\": \"data:text/html,x\"}}]}}";
        let entries = entries("x.har", text.as_bytes()).unwrap();
        let [first, second, third] = entries.as_slice() else { panic!("{} entries", entries.len()) };
        let own = first.request.as_ref().unwrap();
        assert_eq!((own.authority.as_slice(), own.path.as_str()), (&b"H.example:8443"[..], "/a?b"));
        assert_eq!(own.fields, [(b"accept".to_vec(), b"text/html".to_vec())]);
        assert_eq!((own.now.seconds(), first.status), (1_767_225_600.0, Some(200)));
        let own = second.request.as_ref().unwrap();
        assert_eq!((own.authority.as_slice(), own.path.as_str()), (&b"g"[..], "/%41"));
        assert_eq!((own.scheme.as_str(), own.fields.len(), second.status), ("https", 0, None));
        assert_eq!(third.request.as_ref().err(), Some(&"not an HTTP request"));
    }

    #[test]
    fn what_is_no_har_shows_nothing_of_itself() {
        for (text, expected) in [
            ("", "x.har:1:0: not valid JSON"),
            ("hunter2", "x.har:1:1: not valid JSON"),
            (
                "{\"log\": {\"entries\": [{\"request\": \"hunter2\"}]}}",
                "x.har:1:42: expected a HAR file, with `log.entries`",
            ),
            ("{\"log\": {}}", "x.har:1:10: expected a HAR file, with `log.entries`"),
            ("[]", "x.har:1:2: expected a HAR file, with `log.entries`"),
        ] {
            let found = entries("x.har", text.as_bytes()).err();
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        let deep = format!("{{\"x\": {}", "[".repeat(100_000));
        assert!(entries("x.har", deep.as_bytes()).is_err());
    }
}
