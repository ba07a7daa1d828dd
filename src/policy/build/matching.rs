//! Builds the `match` of rules.

use std::fmt;

use super::Builder;
use crate::config::{self, Config, ConfigErrorKind};
use crate::http::cidr::Cidr;
use crate::http::host::HostPattern;
use crate::policy::rules::{MatchSpec, MethodError, MethodSet, Methods, PathPattern};

/// Returns the matches of each rule of a configuration, in order, for tools that explain why a request selects a rule.
/// A rule without matches matches every request.
pub fn matches(config: &Config) -> Vec<Vec<MatchSpec>> {
    Builder::new(config, &|_| None).matches(&config.rules.0)
}

impl Builder<'_> {
    /// Builds the matches of each rule, in order. A rule without matches matches every request.
    pub(super) fn matches(&mut self, rules: &[config::Rule]) -> Vec<Vec<MatchSpec>> {
        let rules = rules.iter().enumerate().map(|(at, rule)| {
            let Some(matches) = &rule.matches else { return Vec::new() };
            let path = format!("rules[{at}].match");
            if matches.0.is_empty() {
                self.error(
                    &path,
                    ConfigErrorKind::Expected("at least one element; omit `match` to match every request"),
                );
            }
            let single = matches.0.len() == 1;
            let specs = matches.0.iter().enumerate().map(|(at, matched)| {
                let path = if single { path.clone() } else { format!("{path}[{at}]") };
                self.spec(&path, matched)
            });
            specs.collect()
        });
        rules.collect()
    }

    /// Builds a match. A part with an error is treated as absent; the error is recorded, so no policy is built.
    fn spec(&mut self, path: &str, matched: &config::Match) -> MatchSpec {
        let lists = [&matched.methods, &matched.except_methods, &matched.hosts, &matched.sources];
        let paths = [&matched.path, &matched.prefix, &matched.template, &matched.regex];
        if paths.iter().all(|text| text.is_none()) && lists.iter().all(|list| list.is_none()) {
            self.error(
                path,
                ConfigErrorKind::Expected("at least one condition; omit `match` to match every request"),
            );
        }
        let pattern = match (&matched.path, &matched.prefix, &matched.template, &matched.regex) {
            (None, None, None, None) => None,
            (Some(text), None, None, None) => self.checked(&format!("{path}.path"), PathPattern::exact(text)),
            (None, Some(text), None, None) => {
                self.checked(&format!("{path}.prefix"), PathPattern::prefix(text))
            }
            (None, None, Some(text), None) => {
                self.checked(&format!("{path}.template"), PathPattern::template(text))
            }
            (None, None, None, Some(text)) => {
                self.checked(&format!("{path}.regex"), PathPattern::regex(text))
            }
            _ => {
                self.error(path, ConfigErrorKind::Expected("at most one of: path, prefix, template, regex"));
                None
            }
        };
        MatchSpec::new(
            pattern.unwrap_or_else(PathPattern::any),
            self.methods(path, matched),
            self.elements(&format!("{path}.hosts"), matched.hosts.as_deref(), HostPattern::parse),
            self.elements(&format!("{path}.sources"), matched.sources.as_deref(), Cidr::parse),
        )
    }

    fn methods(&mut self, path: &str, matched: &config::Match) -> Methods {
        match (&matched.methods, &matched.except_methods) {
            (None, None) => Methods::All,
            (Some(names), None) => {
                self.method_set(&format!("{path}.methods"), names).map_or(Methods::All, Methods::Only)
            }
            (None, Some(names)) => self
                .method_set(&format!("{path}.except_methods"), names)
                .map_or(Methods::All, Methods::Except),
            (Some(_), Some(_)) => {
                self.error(path, ConfigErrorKind::Expected("at most one of: methods, except_methods"));
                Methods::All
            }
        }
    }

    fn method_set(&mut self, path: &str, names: &[String]) -> Option<MethodSet> {
        let set = MethodSet::new(names.iter().map(String::as_str));
        let path = match set {
            Err(
                MethodError::NotToken(at)
                | MethodError::Wildcard(at)
                | MethodError::NotUpperCase(at)
                | MethodError::Repeated(at),
            ) => format!("{path}[{at}]"),
            _ => path.to_owned(),
        };
        self.checked(&path, set)
    }

    /// Parses each element of a list, which may be absent but not empty.
    fn elements<T, E: fmt::Display>(
        &mut self,
        path: &str,
        list: Option<&[String]>,
        parse: fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let Some(list) = list else { return Vec::new() };
        self.non_empty(path, list);
        let parsed = list
            .iter()
            .enumerate()
            .filter_map(|(at, text)| self.checked(&format!("{path}[{at}]"), parse(text)));
        parsed.collect()
    }
}
