//! `authgate matrix`

use std::collections::HashSet;

use authgate::policy::rules::RuleId;
use serde::Serialize;
use serde_json::json;

use super::color::{self, printable};
use super::diff::classes::Class;
use super::diff::compare::{Effect, Policy, Seen, Selected};
use super::diff::credentials::Credentials;
use super::diff::probes::Probes;
use super::diff::report::{Request, title};
use super::diff::{self, classes};
use super::load::Source;
use super::report::{TextOrJson as Format, pretty};
use super::{CommandOutput, Failure};

/// Show who may do what: the decision of each rule for each kind of caller.
///
/// For each rule, one request that selects it is decided without credentials, with unknown credentials, and with
/// credentials that authenticators could verify: with the scopes, claims and subjects that `authorize` requires, and
/// without each of them.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The output format.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Format,
}

/// The maximum number of requests to try when searching for one that selects each rule.
const MOST_REQUESTS: usize = 500_000;

/// The decisions of all rules for all callers.
#[derive(Serialize)]
struct Matrix {
    callers: Vec<String>,
    rows: Vec<Row>,
    /// Names of the rules for which no request was found, usually because earlier rules match everything that they match.
    without_request: Vec<String>,
}

/// The decisions of one rule.
#[derive(Serialize)]
struct Row {
    /// The name of the rule; `None` for requests that no rule matches.
    rule: Option<String>,
    request: Request,
    /// The decision for each caller.
    decisions: Vec<Decision>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct Decision {
    allowed: bool,
    text: String,
}

/// Runs `authgate matrix`.
pub fn run(arguments: &Arguments) -> Result<CommandOutput, Failure> {
    let policy = Policy::new(arguments.source.load()?);
    let matrix = matrix(&policy)?;
    let text = match arguments.output {
        Format::Text => text(&matrix),
        Format::Json => pretty(&json!(matrix)),
    };
    Ok(CommandOutput::success(text))
}

fn matrix(policy: &Policy) -> Result<Matrix, Failure> {
    let config = &policy.loaded.config;
    let mut probes = Probes::of([config, config]);
    let each = (probes.count() / probes.paths.len().max(1)).max(1);
    probes.paths.truncate(MOST_REQUESTS / each);
    let classes = by_rule(policy, &probes);
    let callers = callers(policy, &classes);
    let mut rows = Vec::with_capacity(classes.len());
    for class in &classes {
        let decisions: Result<Vec<Decision>, Failure> = callers
            .iter()
            .map(|caller| Ok(Decision::of(&policy.decide(&class.own, caller, policy)?)))
            .collect();
        rows.push(Row {
            rule: policy.rule_name(class.selected[0]).map(str::to_owned),
            request: diff::describe(class),
            decisions: decisions?,
        });
    }
    let known: HashSet<Selected> = classes.iter().map(|class| class.selected[0]).collect();
    let rules = (0..policy.loaded.policy.rules.len()).map(|at| Selected::Rule(RuleId::new(at)));
    let lost = rules.filter(|rule| !known.contains(rule)).filter_map(|rule| policy.rule_name(rule));
    let without_request = lost.map(str::to_owned).collect();
    Ok(without_redundant_callers(&callers, rows, without_request))
}

/// Returns a request for each rule, in the order of the rules, and one that no rule matches.
fn by_rule(policy: &Policy, probes: &Probes) -> Vec<Class> {
    let mut known = HashSet::new();
    let mut classes: Vec<Class> = classes::of(policy, policy, probes, &mut Vec::new())
        .into_iter()
        .filter(|class| !class.is_preflight && class.selected[0] != Selected::Ambiguous)
        .filter(|class| !policy.answers(&class.own) && known.insert(class.selected[0]))
        .collect();
    classes.sort_by_key(|class| match class.selected[0] {
        Selected::Rule(rule) => rule.index(),
        Selected::Nothing | Selected::Ambiguous => usize::MAX,
    });
    classes
}

/// Returns the callers of all rules: first those with one credential or none.
fn callers(policy: &Policy, classes: &[Class]) -> Vec<Credentials> {
    let mut callers: Vec<Credentials> = Vec::new();
    let mut known = HashSet::new();
    for class in classes {
        let all = diff::credentials_for(policy, policy, class).into_iter();
        callers.extend(all.filter(|caller| known.insert(caller.label.clone())));
    }
    callers.sort_by_key(|caller| caller.identities.len());
    callers
}

/// Removes callers with several credentials for whom all decisions are those of an earlier caller.
fn without_redundant_callers(
    callers: &[Credentials],
    rows: Vec<Row>,
    without_request: Vec<String>,
) -> Matrix {
    let decisions = |at: usize| rows.iter().map(move |row| row.decisions.get(at)).collect::<Vec<_>>();
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(callers.len());
    for (at, caller) in callers.iter().enumerate() {
        let told: Vec<Option<&str>> = decisions(at)
            .into_iter()
            .map(|decision| decision.map(|decision| decision.text.as_str()))
            .collect();
        if seen.insert(told) || caller.identities.len() < 2 {
            kept.push(at);
        }
    }
    let labels = kept.iter().filter_map(|at| callers.get(*at)).map(|caller| caller.label.clone()).collect();
    let rows = rows.iter().map(|row| Row {
        rule: row.rule.clone(),
        request: row.request.clone(),
        decisions: kept.iter().filter_map(|at| row.decisions.get(*at)).cloned().collect(),
    });
    Matrix { callers: labels, rows: rows.collect(), without_request }
}

impl Decision {
    fn of(seen: &Seen) -> Self {
        let text = match &seen.shadowed {
            Some(shadowed) => format!("{} ({shadowed})", seen.text),
            None => seen.text.clone(),
        };
        Decision { allowed: seen.effect == Effect::Allowed, text }
    }
}

/// The matrix as a list of rules: for each decision the callers that get it.
fn text(matrix: &Matrix) -> String {
    let mut text = String::new();
    for row in &matrix.rows {
        if !text.is_empty() {
            text.push('\n');
        }
        let name = match &row.rule {
            Some(name) => format!("rule {name:?}"),
            None => "no rule".to_owned(),
        };
        text.push_str(&format!("{}\n  {}\n", color::bold(&printable(&name)), title(&row.request)));
        let mut told: Vec<&Decision> = Vec::new();
        for decision in &row.decisions {
            if told.contains(&decision) {
                continue;
            }
            told.push(decision);
            let with = matrix.callers.iter().zip(&row.decisions).filter(|(_, other)| *other == decision);
            let with: Vec<&str> = with.map(|(caller, _)| caller.as_str()).collect();
            let with =
                if with.len() == matrix.callers.len() { "everybody".to_owned() } else { with.join("; ") };
            let what =
                if decision.allowed { color::green(&decision.text) } else { color::red(&decision.text) };
            text.push_str(&format!("  {what}: {}\n", printable(&with)));
        }
    }
    for name in &matrix.without_request {
        let name = printable(&format!("{name:?}"));
        text.push_str(&format!("{} no request was found that selects rule {name}\n", color::yellow("note:")));
    }
    text
}
