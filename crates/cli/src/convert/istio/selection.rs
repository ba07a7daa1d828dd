//! The workloads that a policy applies to.

use std::collections::BTreeMap;
use std::fmt;

use crate::convert::message::Message;

/// Workloads, as the metadata and the spec of a policy select them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The namespace; `None` if the file does not name one.
    pub namespace: Option<String>,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Workloads with these labels; if empty, all workloads of the namespace.
    Labels(BTreeMap<String, String>),
    /// The resource that `targetRefs` names.
    Resource { kind: String, name: String },
}

/// Answer to the question whether a policy applies to the workloads of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    Yes,
    No,
    /// The answer depends on facts that are not in the input.
    Perhaps,
}

/// The namespace whose policies apply to the whole mesh, unless an installation changes it.
const ROOT: &str = "istio-system";

/// Labels that select the workloads of a Gateway.
const GATEWAY_LABELS: [&str; 2] = ["gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"];

impl Selection {
    /// Reads `metadata.namespace`, `selector` and `targetRefs`.
    pub fn read(namespace: Option<&str>, spec: Option<&Message<'_>>) -> Vec<Selection> {
        let namespace = namespace.map(str::to_owned);
        let selection = |target| Selection { namespace: namespace.clone(), target };
        let Some(spec) = spec else { return vec![selection(Target::Labels(BTreeMap::new()))] };
        let mut references = spec.messages("targetRefs");
        references.extend(spec.message("targetRef"));
        let selections = references.iter().map(|reference| {
            // The kind is unambiguous: no two groups have a kind of the same name.
            reference.skip(&["group"]);
            if let Some(given) =
                reference.text("namespace").filter(|given| Some(*given) != namespace.as_deref())
            {
                let what = format!("`{given}` is another namespace than the policy's");
                reference.finding_at("namespace", &what, "Istio ignores such a reference; correct it.");
            }
            let text = |name| reference.text(name).unwrap_or_default().to_owned();
            selection(Target::Resource { kind: text("kind"), name: text("name") })
        });
        let selections: Vec<Selection> = selections.collect();
        let selector = spec.message("selector");
        let labels = selector.map(|selector| selector.text_map("matchLabels")).unwrap_or_default();
        if !selections.is_empty() {
            return selections;
        }
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        vec![selection(Target::Labels(labels))]
    }

    fn is_root(&self) -> bool {
        self.namespace.as_deref() == Some(ROOT)
    }

    /// Determines whether a policy with this selection applies to all workloads of another.
    pub fn applies_to(&self, workloads: &Selection) -> Applies {
        if self.namespace != workloads.namespace && !self.is_root() {
            return Applies::No;
        }
        match (&self.target, &workloads.target) {
            (same, target) if same == target && self.namespace == workloads.namespace => Applies::Yes,
            (Target::Labels(wanted), Target::Labels(given)) => {
                let has = |(name, value): (&String, &String)| given.get(name) == Some(value);
                if wanted.iter().all(has) { Applies::Yes } else { Applies::No }
            }
            // Gateways obey such policies, waypoints do not.
            (Target::Labels(wanted), Target::Resource { name, .. }) => {
                let is_gateway = |label: &&str| wanted.get(*label) == Some(name);
                let is_perhaps = wanted.is_empty() || GATEWAY_LABELS.iter().any(is_gateway);
                if is_perhaps { Applies::Perhaps } else { Applies::No }
            }
            (Target::Resource { kind, .. }, Target::Resource { kind: other, .. })
                if kind == "GatewayClass" && other == "Gateway" =>
            {
                Applies::Perhaps
            }
            (Target::Resource { .. }, _) => Applies::No,
        }
    }

    /// The workloads that both select; `None` if there are none.
    fn meet(&self, other: &Selection) -> Option<Selection> {
        let namespace = match (self.is_root(), other.is_root()) {
            _ if self.namespace == other.namespace => self.namespace.clone(),
            (true, _) => other.namespace.clone(),
            (false, true) => self.namespace.clone(),
            (false, false) => return None,
        };
        let (Target::Labels(a), Target::Labels(b)) = (&self.target, &other.target) else { return None };
        let mut labels = a.clone();
        for (name, value) in b {
            if labels.insert(name.clone(), value.clone()).is_some_and(|known| known != *value) {
                return None;
            }
        }
        Some(Selection { namespace, target: Target::Labels(labels) })
    }
}

/// All selections, and the overlaps of several of them; `None` if there are too many.
pub fn groups(selections: impl Iterator<Item = Selection>) -> Option<Vec<Selection>> {
    const MAX: usize = 64;
    let mut groups: Vec<Selection> = Vec::new();
    for selection in selections {
        if !groups.contains(&selection) {
            groups.push(selection);
        }
    }
    let mut at = 0;
    while let Some(group) = groups.get(at).cloned() {
        for other in 0..at {
            let shared = groups.get(other).and_then(|other| group.meet(other));
            if let Some(shared) = shared.filter(|shared| !groups.contains(shared)) {
                groups.push(shared);
            }
        }
        if groups.len() > MAX {
            return None;
        }
        at += 1;
    }
    Some(groups)
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.namespace {
            None => "the namespace".to_owned(),
            Some(_) if self.is_root() => format!("the whole mesh (root namespace {ROOT})"),
            Some(namespace) => format!("namespace {namespace}"),
        };
        match &self.target {
            Target::Labels(labels) if labels.is_empty() => write!(f, "all workloads of {place}"),
            Target::Labels(labels) => {
                let labels: Vec<String> =
                    labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "the workloads of {place} with the labels {}", labels.join(","))
            }
            Target::Resource { kind, name } => write!(f, "the workloads of {kind} {name} in {place}"),
        }
    }
}
