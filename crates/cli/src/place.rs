//! A path in a configuration, such as `rules[2].require.any_of[0]` → its position in the file.

use std::ops::Range;

use authgate::config::ConfigErrorKind;

use super::document::{Kind, Member, Node, Style};

/// The position of the error at `path` in `text`, the file of `root`.
pub fn of_error(text: &str, root: &Node, path: &str, kind: &ConfigErrorKind) -> Range<usize> {
    match kind {
        ConfigErrorKind::UnknownField { .. } => of_name(text, root, path),
        ConfigErrorKind::Invalid(message) => of_line(text, root, path, message),
        _ => of_value(text, root, path),
    }
}

/// The position of the name at the end of `path`.
pub fn of_name(text: &str, root: &Node, path: &str) -> Range<usize> {
    let reached = follow(root, path);
    match reached.member {
        Some(member) if reached.node.span == member.value.span => member.at.clone(),
        _ => shown(text, &reached),
    }
}

/// The position of the value at `path`, or of its closest existing ancestor.
pub fn of_value(text: &str, root: &Node, path: &str) -> Range<usize> {
    shown(text, &follow(root, path))
}

/// The position of the line that a message on an htpasswd or htdigest entry names, if the text is a literal block.
fn of_line(text: &str, root: &Node, path: &str, message: &str) -> Range<usize> {
    let reached = follow(root, path);
    let number = message.strip_prefix("line ").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
    if let (Kind::Scalar(scalar), Some(number)) = (&reached.node.kind, number)
        && scalar.style == Style::Literal
    {
        let span = &reached.node.span;
        let mut lines = text.get(span.clone()).unwrap_or_default().split_inclusive('\n');
        let before: usize = lines.by_ref().take(number - 1).map(str::len).sum();
        if let Some(line) = lines.next() {
            let start = span.start + before;
            let indent = line.len() - line.trim_start().len();
            return start + indent..start + line.trim_end().len().max(indent);
        }
    }
    shown(text, &reached)
}

/// The end of the part of a path that exists.
struct Reached<'a> {
    node: &'a Node,
    /// The member whose value is `node`, or the list that contains it.
    member: Option<&'a Member>,
}

fn follow<'a>(root: &'a Node, path: &str) -> Reached<'a> {
    let mut reached = Reached { node: root, member: None };
    for step in steps(path) {
        let next = match &step {
            Step::Member(name) => member(reached.node, name).map(|member| (&member.value, Some(member))),
            // A single value may replace a list with one element.
            Step::Element(at) => match &reached.node.kind {
                Kind::List(elements) => elements.get(*at).map(|node| (node, reached.member)),
                _ => Some((reached.node, reached.member)),
            },
        };
        match next {
            Some((node, member)) => reached = Reached { node, member },
            None => break,
        }
    }
    reached
}

/// Finds a member by the name in a message. Messages omit the index of a list with one element, and truncate invalid
/// user names after the colon.
fn member<'a>(node: &'a Node, name: &str) -> Option<&'a Member> {
    if let [only] = node.elements() {
        return member(only, name);
    }
    let exact = node.member(name);
    exact
        .or_else(|| node.members().iter().find(|member| name.ends_with(':') && member.name.starts_with(name)))
}

enum Step {
    Member(String),
    Element(usize),
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (name, after) = unquote(quoted);
            steps.push(Step::Member(name));
            rest = after;
        } else if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            steps.extend(index.parse().map(Step::Element));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        }
    }
    steps
}

/// Parses a name in the form of `{:?}`, after the opening quote; returns it and the text after the bracket.
fn unquote(quoted: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (name, quoted.get(at + 2..).unwrap_or_default()),
            '\\' => match letters.next().map(|(_, letter)| letter) {
                Some('n') => name.push('\n'),
                Some('r') => name.push('\r'),
                Some('t') => name.push('\t'),
                Some('0') => name.push('\0'),
                Some('u') => {
                    let digits: String = letters
                        .by_ref()
                        .map(|(_, letter)| letter)
                        .take_while(|letter| *letter != '}')
                        .collect();
                    let digits = digits.trim_start_matches('{');
                    name.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
                }
                Some(letter) => name.push(letter),
                None => {}
            },
            letter => name.push(letter),
        }
    }
    (name, "")
}

/// The part of a value to mark: the whole value if it is on one line, else its name, else its first line.
fn shown(text: &str, reached: &Reached<'_>) -> Range<usize> {
    let span = &reached.node.span;
    let written = text.get(span.clone()).unwrap_or_default();
    let is_block = matches!(&reached.node.kind, Kind::Scalar(scalar) if matches!(scalar.style, Style::Literal | Style::Folded));
    let named = reached.member.filter(|member| member.value.span == *span);
    match named {
        Some(member) if is_block || written.trim().is_empty() || written.contains('\n') => member.at.clone(),
        _ => {
            let line = written.lines().next().unwrap_or_default().trim_end();
            span.start..span.start + line.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use authgate::config::path::ConfigPath;

    use super::*;
    use crate::document;

    const TEXT: &str = "\
realm: a
authenticators:
  \"a b\": {basic: {users: {alice: h, \"x:y\": z}}}
  c:
    basic:
      htpasswd: |
        one
        two
rules:
  - require: {any_of: [c, d]}
    match:
      prefix: /
  - match: [{prefix: /a}]
";

    fn check(path: &str, expected: &str) {
        let root = document::parse(TEXT).unwrap().remove(0);
        assert_eq!(TEXT.get(of_value(TEXT, &root, path)), Some(expected), "{path}");
    }

    #[test]
    fn a_path_is_found_in_the_file() {
        check("realm", "a");
        check("rules[0].require.any_of[1]", "d");
        check("rules[0].require", "{any_of: [c, d]}");
        check("rules[0].match", "prefix: /");
        check("rules[0]", "require: {any_of: [c, d]}");
        check("rules[0].match[0].prefix", "/");
        check("rules[1].match.prefix", "/a");
        check("rules[2]", "rules");
        check("authenticators[\"a b\"].basic.users.alice", "h");
        check("authenticators[\"a b\"].basic.users[\"x:\"]", "z");
        check("authenticators.c.basic.htpasswd", "htpasswd");
        check("authenticators.c.basic.realm", "basic");
        check("nothing", "realm: a");
        check("", "realm: a");
    }

    #[test]
    fn a_line_of_a_text_is_found_in_the_file() {
        let root = document::parse(TEXT).unwrap().remove(0);
        let check = |message: &str, expected: &str| {
            let found = of_line(TEXT, &root, "authenticators.c.basic.htpasswd", message);
            assert_eq!(TEXT.get(found), Some(expected));
        };
        check("line 1: wrong", "one");
        check("line 2: wrong", "two");
        check("line 3: wrong", "htpasswd");
        check("wrong", "htpasswd");
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let check = |name: &str| {
            let path = ConfigPath::Root.member("a").member(name).to_string();
            match steps(&path).as_slice() {
                [Step::Member(a), Step::Member(found)] => {
                    assert_eq!((a.as_str(), found.as_str()), ("a", name))
                }
                _ => panic!("{path}"),
            }
        };
        for name in ["b", "", "a b", "a.b", "a[0]", "q\"q", "b\\b", "l\nl", "ü", "\u{7}", "\u{200b}"] {
            check(name);
        }
    }
}
