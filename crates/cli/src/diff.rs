//! `authgate diff`

mod callers;
mod calls;
pub mod classes;
pub mod compare;
pub mod credentials;
mod examples;
mod pattern;
pub mod probes;
pub mod report;
mod settings;
mod side;

use std::path::PathBuf;

use super::load::Beside;
use super::report::TextOrJson as Format;
use super::{CommandOutput, Failure};
use classes::Class;
use compare::{Effect, Policy, Seen, Selected};
use credentials::Credentials;
use probes::Probes;
use report::{Difference, Kind, Report};
use side::Side;

/// Compare the decisions of two policies.
///
/// Tries requests at, below and near the paths of both policies, with methods, hosts, addresses, MCP calls and origins
/// that rules name and others, without credentials and with credentials that authenticators could verify. Exit code 0:
/// all decisions are the same; 1: some differ; 2: the policies could not be compared completely.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file with the old configuration.
    old: PathBuf,
    /// The file with the new configuration.
    new: PathBuf,
    #[command(flatten)]
    beside: Beside,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

/// The maximum number of requests to try.
const MOST_REQUESTS: usize = 4_000_000;

/// Runs `authgate diff`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let old = Policy::new(arguments.beside.load(&arguments.old)?);
    let new = Policy::new(arguments.beside.load(&arguments.new)?);
    let mut probes = Probes::of([&old.loaded.config, &new.loaded.config]);
    let mut undecided = std::mem::take(&mut probes.unknown);
    undecided.extend(settings::undecided(&old.loaded.value, &new.loaded.value));
    if probes.count() > MOST_REQUESTS {
        let each = probes.count() / probes.paths.len().max(1);
        let paths = MOST_REQUESTS / each.max(1);
        undecided.push(format!(
            "{} of {} paths, beyond the limit of requests",
            probes.paths.len().saturating_sub(paths),
            probes.paths.len()
        ));
        probes.paths.truncate(paths);
    }
    let mut report = Report {
        differences: Vec::new(),
        requests: probes.count(),
        decisions: 0,
        undecided,
        not_compared: settings::not_compared(&old.loaded.value, &new.loaded.value),
    };
    for class in classes::of(&old, &new, &probes, &mut report.undecided) {
        report.decisions += compare(&old, &new, &class, &mut report.differences)?;
    }
    report.differences.sort_by_key(|difference| difference.kind);
    if report.differences.is_empty() && settings::has_changed_regexes(&old.loaded.value, &new.loaded.value) {
        report.undecided.push("paths that a regex matches: only examples were tried".to_owned());
    }
    if report.differences.is_empty() && !report.undecided.is_empty() {
        return Err(format!(
            "no difference found, but these could not be compared:\n{}",
            report.undecided.join("\n")
        ));
    }
    let text = match arguments.output {
        Format::Text => report.text(),
        Format::Json => report.json(),
    };
    Ok(CommandOutput { text, notes: String::new(), is_success: report.differences.is_empty() })
}

/// Tries a request with all credentials, and returns the number of decisions.
fn compare(
    old: &Policy,
    new: &Policy,
    class: &Class,
    differences: &mut Vec<Difference>,
) -> Result<usize, Failure> {
    let mut all = credentials_for(old, new, class);
    if class.is_preflight {
        all.truncate(1);
    }
    let mut found: Vec<Difference> = Vec::new();
    for credentials in &all {
        let Credentials { label, .. } = credentials;
        let was = old.decide(&class.own, credentials, new)?.rename(old, new);
        let is = new.decide(&class.own, credentials, old)?;
        let Some(kind) = kind(&was, &is) else { continue };
        let change = change(kind, &was, &is);
        match found.iter_mut().find(|known| known.kind == kind && known.change == change) {
            Some(known) => known.credentials.push(label.clone()),
            None => found.push(Difference {
                kind,
                request: describe(class),
                rules: [(old, class.selected[0]), (new, class.selected[1])]
                    .map(|(policy, selected)| policy.rule_name(selected).map(str::to_owned)),
                credentials: vec![label.clone()],
                change,
            }),
        }
    }
    differences.extend(found);
    Ok(all.len())
}

/// Returns all credentials to try for the rules that a request selects.
pub fn credentials_for(old: &Policy, new: &Policy, class: &Class) -> Vec<Credentials> {
    let [of_old, of_new] = &class.values;
    let both = [(old, class.selected[0], of_old), (new, class.selected[1], of_new)];
    credentials::of(both.map(|(policy, selected, values)| Side {
        config: &policy.loaded.config,
        policy: &policy.loaded.policy,
        rule: match selected {
            Selected::Rule(rule) => Some(rule),
            Selected::Nothing | Selected::Ambiguous => None,
        },
        values,
        now: class.own.now,
    }))
}

fn kind(old: &Seen, new: &Seen) -> Option<Kind> {
    Some(match (old.effect, new.effect) {
        (Effect::Allowed, Effect::Allowed) if old.identity != new.identity => Kind::Identified,
        (Effect::Allowed, Effect::Allowed) if old.shadowed != new.shadowed => Kind::Shadowed,
        (one, other) if one == other => return None,
        (_, Effect::Allowed) => Kind::Allowed,
        (Effect::Allowed, Effect::Denied) => Kind::Denied,
        _ => Kind::Answered,
    })
}

/// The old and the new side of a difference.
fn change(kind: Kind, old: &Seen, new: &Seen) -> [String; 2] {
    match kind {
        Kind::Identified => [(old, new), (new, old)].map(|(seen, other)| {
            let own = seen.identity.iter().filter(|pair| !other.identity.contains(pair));
            let own: Vec<String> = own.map(|(name, value)| format!("{name} {value:?}")).collect();
            if own.is_empty() { seen.text.clone() } else { own.join(", ") }
        }),
        Kind::Shadowed => [old, new].map(|seen| seen.shadowed.clone().unwrap_or_else(|| seen.text.clone())),
        _ => [old.text.clone(), new.text.clone()],
    }
}

/// Describes a request without the values that represent all that no rule names.
pub fn describe(class: &Class) -> report::Request {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let host = text(&class.own.authority);
    report::Request {
        method: text(&class.own.method),
        host: Some(host).filter(|host| !Probes::is_any_host(host)),
        path: class.own.path.clone(),
        peer: class.own.peer.filter(|peer| !Probes::is_any_peer(*peer)),
        preflight_for: class.is_preflight.then(|| {
            let asked = class.own.fields.iter().find(|(name, _)| name == b"access-control-request-method");
            asked.map(|(_, method)| text(method)).unwrap_or_default()
        }),
        headers: class.headers.clone(),
    }
}
