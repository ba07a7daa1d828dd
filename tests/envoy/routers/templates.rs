//! Random templates, written for authgate and for each router.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::differential::random::Random;

/// Variables, each compared with the claim of the same name.
pub const VARIABLES: [&str; 3] = ["sub", "b", "c"];
/// First segments, different for each template: `ServeMux` panics if two of its patterns conflict.
const FIRST: [&str; 6] = ["users", "orgs", "v1", "files", "a-b", "admin"];
const LITERALS: [&str; 4] = ["keys", "users", "x", "settings"];

/// A segment of a template.
pub enum Segment {
    Literal(&'static str),
    Variable(&'static str),
    /// All further segments; compared unless the name is `rest`.
    Rest(&'static str),
}

/// A template and its name, which is that of its rule.
pub struct Template {
    pub name: String,
    pub segments: Vec<Segment>,
}

impl Template {
    /// Returns the templates of a world. Every fourth world has a single one, whose first segment is a variable.
    pub fn set(world: usize, random: &mut Random) -> Vec<Self> {
        if world % 4 == 3 {
            let mut alone = Self::random(0, FIRST[0], random);
            alone.segments[0] = Segment::Variable("c");
            alone.segments.retain(|segment| !matches!(segment, Segment::Rest("c")));
            return vec![alone];
        }
        (0..3 + random.below(4)).map(|at| Self::random(at, FIRST[at], random)).collect()
    }

    fn random(at: usize, first: &'static str, random: &mut Random) -> Self {
        let mut variables = VARIABLES[..2].iter().copied();
        let mut segments = vec![Segment::Literal(first)];
        // One variable at least, anywhere after the first segment.
        let (length, must) = (1 + random.below(3), random.below(3));
        for place in 0..length {
            let variable = place == must % length || random.below(3) == 0;
            match variable.then(|| variables.next()).flatten() {
                Some(name) => segments.push(Segment::Variable(name)),
                None => segments.push(Segment::Literal(LITERALS[random.below(LITERALS.len())])),
            }
        }
        match random.below(4) {
            0 => segments.push(Segment::Rest("c")),
            1 | 2 => segments.push(Segment::Rest("rest")),
            _ => {}
        }
        Self { name: format!("t{at}"), segments }
    }

    /// Returns the variables that are compared, in order.
    fn compared(&self) -> impl Iterator<Item = &'static str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) | Segment::Rest(name) if *name != "rest" => Some(*name),
            _ => None,
        })
    }

    /// Returns the response of a router to the caller's own path.
    pub fn own(&self, values: &BTreeMap<&'static str, String>) -> String {
        let lines = self.compared().map(|name| format!("{name}={}\n", values[name]));
        format!("{}\n{}", self.name, lines.collect::<String>())
    }

    /// Returns the rule of authgate, with or without the comparison.
    pub fn rule(&self, compares: bool) -> Value {
        let written = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Variable(name) => format!("/{{{name}}}"),
            Segment::Rest(name) => format!("/{{{name}=**}}"),
        });
        let template = written.collect::<String>();
        let mut rule = json!({"name": self.name, "match": {"template": template}, "require": "idp"});
        if compares {
            let claims = self.compared().map(|name| (name.to_owned(), json!({"path": name})));
            rule["authorize"] = json!({"claims": claims.collect::<serde_json::Map<_, _>>()});
        }
        rule
    }

    /// Returns the route as the scripts in `tests/routers` expect it.
    pub fn route(&self) -> Value {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => json!({"literal": text}),
            Segment::Variable(name) => json!({"variable": name}),
            Segment::Rest(name) => json!({"rest": name}),
        });
        json!({"name": self.name, "segments": Value::from_iter(segments)})
    }

    /// Returns the location of nginx, which captures the parameters of its decoded path.
    pub fn location(&self) -> String {
        let pattern = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Variable(name) => format!("/(?<{}_{name}>[^/]+)", self.name),
            Segment::Rest(name) => format!("/(?<{}_{name}>.*)", self.name),
        });
        let pattern = pattern.collect::<String>();
        let lines = self.compared().map(|name| format!("{name}=${{{}_{name}}}\n", self.name));
        let body = format!("{}\n{}", self.name, lines.collect::<String>());
        format!("location ~ \"(?s)^{pattern}\\z\" {{ default_type text/plain; return 200 \"{body}\"; }}\n")
    }
}
