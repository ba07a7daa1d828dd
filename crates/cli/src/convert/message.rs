//! Objects of the input, read by the rules of protobuf JSON.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use super::finding::{At, Findings};
use crate::document::{Dialect, Kind, Member, Node};

/// The file that a message is in.
#[derive(Clone)]
pub struct File<'a> {
    pub name: Rc<str>,
    pub text: &'a str,
    pub dialect: Dialect,
    pub findings: &'a Findings,
}

/// An object of the input: a protobuf message in JSON or YAML form.
///
/// Members are found by their snake_case or camelCase name; `null` counts as absent; a single value counts as a list of
/// one. Every member that is unread when the message is dropped becomes a finding, so a converter cannot forget one.
pub struct Message<'a> {
    file: File<'a>,
    node: &'a Node,
    /// The name of the message in findings, such as `providers.idp`.
    name: String,
    read: RefCell<Vec<usize>>,
    /// True if unread members become findings.
    is_checked: bool,
}

impl<'a> Message<'a> {
    /// Creates a message that reports unread members when it is dropped. `name` is its path in findings; empty at the
    /// top level.
    pub fn new(file: &File<'a>, node: &'a Node, name: impl Into<String>) -> Self {
        let mut message = Message::peek(file, node, name);
        if !matches!(node.kind, Kind::Map(_)) {
            message.finding("is not an object", "Correct the input: this is not a valid configuration.");
        }
        message.is_checked = true;
        message
    }

    /// Creates a message that is inspected and not converted: unread members do not become findings.
    pub fn peek(file: &File<'a>, node: &'a Node, name: impl Into<String>) -> Self {
        let read = RefCell::new(Vec::new());
        Message { file: file.clone(), node, name: name.into(), read, is_checked: false }
    }

    /// The line at which the message starts.
    pub fn at(&self) -> At {
        self.place(self.node.span.start)
    }

    /// The file that contains the message.
    pub fn file(&self) -> &File<'a> {
        &self.file
    }

    /// The object itself.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    fn place(&self, offset: usize) -> At {
        place(&self.file, offset)
    }

    /// The path of a member, as findings show it.
    pub fn path(&self, member: &str) -> String {
        match (self.name.is_empty(), member.is_empty()) {
            (true, _) => member.to_owned(),
            (_, true) => self.name.clone(),
            _ => format!("{}.{member}", self.name),
        }
    }

    /// Adds a finding about the whole message; `what` follows its name.
    pub fn finding(&self, what: &str, advice: impl Into<String>) {
        let name = if self.name.is_empty() { "this".to_owned() } else { format!("`{}`", self.name) };
        self.file.findings.add(&self.at(), format!("{name} {what}"), advice);
    }

    /// Adds a finding about a member; `what` follows its name.
    pub fn finding_at(&self, member: &str, what: &str, advice: impl Into<String>) {
        let at = self.find(member).map_or_else(|| self.at(), |(_, found)| self.place(found.at.start));
        self.file.findings.add(&at, format!("`{}` {what}", self.path(member)), advice);
    }

    fn find(&self, name: &str) -> Option<(usize, &'a Member)> {
        let wanted = camel(name);
        self.node.members().iter().enumerate().find(|(_, member)| camel(&member.name) == wanted)
    }

    /// The value of a member, which counts as read.
    pub fn node_of(&self, name: &str) -> Option<&'a Node> {
        let wanted = camel(name);
        let all = self.node.members().iter().enumerate();
        let mut found = None;
        for (at, member) in all.filter(|(_, member)| camel(&member.name) == wanted) {
            if found.is_some() {
                self.finding_at(name, "is present twice", "Keep one of them.");
            }
            self.read.borrow_mut().push(at);
            found = Some(&member.value);
        }
        found.filter(|node| !is_null(node, &self.file))
    }

    /// True if the message has this member, which then counts as read.
    pub fn has(&self, name: &str) -> bool {
        self.node_of(name).is_some()
    }

    /// Marks members that do not affect access as read.
    pub fn skip(&self, names: &[&str]) {
        for name in names {
            let _ = self.has(name);
        }
    }

    /// The value of a member as JSON.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.node_of(name).map(|node| node.value(self.file.dialect))
    }

    fn wrong(&self, name: &str, expected: &str) {
        self.finding_at(name, &format!("is not {expected}"), "Correct the input: Envoy would refuse it.");
    }

    /// The text of a member.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let node = self.node_of(name)?;
        let text = text_of(node, &self.file);
        if text.is_none() {
            self.wrong(name, "a string");
        }
        text
    }

    /// The text of a member if it is not empty: in protobuf JSON, an empty string is the same as an absent one.
    pub fn filled(&self, name: &str) -> Option<&'a str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// The scalar of a member, or the `value` of a wrapper such as `UInt32Value`.
    fn scalar(&self, name: &str) -> Option<Value> {
        let value = self.value(name)?;
        let inner =
            value.as_object().filter(|members| members.len() == 1).and_then(|members| members.get("value"));
        inner.cloned().or(Some(value))
    }

    /// The boolean of a member.
    pub fn bool(&self, name: &str) -> Option<bool> {
        let value = self.scalar(name)?;
        let boolean = match value.as_str() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => value.as_bool(),
        };
        if boolean.is_none() {
            self.wrong(name, "a boolean");
        }
        boolean
    }

    /// True if a boolean is present and true.
    pub fn is_true(&self, name: &str) -> bool {
        self.bool(name) == Some(true)
    }

    /// The number of a member, which must not be negative and can be written as a string.
    pub fn number(&self, name: &str) -> Option<u64> {
        let value = self.scalar(name)?;
        let whole = |value: f64| (value >= 0.0 && value.fract() == 0.0).then_some(value as u64);
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            value => value.as_u64().or_else(|| whole(value.as_f64()?)),
        };
        if number.is_none() {
            self.wrong(name, "a whole number");
        }
        number
    }

    /// The duration of a member, such as `1.5s`, in the form of authgate configurations.
    pub fn duration(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        let whole = |name: &str| match value.get(name) {
            None => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(number) => number.as_u64(),
        };
        // Envoy also accepts a duration as an object with the members of the message.
        let parts = || {
            Some(format!(
                "{}.{:09}s",
                whole("seconds")?,
                whole("nanos").filter(|nanos| *nanos < 1_000_000_000)?
            ))
        };
        let text = match &value {
            Value::Object(members)
                if members.keys().all(|name| matches!(name.as_str(), "seconds" | "nanos")) =>
            {
                parts()
            }
            value => value.as_str().map(str::to_owned),
        };
        let duration = text.and_then(|text| super::duration(&text));
        if duration.is_none() {
            self.wrong(name, "a duration");
        }
        duration
    }

    /// The message of a member.
    pub fn message(&self, name: &str) -> Option<Message<'a>> {
        let node = self.node_of(name)?;
        Some(self.inner(node, self.path(name)))
    }

    fn inner(&self, node: &'a Node, name: String) -> Message<'a> {
        match self.is_checked {
            true => Message::new(&self.file, node, name),
            false => Message::peek(&self.file, node, name),
        }
    }

    fn elements(&self, name: &str) -> &'a [Node] {
        match self.node_of(name) {
            Some(node) if matches!(node.kind, Kind::List(_)) => node.elements(),
            Some(node) => std::slice::from_ref(node),
            None => &[],
        }
    }

    /// The messages of a list member.
    pub fn messages(&self, name: &str) -> Vec<Message<'a>> {
        let elements = self.elements(name).iter().enumerate();
        elements.map(|(at, node)| self.inner(node, format!("{}[{at}]", self.path(name)))).collect()
    }

    /// The texts of a list member.
    pub fn texts(&self, name: &str) -> Vec<&'a str> {
        let elements = self.elements(name);
        let texts: Vec<&str> = elements.iter().filter_map(|node| text_of(node, &self.file)).collect();
        if texts.len() != elements.len() {
            self.wrong(name, "a list of strings");
        }
        texts
    }

    /// The entries of a member that maps names to messages.
    pub fn map(&self, name: &str) -> Vec<(&'a str, Message<'a>)> {
        let members = self.node_of(name).map(Node::members).unwrap_or_default();
        let path = |member: &str| format!("{}.{member}", self.path(name));
        members
            .iter()
            .map(|member| (member.name.as_str(), self.inner(&member.value, path(&member.name))))
            .collect()
    }

    /// One value of a member that maps names to messages. The other values may stay unread.
    pub fn entry(&self, name: &str, key: &str) -> Option<Message<'a>> {
        let member = self.node_of(name)?.member(key)?;
        Some(self.inner(&member.value, format!("{}.{key}", self.path(name))))
    }

    /// The entries of a member that maps names to texts.
    pub fn text_map(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        let members = self.node_of(name).map(Node::members).unwrap_or_default();
        let texts: Vec<_> = members
            .iter()
            .filter_map(|member| Some((member.name.as_str(), text_of(&member.value, &self.file)?)))
            .collect();
        if texts.len() != members.len() {
            self.wrong(name, "a map of strings");
        }
        texts
    }

    /// The names of all members, as written.
    pub fn names(&self) -> Vec<&'a str> {
        self.node.members().iter().map(|member| member.name.as_str()).collect()
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        if !self.is_checked {
            return;
        }
        let read = self.read.borrow();
        for (at, member) in self.node.members().iter().enumerate() {
            if !read.contains(&at) && member.name != "@type" && !is_null(&member.value, &self.file) {
                let what = format!("`{}` has no equivalent here", self.path(&member.name));
                let advice = "Remove it if it does not affect access; else write the rule by hand.";
                self.file.findings.add(&self.place(member.at.start), what, advice);
            }
        }
    }
}

/// The file and line of an offset.
pub fn place(file: &File<'_>, offset: usize) -> At {
    let before = file.text.as_bytes().get(..offset).unwrap_or(file.text.as_bytes());
    At { file: file.name.clone(), line: before.iter().filter(|byte| **byte == b'\n').count() + 1 }
}

fn text_of<'a>(node: &'a Node, file: &File<'_>) -> Option<&'a str> {
    node.value(file.dialect).is_string().then(|| node.text())?
}

fn is_null(node: &Node, file: &File<'_>) -> bool {
    matches!(node.kind, Kind::Scalar(_)) && node.value(file.dialect).is_null()
}

/// The JSON name of a protobuf field.
fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut is_upper = false;
    for letter in name.chars() {
        match letter {
            '_' => is_upper = true,
            letter if is_upper => {
                camel.push(letter.to_ascii_uppercase());
                is_upper = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}
