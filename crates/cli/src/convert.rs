//! `authgate convert`: configuration of other filters → authgate configuration.
//!
//! If the tool does not understand a part of the input, the output denies the requests that the part is about. All
//! converters share:
//!
//! - [`Findings`] collects the parts that cannot be converted. A `Finding` is `{file, line, what, advice}`. Any
//!   finding sets the exit code to 1, and all findings are printed to standard error, numbered. With a
//!   [`Mark`](finding::Mark) from before a part is converted, `findings.since(mark)` returns the findings in this part.
//! - [`Message`](message::Message) reads an object of the input by field names (snake_case or camelCase). It adds
//!   findings for values of a wrong type and, when it is dropped, for every member that was not read. Fields that do
//!   not affect access are named in [`skip`](message::Message::skip).
//! - [`Output`] is one configuration: `Part`s with comments for authenticators and rules. `Part::close` makes a
//!   rule deny, [`Output::refuse`] removes an authenticator and closes every rule that requires it, and
//!   [`Output::deny_all`] denies everything. [`run`] calls [`Output::verify`], which runs `check` and does the same for
//!   parts with an error.
//!
//! A converter has the form `fn(&[Message]) -> Vec<Output>`. If `since(mark)` is not empty, it closes the rule or
//! refuses the authenticator. Each part that is stricter than the original gets a comment.

mod access;
mod embedded;
mod envoy;
mod envoy_gateway;
mod finding;
mod foreign;
mod istio;
mod message;
mod output;
mod path;
mod space;
mod write;

use std::path::PathBuf;

use serde_json::Value;

use self::finding::Findings;
use self::message::File;
use self::output::Output;
use super::document::{self, Dialect, Node};
use super::{CommandOutput, Failure, input};

/// Convert the configuration of other filters into an authgate configuration.
///
/// From Envoy: `jwt_authn`, `basic_auth`, `api_key_auth` and `rbac`, anywhere in a file. From Istio:
/// RequestAuthentication and AuthorizationPolicy, with all files together. From Envoy Gateway: SecurityPolicy, with its
/// Secrets. Parts that cannot be converted are listed on standard error, and the output denies requests there; the exit
/// code is 0 only if there are none. Comments show where authgate is stricter.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files that belong together; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The output directory: one file for each configuration, named after the input. Default: standard output.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Overwrite files in the output directory.
    #[arg(long, requires = "output")]
    force: bool,
}

/// A document of an input file.
struct Document {
    node: Node,
    dialect: Dialect,
    /// The index of the file.
    file: usize,
}

/// Runs `authgate convert`.
///
/// # Errors
/// Fails if an input cannot be read, is not valid YAML or has nothing to convert, or if the output cannot be written.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let mut files = Vec::with_capacity(arguments.files.len());
    for path in &arguments.files {
        files.push((input::name(path), input::read(path)?));
    }
    let findings = Findings::default();
    let outputs = convert(&files, &findings)?;
    let text = match &arguments.output {
        None => outputs.iter().map(Output::render).collect::<Vec<_>>().join("---\n"),
        Some(folder) => write::files(&outputs, folder, arguments.force)?,
    };
    Ok(CommandOutput { text, notes: findings.summary(), is_success: findings.is_empty() })
}

/// Converts the documents of all files.
fn convert(files: &[(String, String)], findings: &Findings) -> Result<Vec<Output>, Failure> {
    let mut documents = Vec::new();
    let mut parts = Vec::new();
    for (file, (name, text)) in files.iter().enumerate() {
        let parsed =
            document::parse(text).map_err(|error| format!("{name}: not valid YAML: {}", error.what))?;
        for node in parsed {
            let is_kubernetes = node.get("apiVersion").is_some();
            let dialect = if is_kubernetes { Dialect::Kubernetes } else { Dialect::Envoy };
            let node = node.read_as(dialect);
            embedded::find(name, text, &node, &mut parts);
            documents.push(Document { node, dialect, file });
        }
    }
    let mut files = files.to_vec();
    let mut unreadable = Vec::new();
    for part in parts {
        match document::parse(&part.text) {
            Ok(parsed) => {
                let file = files.len();
                let nodes = parsed.into_iter().map(|node| node.read_as(Dialect::Envoy));
                documents.extend(nodes.map(|node| Document { node, dialect: Dialect::Envoy, file }));
                files.push((part.name, part.text));
            }
            Err(error) => unreadable.push(embedded::refuse(&part, &error.what, findings)),
        }
    }
    let mut outputs = outputs(&files, &documents, findings);
    outputs.extend(unreadable);
    if outputs.is_empty() && findings.is_empty() {
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!(
            "{}: expected a filter of Envoy that authenticates or authorizes, such as `jwt_authn`, a RequestAuthentication or AuthorizationPolicy of Istio, or a SecurityPolicy of Envoy Gateway",
            names.join(", ")
        ));
    }
    outputs.iter_mut().for_each(|output| output.verify(findings));
    Ok(outputs)
}

/// The configurations from all documents.
fn outputs(files: &[(String, String)], documents: &[Document], findings: &Findings) -> Vec<Output> {
    let (mut envoy, mut istio, mut gateway) = (Vec::new(), Vec::new(), Vec::new());
    let (mut services, mut unknown) = (Vec::new(), Vec::new());
    for Document { node, dialect, file } in documents {
        let Some((name, text)) = files.get(*file) else { continue };
        let file = File { name: name.as_str().into(), text, dialect: *dialect, findings };
        let is_list = node.get("kind").and_then(Node::text).is_some_and(|kind| kind.ends_with("List"));
        let items = node.get("items").filter(|_| is_list).map(Node::elements);
        for node in items.unwrap_or(std::slice::from_ref(node)) {
            let resource = istio::Resource { file: file.clone(), node };
            if foreign::is_foreign(&resource) {
                unknown.push(foreign::refuse(&resource, findings));
                continue;
            }
            match resource.kind() {
                "PeerAuthentication" => foreign::keep(&resource, findings),
                "RequestAuthentication" | "AuthorizationPolicy" => istio.push(resource),
                "SecurityPolicy" | "Secret" | "ConfigMap" => gateway.push(resource),
                "ServiceEntry" => {
                    let hosts = node.get("spec").and_then(|spec| spec.get("hosts"));
                    let hosts = hosts.map(Node::elements).unwrap_or_default();
                    services.extend(hosts.iter().filter_map(Node::text).map(str::to_owned));
                }
                _ => envoy.push((file.clone(), node)),
            }
        }
    }
    let (mut outputs, notes) = envoy::convert(&envoy);
    outputs.extend(istio::convert(&istio, &services, findings));
    outputs.extend(envoy_gateway::convert(&gateway, findings));
    outputs.extend(unknown);
    for output in &mut outputs {
        output.head.extend(notes.iter().cloned());
    }
    outputs
}

/// Converts a text to a valid name of an authenticator or a rule.
fn label(text: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let label: String = text.chars().map(|letter| if allowed(letter) { letter } else { '-' }).collect();
    if label.is_empty() { "unnamed".to_owned() } else { label }
}

/// Converts a duration from the JSON form of protobuf, such as `1.5s`, to the form of authgate.
fn duration(text: &str) -> Option<String> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    let milliseconds = (seconds * 1000.0).round();
    let is_whole = milliseconds % 1000.0 == 0.0;
    (milliseconds >= 0.0).then(|| if is_whole { format!("{seconds}s") } else { format!("{milliseconds}ms") })
}

/// Adds a member to an object.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Converts the name of a claim, with dots between its parts, to a name or a JSON Pointer.
fn claim(path: &str) -> String {
    selector(&path.split('.').collect::<Vec<_>>())
}

/// Selector of the claim at a path of names: the name of a claim at the top level, or a JSON Pointer.
fn selector(names: &[&str]) -> String {
    match names {
        [name] if !name.starts_with('/') => (*name).to_owned(),
        _ => names.iter().map(|name| pointer_part(name)).collect(),
    }
}

/// Slash and escaped name, as a part of a JSON Pointer
/// ([RFC 6901 §3](https://www.rfc-editor.org/rfc/rfc6901#section-3)).
fn pointer_part(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
