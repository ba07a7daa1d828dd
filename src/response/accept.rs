//! Content negotiation for response bodies by the `Accept` header
//! ([RFC 9110 §12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).

use crate::http::request::trim_ows;

/// Form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text/plain`.
    Text,
    /// `text/html`.
    Html,
    /// `application/problem+json`.
    Problem,
    /// No body.
    Empty,
    /// No body: a gRPC status and message.
    Grpc,
}

/// The negotiable forms, in order of server preference.
const CHOICE: [Form; 3] = [Form::Text, Form::Html, Form::Problem];

/// Bytes of all `Accept` headers together that are read. Browsers send about 150; a media range costs 90 ns.
const MAX_READ: usize = 2048;

/// Returns the form with the highest weight. Ties go to a form that is named rather than matched by `*`, then to the
/// one that is named earlier, then to server preference. Plain text if no form is acceptable or no `Accept` is present.
pub fn best<'r>(fields: impl Iterator<Item = &'r [u8]>) -> Form {
    let mut ratings: [Option<Rating>; 3] = [None; 3];
    let mut left = MAX_READ;
    let ranges = fields.flat_map(|field| {
        let read = whole_ranges(field, left);
        left = left.saturating_sub(field.len().saturating_add(1));
        split(read, b',')
    });
    for (position, range) in ranges.filter_map(Range::parse).enumerate() {
        for (rating, form) in ratings.iter_mut().zip(CHOICE) {
            let Some(precision) = range.precision(form) else { continue };
            let found = Rating { precision, weight: range.weight, position };
            // The most precise range that matches a form determines its weight.
            if rating.is_none_or(|known| (found.precision, found.weight) > (known.precision, known.weight)) {
                *rating = Some(found);
            }
        }
    }
    let mut best: Option<(Rating, Form)> = None;
    for (rating, form) in ratings.into_iter().zip(CHOICE) {
        let Some(rating) = rating.filter(|rating| rating.weight > 0) else { continue };
        if best.is_none_or(|(known, _)| rating.is_liked_more_than(known)) {
            best = Some((rating, form));
        }
    }
    best.map_or(Form::Text, |(_, form)| form)
}

/// Precision with which a media range matches a form. Higher values win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// `*/*`.
    Anything,
    /// `text/*`.
    Type,
    /// The form's name or an alias, with parameters that the form does not have.
    Parameters,
    /// An alias of the form's name.
    Alias,
    /// The form's name.
    Name,
}

#[derive(Clone, Copy)]
struct Rating {
    precision: Precision,
    weight: u16,
    position: usize,
}

impl Rating {
    fn is_liked_more_than(self, other: Self) -> bool {
        let is_named = |rating: Self| rating.precision.max(Precision::Type).min(Precision::Parameters);
        let order = self.weight.cmp(&other.weight).then(is_named(self).cmp(&is_named(other)));
        order.then(other.position.cmp(&self.position)).is_gt()
    }
}

/// A `media-range` and its weight in thousandths.
struct Range<'r> {
    kind: &'r [u8],
    subtype: &'r [u8],
    has_parameters: bool,
    weight: u16,
}

impl<'r> Range<'r> {
    /// Parses one element. `None` if it is not a valid media range; such elements are ignored.
    fn parse(element: &'r [u8]) -> Option<Self> {
        let mut parts = split(element, b';').map(trim_ows);
        let name = parts.next()?;
        let slash = name.iter().position(|byte| *byte == b'/')?;
        let (kind, subtype) = name.split_at_checked(slash)?;
        let subtype = subtype.strip_prefix(b"/")?;
        if kind.is_empty() || subtype.is_empty() || kind == b"*" && subtype != b"*" {
            return None;
        }
        let mut range = Range { kind, subtype, has_parameters: false, weight: 1000 };
        for part in parts.filter(|part| !part.is_empty()) {
            match part {
                [b'q' | b'Q', b'=', weight @ ..] => range.weight = thousandths(weight)?,
                part => range.has_parameters |= !is_our_charset(part),
            }
        }
        Some(range)
    }

    fn precision(&self, form: Form) -> Option<Precision> {
        let is = |kind: &[u8], subtype: &[u8]| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        };
        let (kind, subtype): (&[u8], &[u8]) = match form {
            Form::Html => (b"text", b"html"),
            Form::Problem => (b"application", b"problem+json"),
            _ => (b"text", b"plain"),
        };
        // A client that accepts JSON can read problem details.
        let is_alias = form == Form::Problem && is(b"application", b"json");
        match () {
            () if is(b"*", b"*") => Some(Precision::Anything),
            () if is(kind, b"*") => Some(Precision::Type),
            () if !is_alias && !is(kind, subtype) => None,
            () if self.has_parameters => Some(Precision::Parameters),
            () if is_alias => Some(Precision::Alias),
            () => Some(Precision::Name),
        }
    }
}

fn is_our_charset(parameter: &[u8]) -> bool {
    parameter.eq_ignore_ascii_case(b"charset=utf-8") || parameter.eq_ignore_ascii_case(b"charset=\"utf-8\"")
}

/// ```text
/// qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
/// ```
fn thousandths(qvalue: &[u8]) -> Option<u16> {
    let (first, decimals) = match qvalue {
        [first] => (first, &[][..]),
        [first, b'.', decimals @ ..] if decimals.len() <= 3 => (first, decimals),
        _ => return None,
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte.saturating_sub(b'0')));
    let (mut value, mut unit) = (digit(first)?.saturating_mul(1000), 100);
    for decimal in decimals {
        value = value.saturating_add(digit(decimal)?.saturating_mul(unit));
        unit /= 10;
    }
    (value <= 1000).then_some(value)
}

/// Returns the header, cut after the last whole range if it is longer than `left` bytes.
fn whole_ranges(field: &[u8], left: usize) -> &[u8] {
    if field.len() <= left {
        return field;
    }
    let start = field.get(..left).unwrap_or_default();
    start.iter().rposition(|byte| *byte == b',').and_then(|end| start.get(..end)).unwrap_or_default()
}

/// Splits a header at separators outside quoted strings.
fn split(field: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = text.iter().position(|byte| {
            if std::mem::take(&mut is_escaped) {
                return false;
            }
            match byte {
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                byte => return !is_quoted && *byte == separator,
            }
            false
        });
        let (part, after) = end
            .and_then(|end| text.split_at_checked(end))
            .map_or((text, None), |(part, after)| (part, after.get(1..)));
        rest = after;
        Some(trim_ows(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_is_chosen() {
        let check = |fields: &[&str], expected: Form| {
            assert_eq!(best(fields.iter().map(|field| field.as_bytes())), expected, "{fields:?}");
        };
        use Form::*;
        // Headers of real clients: curl and fetch, none, browsers for pages and images, JSON clients.
        check(&["*/*"], Text);
        check(&[], Text);
        check(&["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], Html);
        check(&["image/avif,image/webp,*/*;q=0.8"], Text);
        check(&["application/json, text/plain, */*"], Problem);
        check(&["application/json, text/event-stream"], Problem);
        check(&["application/json, text/javascript, */*; q=0.01"], Problem);
        check(&["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"], Html);
        check(&["application/json;version=2"], Problem);
        // Weights.
        check(&["text/plain;q=0.5, text/html;q=0.4"], Text);
        check(&["text/plain;q=0.5, text/html;q=0.501"], Html);
        check(&["text/html;q=0.2, application/problem+json;q=0.9, */*;q=0.1"], Problem);
        check(&["TEXT/HTML;Q=1.000, text/plain;q=0.999"], Html);
        check(&["text/plain ; q=0.1 , text/html ; q=0.2"], Html);
        // The most precise range determines the weight of a form, in any position.
        check(&["text/*;q=0.9, text/plain;q=0.1, text/html;q=0.2"], Html);
        check(&["text/html;q=0.3, text/*;q=0.8"], Text);
        check(&["*/*, text/plain;q=0"], Html);
        check(&["*/*, text/*;q=0"], Problem);
        check(&["application/*;q=0.5, application/problem+json;q=0, text/html;q=0.1"], Html);
        check(&["application/json, application/problem+json;q=0, text/html;q=0.1"], Html);
        check(&["text/*;q=0.3, text/html;q=0.7, text/html;level=1;q=0.1, text/plain;q=0.5"], Html);
        check(&["text/html;charset=utf-8;q=0.1, text/html, text/plain;q=0.5"], Html);
        // A named form is preferred to a wildcard match, an earlier one to a later one.
        check(&["*/*, text/html"], Html);
        check(&["application/problem+json, text/html"], Problem);
        check(&["text/html, application/problem+json"], Html);
        check(&["text/html", "application/json"], Html);
        check(&["application/json", "text/html"], Problem);
        check(&["text/*"], Text);
        // Nothing acceptable.
        check(&["image/png"], Text);
        check(&["text/plain;q=0"], Text);
        check(&["*/*;q=0"], Text);
        // Invalid elements are ignored.
        check(&["", ",,", ";", "/", "text/", "/html", "*/html, text"], Text);
        check(&["text/html;q=2, application/json;q=0.1"], Problem);
        check(&["text/html;q=0.1234, application/json;q=0.1"], Problem);
        check(&["text/html;q=, application/json;q=0.1"], Problem);
        check(&["text/html;q=1.001, application/json;q=0.1"], Problem);
        check(&["text/html;q=-1, application/json;q=0.1"], Problem);
        check(&[r#"text/plain;x="a,b;q=0", text/html;q=0.9"#], Text);
        check(&[r#"text/plain;x="\",text/html, text/html;q=0.9"#], Text);
        check(&["text/html;;q=0.5;, text/plain;q=0.4"], Html);
    }

    #[test]
    fn bytes_that_are_no_text_are_read_too() {
        assert_eq!(best([&b"\xff\xfe/\x00;q=\xff, text/html"[..]].into_iter()), Form::Html);
    }

    #[test]
    fn a_bounded_part_is_read() {
        let check = |fields: &[&str], expected: Form| {
            assert_eq!(best(fields.iter().map(|field| field.as_bytes())), expected, "{fields:.80?}");
        };
        let other = "image/png,";
        let fits = other.repeat((MAX_READ - "text/html".len()) / other.len());
        check(&[&format!("{fits}text/html")], Form::Html);
        check(&[&format!("{fits}{other}text/html")], Form::Text);
        // The limit applies to all headers together.
        check(&[&other.repeat(MAX_READ / other.len()), "text/html"], Form::Text);
        check(&[&other.repeat(22_000), "text/html"], Form::Text);
        // A range that is cut off is ignored, not shortened.
        let cut = format!("application/json;q=0.1,{}text/html;q=0.5", " ".repeat(MAX_READ - 40));
        check(&[&cut], Form::Html);
        check(&[&cut.replace("text/html", "   text/html")], Form::Problem);
        check(&[&format!("text/html,{}", "\"\\,;".repeat(20_000))], Form::Html);
        check(&["text/html", &"\"\\,;".repeat(20_000)], Form::Html);
    }
}
