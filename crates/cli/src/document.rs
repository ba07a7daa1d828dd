//! A file as written: its values and their positions.

mod scalar;

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

/// A value and its position, in bytes from the start of the file.
#[derive(Debug, Clone)]
pub struct Node {
    pub span: Range<usize>,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Member>),
}

#[derive(Debug, Clone)]
pub struct Scalar {
    pub text: String,
    pub style: Style,
    tag: Option<String>,
}

/// The YAML style of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
    /// `|`: each line of the scalar is a line of the file.
    Literal,
    /// `>`.
    Folded,
}

#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    /// The position of the name.
    pub at: Range<usize>,
    pub value: Node,
    pub style: Style,
    is_ignored: bool,
}

/// The parser that reads the file, which determines the meaning of plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// JSON ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)).
    Json,
    /// A configuration by itself: like [`Dialect::Kubernetes`], but names stay as written.
    Alone,
    /// The tools of Kubernetes: YAML 1.1 with merge keys.
    Kubernetes,
    /// Envoy: YAML 1.1 by yaml-cpp, without merge keys and without fractions.
    Envoy,
}

/// The reason why a text is not YAML.
#[derive(Debug)]
pub struct SyntaxError {
    pub at: usize,
    pub what: String,
}

/// The maximum number of values in a file after aliases are expanded.
const MAX_NODES: usize = 1_000_000;

/// The maximum nesting depth of values.
const MAX_DEPTH: usize = 200;

/// Parses all documents of a YAML file; a JSON file is one document.
///
/// # Errors
/// If the text is not YAML, or exceeds the limits.
pub fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let offset = |index: usize| offsets.get(index).copied().unwrap_or(text.len());
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let Span { start, end, .. } = span;
                let span = offset(start.index())..offset(end.index());
                let at = span.start;
                reader.take(event, span).map_err(|what| SyntaxError { at, what: what.to_owned() })?;
            }
            Err(error) => {
                let at = offset(error.marker().index());
                return Err(SyntaxError { at, what: error.info().to_owned() });
            }
        }
    }
    Ok(reader.documents)
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

/// A list or map that is not yet complete.
struct Open {
    anchor: usize,
    start: Range<usize>,
    nodes: usize,
    kind: Kind,
    name: Option<(String, Range<usize>, Style, bool)>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let tag = tag.as_deref().map(tag_name);
                let scalar = Scalar { text: text.into_owned(), style, tag };
                self.complete(Node { span, kind: Kind::Scalar(scalar) }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(anchor, span, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(anchor, span, Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                // A block collection has no end marker; the parser ends it where the next value starts.
                let end = if span.is_empty() { end_of(&open.kind, open.start.end) } else { span.end };
                let node = Node { span: open.start.start..end, kind: open.kind };
                self.complete(node, open.anchor, open.nodes + 1)
            }
            Event::Alias(anchor) => {
                let (node, nodes) = self.anchors.get(&anchor).cloned().ok_or("alias of an unknown anchor")?;
                self.complete(node, 0, nodes)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, start: Range<usize>, kind: Kind) -> Result<(), &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err("nested too deeply");
        }
        self.open.push(Open { anchor, start, nodes: 0, kind, name: None });
        Ok(())
    }

    fn complete(&mut self, node: Node, anchor: usize, nodes: usize) -> Result<(), &'static str> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err("aliases expand to too many values");
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.nodes += nodes;
        match (&mut open.kind, open.name.take(), node) {
            (Kind::List(elements), _, node) => elements.push(node),
            (Kind::Map(members), Some((name, at, style, is_ignored)), value) => {
                members.push(Member { name, at, value, style, is_ignored });
            }
            (Kind::Map(_), None, Node { span, kind: Kind::Scalar(scalar) }) => {
                let is_ignored = scalar.tag.as_deref() == Some("!ignore");
                open.name = Some((scalar.text, span, scalar.style, is_ignored));
            }
            _ => return Err("expected a string as the name of a member"),
        }
        Ok(())
    }
}

fn end_of(kind: &Kind, otherwise: usize) -> usize {
    let last = match kind {
        Kind::List(elements) => elements.last(),
        Kind::Map(members) => members.last().map(|member| &member.value),
        Kind::Scalar(_) => None,
    };
    last.map_or(otherwise, |last| last.span.end.max(otherwise))
}

fn tag_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

impl Node {
    /// The member with this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.name == name)
    }

    /// The value of the member with this name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.member(name).map(|member| &member.value)
    }

    /// The members of a map; empty for other values.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Map(members) => members,
            _ => &[],
        }
    }

    /// The elements of a list; empty for other values.
    pub fn elements(&self) -> &[Node] {
        match &self.kind {
            Kind::List(elements) => elements,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Returns the node with names converted and merge keys applied as `dialect` does.
    pub fn read_as(&self, dialect: Dialect) -> Node {
        let kind = match &self.kind {
            Kind::Scalar(scalar) => Kind::Scalar(scalar.clone()),
            Kind::List(elements) => Kind::List(elements.iter().map(|node| node.read_as(dialect)).collect()),
            Kind::Map(members) => Kind::Map(read_members(members, dialect)),
        };
        Node { span: self.span.clone(), kind }
    }

    /// The repeated members of each object, without the first of each name.
    pub fn repeated(&self) -> Vec<&Member> {
        let mut repeated = Vec::new();
        self.collect_repeated(&mut repeated);
        repeated
    }

    fn collect_repeated<'a>(&'a self, repeated: &mut Vec<&'a Member>) {
        let mut seen = std::collections::HashSet::new();
        for member in self.members() {
            if !seen.insert(&member.name) && member.name != "<<" {
                repeated.push(member);
            }
            member.value.collect_repeated(repeated);
        }
        self.elements().iter().for_each(|element| element.collect_repeated(repeated));
    }

    /// The names that Kubernetes converts to booleans, such as the `y` of a JWK.
    pub fn boolean_names<'a>(&'a self, text: &str) -> Vec<&'a Member> {
        let own = self.members().iter().filter(|member| {
            let written = text.get(member.at.clone()).unwrap_or_default();
            written != member.name && scalar::plain_boolean(written).is_some()
        });
        let values = self.members().iter().map(|member| &member.value).chain(self.elements());
        own.chain(values.flat_map(|value| value.boolean_names(text))).collect()
    }

    /// The JSON value of the node in `dialect`.
    pub fn value(&self, dialect: Dialect) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(dialect),
            Kind::List(elements) => elements.iter().map(|element| element.value(dialect)).collect(),
            Kind::Map(members) => {
                let members = members.iter().map(|member| (member.name.clone(), member.value.value(dialect)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the node with all positions mapped by `place`.
    pub fn moved(self, place: &dyn Fn(Range<usize>) -> Range<usize>) -> Node {
        let kind = match self.kind {
            Kind::Scalar(scalar) => Kind::Scalar(scalar),
            Kind::List(elements) => {
                Kind::List(elements.into_iter().map(|element| element.moved(place)).collect())
            }
            Kind::Map(members) => Kind::Map(
                members
                    .into_iter()
                    .map(|member| Member { at: place(member.at), value: member.value.moved(place), ..member })
                    .collect(),
            ),
        };
        Node { span: place(self.span), kind }
    }
}

fn read_members(members: &[Member], dialect: Dialect) -> Vec<Member> {
    let mut read: Vec<Member> = Vec::with_capacity(members.len());
    let is_merge = |member: &Member| {
        let merges = matches!(dialect, Dialect::Alone | Dialect::Kubernetes);
        merges && member.style == Style::Plain && member.name == "<<"
    };
    for member in members.iter().filter(|member| !is_merge(member)) {
        if member.is_ignored && dialect == Dialect::Envoy {
            continue;
        }
        let name = match scalar::plain_boolean(&member.name) {
            Some(truth) if dialect == Dialect::Kubernetes && member.style == Style::Plain => {
                truth.to_string()
            }
            _ => member.name.clone(),
        };
        read.push(Member { name, value: member.value.read_as(dialect), ..member.clone() });
    }
    // Written members override merged ones; among merged ones, the first wins.
    for merged in members.iter().filter(|member| is_merge(member)) {
        let one = std::slice::from_ref(&merged.value);
        let sources = if merged.value.elements().is_empty() { one } else { merged.value.elements() };
        for member in sources.iter().flat_map(|source| read_members(source.members(), dialect)) {
            if read.iter().all(|known| known.name != member.name) {
                read.push(member);
            }
        }
    }
    read
}
