//! A denial as an HTML page for browsers, without scripts and external resources.

use super::error_body::{Detail, ErrorBody, Prompt};
use super::messages::{phrase, status_line};

/// The media type.
pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// Content Security Policy of the page; it allows only inline styles and the empty icon.
pub const SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

// The empty icon keeps browsers from requesting one, which would be denied too.
const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --text: #1c2024; --soft: #5b636b; --back: #f4f5f6; --card: #fff; --line: #dcdfe2; --link: #0b57c2; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8eaec; --soft: #a0a8b0; --back: #131517; --card: #1d2023; --line: #363b40; --link: #8ab8ff; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; min-height: 100vh; display: grid; place-items: center; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 34rem; padding: 1.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 .75rem; }
a { color: var(--link); }
.again { display: inline-block; margin: .25rem 0 .5rem; padding: .5rem 1.25rem; border: 1px solid var(--link);
  border-radius: .5rem; text-decoration: none; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 1rem 0 0; padding-top: 1rem;
  border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
dt, dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 22rem) { dl { display: block; } dd { margin-bottom: .5rem; } }
</style>
"#;

/// Renders the page.
pub fn body(error_body: &ErrorBody<'_>) -> String {
    let mut page = String::with_capacity(HEAD.len().saturating_add(1024));
    page.push_str(HEAD);
    let title = error_body.detail.as_ref().map_or(phrase(error_body.status), heading);
    element(&mut page, "title", title);
    page.push_str("</head>\n<body>\n<main>\n");
    element(&mut page, "h1", title);
    if let Some(detail) = &error_body.detail {
        let (what, next) = sentences(detail);
        element(&mut page, "p", what);
        element(&mut page, "p", next);
    }
    let can_be_repeated = error_body.detail.as_ref().is_some_and(|detail| detail.prompt != Prompt::Beside);
    if can_be_repeated || matches!(error_body.status, 429 | 503) {
        page.push_str("<p><a class=\"again\" href=\"\">Try again</a></p>\n");
    }
    if let Some(url) = error_body.help {
        page.push_str("<p><a rel=\"noreferrer\" href=\"");
        escape(&mut page, url);
        page.push_str("\">Help with access</a></p>\n");
    }
    page.push_str("<dl>\n");
    row(&mut page, "Status", status_line(error_body.status));
    if let Some(detail) = &error_body.detail {
        let mut codes = String::new();
        detail.push_codes(&mut codes);
        row(&mut page, "Reason", &codes);
        if !detail.accepted.is_empty() {
            row(&mut page, "Accepted schemes", &detail.accepted.join(", "));
        }
        if let Some(scope) = detail.scope {
            row(&mut page, "Required scope", scope);
        }
    }
    if let Some(id) = error_body.request_id {
        row(&mut page, "Request ID", id);
    }
    page.push_str("</dl>\n</main>\n</body>\n</html>\n");
    page
}

fn heading(detail: &Detail<'_>) -> &'static str {
    match detail.prompt {
        Prompt::Cancelled => "Please sign in",
        _ => detail.title,
    }
}

/// A user who sees the page after a prompt knows a user name and a password, not "credentials".
fn sentences(detail: &Detail<'_>) -> (&'static str, &'static str) {
    match detail.prompt {
        Prompt::Cancelled => (
            "A user name and a password are required.",
            "Try again to enter them. If you have none, ask the operator of this service.",
        ),
        Prompt::Failed => (
            "The user name or password is wrong.",
            "Try again, or ask the operator of this service for new ones.",
        ),
        Prompt::Beside => (detail.explanation.what, detail.explanation.next),
    }
}

fn row(page: &mut String, name: &str, value: &str) {
    element(page, "dt", name);
    element(page, "dd", value);
}

fn element(page: &mut String, name: &str, text: &str) {
    for part in ["<", name, ">"] {
        page.push_str(part);
    }
    escape(page, text);
    for part in ["</", name, ">\n"] {
        page.push_str(part);
    }
}

/// Escapes text for element content and for attribute values in double quotes.
fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}
