//! MCP calls that a rule matches.

use crate::http::mcp::McpCall;

/// A condition on the MCP call of a request. Without methods it matches any method, and without names any name, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpMatch {
    /// Methods, one of which is required.
    pub methods: Vec<Box<str>>,
    /// Names, one of which is required.
    pub names: Vec<NamePattern>,
}

/// Names of tools or prompts, or URIs of resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// This name.
    Exact(Box<str>),
    /// Names that start with this text.
    Prefix(Box<str>),
}

impl McpMatch {
    /// True if this matches the call.
    pub fn matches(&self, call: &McpCall<'_>) -> bool {
        let is_named = || {
            call.name.as_deref().is_some_and(|name| self.names.iter().any(|pattern| pattern.matches(name)))
        };
        self.has_method(call) && (self.names.is_empty() || is_named())
    }

    /// True if this compares the name of the call, and servers may take the name for another one.
    pub(super) fn depends_on_reader(&self, call: &McpCall<'_>) -> bool {
        !self.names.is_empty() && self.has_method(call) && call.has_ambiguous_name()
    }

    fn has_method(&self, call: &McpCall<'_>) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|method| **method == *call.method)
    }

    /// True if this matches every call that `other` matches.
    pub(super) fn subsumes(&self, other: &McpMatch) -> bool {
        let has_methods = self.methods.is_empty()
            || (!other.methods.is_empty()
                && other.methods.iter().all(|method| self.methods.contains(method)));
        let has_name = |name: &NamePattern| self.names.iter().any(|pattern| pattern.subsumes(name));
        has_methods
            && (self.names.is_empty() || (!other.names.is_empty() && other.names.iter().all(has_name)))
    }
}

impl NamePattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            NamePattern::Exact(exact) => **exact == *name,
            NamePattern::Prefix(prefix) => name.starts_with(&**prefix),
        }
    }

    fn subsumes(&self, other: &NamePattern) -> bool {
        match other {
            NamePattern::Exact(name) => self.matches(name),
            NamePattern::Prefix(prefix) => {
                matches!(self, NamePattern::Prefix(start) if prefix.starts_with(&**start))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `METHODS NAMES`, with commas; `*` for any, and a name that ends in `*` for a prefix.
    fn mcp(text: &str) -> McpMatch {
        let (methods, names) = text.split_once(' ').unwrap();
        let list = |text: &'static str| text.split(',').filter(|text| *text != "*");
        let (methods, names): (&'static str, &'static str) =
            (String::from(methods).leak(), String::from(names).leak());
        let name = |name: &'static str| match name.strip_suffix('*') {
            Some(prefix) => NamePattern::Prefix(prefix.into()),
            None => NamePattern::Exact(name.into()),
        };
        McpMatch { methods: list(methods).map(Box::from).collect(), names: list(names).map(name).collect() }
    }

    #[test]
    fn method_and_name_must_both_match() {
        let check = |pattern: &str, method: &str, name: Option<&str>, expected: bool| {
            let call = McpCall { method, name: name.map(Into::into) };
            assert_eq!(mcp(pattern).matches(&call), expected, "{pattern}: {call:?}");
        };
        check("* *", "tools/list", None, true);
        check("tools/call *", "tools/call", Some("a"), true);
        check("tools/call *", "tools/list", None, false);
        check("tools/call *", "Tools/call", Some("a"), false);
        check("tools/call,tools/list *", "tools/list", None, true);
        check("tools/call a,b_*", "tools/call", Some("a"), true);
        check("tools/call a,b_*", "tools/call", Some("b_1"), true);
        check("tools/call a,b_*", "tools/call", Some("ab_1"), false);
        check("tools/call a", "tools/call", Some("A"), false);
        check("tools/call a", "prompts/get", Some("a"), false);
        check("* a", "prompts/get", Some("a"), true);
        check("* a", "tools/list", None, false);
    }

    #[test]
    fn a_wider_condition_subsumes_a_narrower_one() {
        let check = |wide: &str, narrow: &str| {
            assert!(mcp(wide).subsumes(&mcp(narrow)), "{wide} and {narrow}");
            assert!(!mcp(narrow).subsumes(&mcp(wide)), "{narrow} and {wide}");
        };
        check("* *", "tools/call *");
        check("* *", "* a");
        check("tools/call,tools/list *", "tools/call *");
        check("tools/call a*", "tools/call ab*");
        check("tools/call a*,b", "tools/call ab,b");
        assert!(!mcp("tools/call *").subsumes(&mcp("tools/list *")));
        assert!(!mcp("tools/call a").subsumes(&mcp("tools/call a*")));
    }
}
