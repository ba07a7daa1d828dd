//! Lines of an Envoy access log.
//!
//! Three formats are supported: the default text format of Envoy, the longer one of Istio, and JSON with the names that
//! Envoy, Istio and Envoy Gateway use for the same values. `-` means that a value is absent.

use std::net::{IpAddr, SocketAddr};

use authgate::json;
use serde_json::Value;

use super::Entry;
use crate::request::{self, OwnRequest};

/// The requests of a log; empty lines are skipped.
pub fn entries(bytes: &[u8]) -> Vec<Entry> {
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.map(|(number, line)| entry(number, line.trim_ascii())).collect()
}

fn entry(number: usize, line: &[u8]) -> Entry {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    let read = match std::str::from_utf8(line) {
        Ok(line) if line.starts_with('{') => of_json(line),
        Ok(line) => of_text(line).ok_or(UNKNOWN),
        Err(_) => Err("not UTF-8"),
    };
    match read {
        Ok(logged) => Entry { number, status: logged.status, request: logged.request() },
        Err(why) => Entry { number, status: None, request: Err(why) },
    }
}

const UNKNOWN: &str =
    "expected a line in Envoy's default format, or a JSON object with `method`, `path` and `authority`";

/// The values of a line that can affect a decision.
#[derive(Default)]
struct Logged {
    method: Option<String>,
    path: Option<String>,
    authority: Option<String>,
    scheme: Option<String>,
    time: Option<String>,
    peer: Option<String>,
    status: Option<u16>,
    /// Header → value.
    headers: Vec<(&'static str, String)>,
}

impl Logged {
    fn request(self) -> Result<OwnRequest, &'static str> {
        let method = self.method.ok_or("the line has no method, so Envoy could not read the request")?;
        let time = self.time.and_then(|time| request::time(&time).ok());
        let mut own = OwnRequest::new(&method, time.unwrap_or_else(request::now));
        own.scheme = self.scheme.unwrap_or_else(|| "https".to_owned());
        own.authority = self.authority.unwrap_or_default().into_bytes();
        own.path = self.path.unwrap_or_default();
        own.peer = self.peer.as_deref().and_then(address);
        own.fields.extend(self.headers.into_iter().map(|(name, value)| (name.into(), value.into_bytes())));
        Ok(own)
    }
}

/// Parses an address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}

fn known(text: &str) -> Option<String> {
    Some(text).filter(|text| !text.is_empty() && *text != "-").map(str::to_owned)
}

/// The words after the request in the default format of Envoy: `w` without quotes, `q` in quotes.
const ENVOY: &str = "wwwwwwqqqqq";
/// The words after the request in the format of Istio, which also has the client address.
const ISTIO: &str = "wwwwqwwwwqqqqqwwwwww";

fn of_text(line: &str) -> Option<Logged> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] \"")?;
    let (request, rest) = request_line(rest)?;
    let words = words(rest)?;
    let form: String = words.iter().map(|word| if word.is_quoted { 'q' } else { 'w' }).collect();
    let (first_header, peer) = match form.as_str() {
        ENVOY => (6, None),
        ISTIO => (9, Some(17)),
        _ => return None,
    };
    let (method, request) = request.split_once(' ')?;
    let (path, _protocol) = request.rsplit_once(' ')?;
    let word = |at: usize| words.get(at).and_then(|word| known(word.text));
    let headers = (first_header..).zip(["x-forwarded-for", "user-agent", "x-request-id"]);
    Some(Logged {
        method: known(method),
        path: known(path),
        authority: word(first_header + 3),
        scheme: None,
        time: known(time),
        peer: peer.and_then(word),
        status: word(0)?.parse().ok(),
        headers: headers.filter_map(|(at, name)| Some((name, word(at)?))).collect(),
    })
}

/// The request in quotes, and the rest of the line. Envoy does not escape quotes, so the end is the first quote with a
/// protocol before it and a status after it.
fn request_line(text: &str) -> Option<(&str, &str)> {
    text.match_indices("\" ").find_map(|(at, _)| {
        let (request, rest) = text.split_at_checked(at)?;
        let rest = rest.strip_prefix("\" ")?;
        let protocol = request.rsplit(' ').next()?;
        let status = rest.split(' ').next()?;
        let is_end = (protocol.starts_with("HTTP/") || protocol == "-")
            && !status.is_empty()
            && status.bytes().all(|byte| byte.is_ascii_digit());
        is_end.then_some((request, rest))
    })
}

struct Word<'a> {
    text: &'a str,
    is_quoted: bool,
}

/// The words of a text, between spaces or in quotes.
fn words(mut text: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start_matches(' ');
        if text.is_empty() {
            return Some(words);
        }
        let (word, is_quoted, rest) = match text.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.match_indices('"').map(|(at, _)| at).find(|at| {
                    let after = quoted.get(at + 1..).unwrap_or_default();
                    after.is_empty() || after.starts_with(' ')
                })?;
                (quoted.get(..end)?, true, quoted.get(end + 1..)?)
            }
            None => {
                let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
                (word, false, rest)
            }
        };
        words.push(Word { text: word, is_quoted });
        text = rest;
    }
}

/// Names of headers in JSON lines, which may also be written with `_` for `-`.
const HEADERS: &[&str] = &[
    "accept",
    "content-type",
    "origin",
    "referer",
    "sec-fetch-site",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
];

fn of_json(line: &str) -> Result<Logged, &'static str> {
    let value = json::parse(line.as_bytes()).map_err(|_| "not valid JSON")?;
    let text = |names: &[&str]| {
        names.iter().find_map(|name| match value.get(*name)? {
            Value::String(text) => known(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    };
    let header = |name: &&'static str| Some((*name, text(&[name, &name.replace('-', "_")])?));
    let mut headers: Vec<_> = HEADERS.iter().filter_map(header).collect();
    if !headers.iter().any(|(name, _)| *name == "x-request-id") {
        headers.extend(text(&["request_id"]).map(|id| ("x-request-id", id)));
    }
    let logged = Logged {
        method: text(&["method", ":method", "request_method"]),
        // The path that the client sent takes precedence over a path that a route rewrote.
        path: text(&[
            "x-envoy-original-path",
            "x-envoy-origin-path",
            "x_envoy_original_path",
            "path",
            ":path",
        ]),
        authority: text(&["authority", ":authority", "host"]),
        scheme: text(&["scheme", ":scheme", "x-forwarded-proto", "x_forwarded_proto"]),
        time: text(&["start_time", "timestamp", "time"]),
        peer: text(&["downstream_remote_address", "downstream_remote_address_without_port"]),
        status: text(&["response_code", "status"]).and_then(|status| status.parse().ok()),
        headers,
    };
    let is_log = ["method", ":method", "request_method", "response_code"]
        .iter()
        .any(|name| value.get(*name).is_some());
    if is_log { Ok(logged) } else { Err(UNKNOWN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let entry = entry(1, line.as_bytes());
        let found = match entry.request {
            Err(why) => format!("error: {why}"),
            Ok(own) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let mut words = vec![text(&own.method), own.scheme, text(&own.authority), own.path];
                words.push(own.now.seconds().floor().to_string());
                words.extend(own.peer.map(|peer| format!("from {peer}")));
                words
                    .extend(own.fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))));
                words.extend(entry.status.map(|status| format!("→ {status}")));
                words.join(" ")
            }
        };
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn lines_of_each_form() {
        check(
            r#"[2026-01-01T00:00:00.123Z] "GET /a?b=c HTTP/2" 204 - 1 0 2 1 "192.0.2.1,10.0.0.1" "curl/8 (x; y)" "id-1" "h.example:443" "10.0.0.2:80""#,
            "GET https h.example:443 /a?b=c 1767225600 x-forwarded-for=192.0.2.1,10.0.0.1 user-agent=curl/8 (x; y) \
             x-request-id=id-1 → 204",
        );
        check(
            r#"[2026-01-01T00:00:00.000Z] "CONNECT - HTTP/1.1" 403 - 0 0 0 - "-" "-" "-" "h" "-""#,
            "CONNECT https h  1767225600 → 403",
        );
        check(
            r#"[2026-01-01T00:00:00.000Z] "POST /x HTTP/1.1" 401 - wasm_fail - "-" 0 9 1 - "-" "a" "i" "h" "-" outbound|80||h 1.2.3.4:1 10.0.0.1:80 192.0.2.7:999 - default"#,
            "POST https h /x 1767225600 from 192.0.2.7 user-agent=a x-request-id=i → 401",
        );
        check(
            r#"{"start_time":"2026-01-01T00:00:00Z","method":"PUT","x-envoy-origin-path":"/old","path":"/new",":authority":"h","response_code":200,"downstream_remote_address":"[2001:db8::1]:5","user-agent":"a"}"#,
            "PUT https h /old 1767225600 from 2001:db8::1 user-agent=a → 200",
        );
        check(
            r#"{"time":1767225600,"request_method":"GET","path":"/","host":"h","scheme":"http","request_id":"i","status":"0","origin":null}"#,
            "GET http h / 1767225600 x-request-id=i → 0",
        );
    }

    #[test]
    fn lines_that_are_none() {
        for line in [
            "hunter2",
            "[]",
            "[x] \"GET / HTTP/1.1\" 200",
            // Envoy does not escape a quote in the user agent.
            r#"[2026-01-01T00:00:00Z] "GET / HTTP/1.1" 200 - 0 0 0 - "-" "a" "b" "i" "h" "-""#,
            "{\"a\":1}",
            "{\"headers\":{\"authorization\":\"hunter2\"}}",
        ] {
            check(line, &format!("error: {UNKNOWN}"));
        }
        check("{\"method\":", "error: not valid JSON");
        check("{\"method\":\"a\",\"method\":\"b\"}", "error: not valid JSON");
        let no_method = "error: the line has no method, so Envoy could not read the request";
        check(r#"[2026-01-01T00:00:00Z] "- - HTTP/1.1" 400 DPE 0 11 0 - "-" "-" "-" "-" "-""#, no_method);
        check(r#"{"method":"-","response_code":400}"#, no_method);
        assert!(entry(1, b"\xff").request.is_err());
        assert!(entries(b"\n \r\n").is_empty());
    }
}
