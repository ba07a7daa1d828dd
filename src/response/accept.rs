//! Which form a client likes best, by its `Accept` fields (RFC 9110 §12.5.1).

use crate::http::request::trim_ows;

/// The form of a body.
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
    /// No body: a gRPC status and a message.
    Grpc,
}

/// The forms between which there is a choice, in our own order.
const CHOICE: [Form; 3] = [Form::Text, Form::Html, Form::Problem];

/// How many bytes of all fields together are read: browsers send about 150, and a range costs 90 ns.
const MAX_READ: usize = 2048;

/// The form with the highest weight; of several the one that is named rather than covered by `*`, then the one that is
/// named earlier, then by our own order. Where nothing is acceptable, or nothing is said, plain text.
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
            // The most precise range that covers a form decides on it.
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

/// How precisely a range covers a form. The larger ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// `*/*`.
    Anything,
    /// `text/*`.
    Type,
    /// Its name, or one that is as good, with parameters that ours does not have.
    Parameters,
    /// A name that is as good.
    Alias,
    /// Its name.
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

/// A `media-range` with its weight in thousandths.
struct Range<'r> {
    kind: &'r [u8],
    subtype: &'r [u8],
    has_parameters: bool,
    weight: u16,
}

impl<'r> Range<'r> {
    /// What is no range counts for nothing.
    fn parse(element: &'r [u8]) -> Option<Self> {
        let mut parts = split(element, b';').map(trim_ows);
        let name = parts.next()?;
        let slash = name.iter().position(|octet| *octet == b'/')?;
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
        // Whoever asks for JSON can read problem details.
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
    let digit = |octet: &u8| octet.is_ascii_digit().then(|| u16::from(octet.saturating_sub(b'0')));
    let (mut value, mut unit) = (digit(first)?.saturating_mul(1000), 100);
    for decimal in decimals {
        value = value.saturating_add(digit(decimal)?.saturating_mul(unit));
        unit /= 10;
    }
    (value <= 1000).then_some(value)
}

/// What of a field is read where so many bytes are left: all of it, or as many ranges as fit.
fn whole_ranges(field: &[u8], left: usize) -> &[u8] {
    if field.len() <= left {
        return field;
    }
    let start = field.get(..left).unwrap_or_default();
    start.iter().rposition(|byte| *byte == b',').and_then(|end| start.get(..end)).unwrap_or_default()
}

/// What stands between separators that are in no quoted string.
fn split(field: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = text.iter().position(|octet| {
            if std::mem::take(&mut is_escaped) {
                return false;
            }
            match octet {
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                octet => return !is_quoted && *octet == separator,
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
        // What clients send: curl and fetch, nothing at all, browsers for pages and images, JSON clients.
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
        // What is most precise decides on a form, wherever it stands.
        check(&["text/*;q=0.9, text/plain;q=0.1, text/html;q=0.2"], Html);
        check(&["text/html;q=0.3, text/*;q=0.8"], Text);
        check(&["*/*, text/plain;q=0"], Html);
        check(&["*/*, text/*;q=0"], Problem);
        check(&["application/*;q=0.5, application/problem+json;q=0, text/html;q=0.1"], Html);
        check(&["application/json, application/problem+json;q=0, text/html;q=0.1"], Html);
        check(&["text/*;q=0.3, text/html;q=0.7, text/html;level=1;q=0.1, text/plain;q=0.5"], Html);
        check(&["text/html;charset=utf-8;q=0.1, text/html, text/plain;q=0.5"], Html);
        // Named beats covered, earlier beats later.
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
        // Nonsense counts for nothing.
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
    fn octets_that_are_no_text_are_read_too() {
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
        // Several fields count together.
        check(&[&other.repeat(MAX_READ / other.len()), "text/html"], Form::Text);
        check(&[&other.repeat(22_000), "text/html"], Form::Text);
        // What is cut off is not taken for something shorter.
        let cut = format!("application/json;q=0.1,{}text/html;q=0.5", " ".repeat(MAX_READ - 40));
        check(&[&cut], Form::Html);
        check(&[&cut.replace("text/html", "   text/html")], Form::Problem);
        check(&[&format!("text/html,{}", "\"\\,;".repeat(20_000))], Form::Html);
        check(&["text/html", &"\"\\,;".repeat(20_000)], Form::Html);
    }
}
