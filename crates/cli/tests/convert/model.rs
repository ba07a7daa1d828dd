//! A small model of the decisions of Envoy's `jwt_authn`, by virtual host, route, rule and requirement, after its
//! reference.

use serde_json::{Value, json};

/// The headers that may contain a token.
pub const PLACES: [&str; 3] = ["authorization", "x-a", "x-b"];

/// A route match: a path matcher and conditions.
#[derive(Debug, Clone)]
pub struct Match {
    pub kind: &'static str,
    pub text: String,
    pub ignores_case: bool,
    /// A method, and true if the condition is inverted.
    pub method: Option<(&'static str, bool)>,
    /// True if the header `x-h` must be present, false if it must be absent.
    pub header: Option<bool>,
    /// True if the query parameter `q` must be present.
    pub query: bool,
}

#[derive(Debug, Clone)]
pub enum Need {
    Nothing,
    Provider(usize),
    Any(Vec<Need>),
    All(Vec<Need>),
    AllowMissing,
    AllowMissingOrFailed,
}

#[derive(Debug, Clone)]
pub enum Setting {
    Disabled,
    Named(usize),
}

#[derive(Debug, Clone)]
pub struct Route {
    pub matched: Match,
    pub setting: Option<Setting>,
}

#[derive(Debug, Clone)]
pub struct Host {
    pub domain: &'static str,
    pub setting: Option<Setting>,
    pub routes: Vec<Route>,
}

/// A filter, and the routes of its connection manager.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The header with the tokens of each provider, an index into [`PLACES`].
    pub providers: Vec<usize>,
    pub rules: Vec<(Match, Result<Need, usize>)>,
    pub named: Vec<Need>,
    pub hosts: Vec<Host>,
    pub is_disabled: bool,
}

/// A token of the issuer of a provider, valid or not.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub issuer: usize,
    pub is_good: bool,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub host: &'static str,
    pub path: String,
    pub has_header: bool,
    pub has_query: bool,
    /// The token in each header of [`PLACES`].
    pub tokens: [Option<Token>; 3],
}

impl Match {
    fn matches(&self, request: &Request) -> bool {
        let fold = |text: &str| if self.ignores_case { text.to_lowercase() } else { text.to_owned() };
        let (path, text) = (fold(&request.path), fold(&self.text));
        let path_matches = match self.kind {
            "prefix" => path.starts_with(&text),
            "path" => path == text,
            "path_separated_prefix" => {
                path.strip_prefix(&text).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            _ => regex_lite::Regex::new(&format!("^(?:{})$", self.text)).unwrap().is_match(&request.path),
        };
        path_matches
            && self.method.is_none_or(|(method, inverted)| (request.method == method) != inverted)
            && self.header.is_none_or(|wanted| request.has_header == wanted)
            && (!self.query || request.has_query)
    }

    fn json(&self) -> Value {
        let mut value = json!({});
        match self.kind {
            "safe_regex" => value["safe_regex"] = json!({"regex": self.text}),
            kind => value[kind] = json!(self.text),
        }
        if self.ignores_case {
            value["case_sensitive"] = json!(false);
        }
        let mut headers = Vec::new();
        if let Some((method, inverted)) = self.method {
            headers.push(
                json!({"name": ":method", "string_match": {"exact": method}, "invert_match": inverted}),
            );
        }
        if let Some(wanted) = self.header {
            headers.push(json!({"name": "x-h", "present_match": true, "invert_match": !wanted}));
        }
        if !headers.is_empty() {
            value["headers"] = json!(headers);
        }
        if self.query {
            value["query_parameters"] = json!([{"name": "q", "present_match": true}]);
        }
        value
    }
}

impl Need {
    /// Returns true if the request satisfies the requirement.
    fn is_met(&self, filter: &Filter, request: &Request) -> bool {
        match self {
            Need::Nothing | Need::AllowMissingOrFailed => true,
            Need::Provider(at) => request.tokens[filter.providers[*at]]
                .is_some_and(|token| token.is_good && token.issuer == *at),
            Need::All(needs) => needs.iter().all(|need| need.is_met(filter, request)),
            Need::AllowMissing => {
                filter.all_or_none(request, &(0..filter.providers.len()).collect::<Vec<_>>())
            }
            Need::Any(needs) => {
                let regular = needs
                    .iter()
                    .filter(|need| !matches!(need, Need::AllowMissing | Need::AllowMissingOrFailed));
                let mut regular = regular.peekable();
                let direct: Vec<usize> = needs
                    .iter()
                    .filter_map(|need| if let Need::Provider(at) = need { Some(*at) } else { None })
                    .collect();
                let all: Vec<usize> = (0..filter.providers.len()).collect();
                needs.iter().any(|need| matches!(need, Need::AllowMissingOrFailed))
                    || regular.peek().is_some() && regular.any(|need| need.is_met(filter, request))
                    || needs.iter().any(|need| matches!(need, Need::AllowMissing))
                        && filter.all_or_none(request, if direct.is_empty() { &all } else { &direct })
            }
        }
    }

    fn json(&self) -> Value {
        let list = |needs: &[Need]| json!({"requirements": needs.iter().map(Need::json).collect::<Vec<_>>()});
        match self {
            Need::Nothing => json!({}),
            Need::Provider(at) => json!({"provider_name": format!("p{at}")}),
            Need::Any(needs) => json!({"requires_any": list(needs)}),
            Need::All(needs) => json!({"requires_all": list(needs)}),
            Need::AllowMissing => json!({"allow_missing": {}}),
            Need::AllowMissingOrFailed => json!({"allow_missing_or_failed": {}}),
        }
    }
}

impl Setting {
    fn json(&self) -> Value {
        let mut value = match self {
            Setting::Disabled => json!({"disabled": true}),
            Setting::Named(at) => json!({"requirement_name": format!("r{at}")}),
        };
        value["@type"] =
            json!("type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig");
        json!({"jwt": value})
    }
}

impl Filter {
    /// Returns true if every token in the headers of these providers is a valid token of one of them.
    fn all_or_none(&self, request: &Request, providers: &[usize]) -> bool {
        PLACES.iter().enumerate().all(|(place, _)| {
            let readers: Vec<usize> =
                providers.iter().copied().filter(|at| self.providers[*at] == place).collect();
            readers.is_empty()
                || request.tokens[place].is_none_or(|token| token.is_good && readers.contains(&token.issuer))
        })
    }

    /// The virtual host and the route of a request; Envoy does not forward a request without them.
    fn route(&self, request: &Request) -> Option<(&Host, &Route)> {
        let rank = |host: &&Host| match host.domain {
            "*" => (2, 0),
            domain if domain.starts_with('*') => (1, usize::MAX - domain.len()),
            _ => (0, 0),
        };
        let serves = |host: &&Host| match host.domain.strip_prefix('*') {
            Some(suffix) => request.host.ends_with(suffix),
            None => request.host == host.domain,
        };
        let host = self.hosts.iter().filter(serves).min_by_key(rank)?;
        Some((host, host.routes.iter().find(|route| route.matched.matches(request))?))
    }

    /// Returns true if no route matches the request, so that Envoy does not forward it.
    pub fn is_unrouted(&self, request: &Request) -> bool {
        !self.hosts.is_empty() && self.route(request).is_none()
    }

    /// Returns true if the filter allows the request.
    pub fn allows(&self, request: &Request) -> bool {
        let setting =
            self.route(request).and_then(|(host, route)| route.setting.as_ref().or(host.setting.as_ref()));
        match setting {
            Some(Setting::Disabled) => true,
            Some(Setting::Named(at)) => self.named[*at].is_met(self, request),
            None if self.is_disabled => true,
            None => match self.rules.iter().find(|(matched, _)| matched.matches(request)) {
                Some((_, Ok(need))) => need.is_met(self, request),
                Some((_, Err(name))) => self.named[*name].is_met(self, request),
                None => true,
            },
        }
    }

    /// The configuration of the connection manager.
    pub fn json(&self, keys: &Value) -> Value {
        let providers: serde_json::Map<String, Value> = (self.providers.iter().enumerate())
            .map(|(at, place)| {
                let prefix = if *place == 0 { "Bearer " } else { "" };
                let provider = json!({
                    "issuer": format!("https://p{at}.example.com"),
                    "audiences": ["api"],
                    "local_jwks": {"inline_string": keys.to_string()},
                    "from_headers": [{"name": PLACES[*place], "value_prefix": prefix}],
                });
                (format!("p{at}"), provider)
            })
            .collect();
        let rules: Vec<Value> = (self.rules.iter())
            .map(|(matched, need)| match need {
                Ok(Need::Nothing) => json!({"match": matched.json()}),
                Ok(need) => json!({"match": matched.json(), "requires": need.json()}),
                Err(name) => json!({"match": matched.json(), "requirement_name": format!("r{name}")}),
            })
            .collect();
        let named: serde_json::Map<String, Value> =
            self.named.iter().enumerate().map(|(at, need)| (format!("r{at}"), need.json())).collect();
        let with = |mut value: Value, setting: &Option<Setting>| {
            if let Some(setting) = setting {
                value["typed_per_filter_config"] = setting.json();
            }
            value
        };
        let hosts: Vec<Value> = (self.hosts.iter().enumerate())
            .map(|(at, host)| {
                let routes: Vec<Value> = (host.routes.iter())
                    .map(|route| {
                        with(
                            json!({"match": route.matched.json(), "route": {"cluster": "c"}}),
                            &route.setting,
                        )
                    })
                    .collect();
                with(
                    json!({"name": format!("h{at}"), "domains": [host.domain], "routes": routes}),
                    &host.setting,
                )
            })
            .collect();
        json!({
            "strip_any_host_port": true,
            "strip_trailing_host_dot": true,
            "route_config": {"name": "r", "virtual_hosts": hosts},
            "http_filters": [{"name": "jwt", "disabled": self.is_disabled, "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": providers, "rules": rules, "requirement_map": named,
            }}],
        })
    }
}
