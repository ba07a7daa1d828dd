use super::*;

/// Parses a match: the path as `kind:pattern`, then `method:`, `not:`, `host:` and `from:` words.
fn spec(text: &str) -> MatchSpec {
    let mut path = PathPattern::any();
    let mut methods = Methods::All;
    let (mut hosts, mut sources, mut mcp) = (Vec::new(), Vec::new(), None);
    for word in text.split_ascii_whitespace() {
        let (kind, value) = word.split_once(':').unwrap();
        let names = || MethodSet::new(value.split(',')).unwrap();
        match kind {
            "host" => hosts.push(HostPattern::parse(value).unwrap()),
            "from" => sources.push(Cidr::parse(value).unwrap()),
            "method" => methods = Methods::Only(names()),
            "not" => methods = Methods::Except(names()),
            "mcp" => {
                let (methods, name) = value.split_once('=').map_or((value, None), |(m, n)| (m, Some(n)));
                let methods = if methods == "*" { Vec::new() } else { vec![methods.into()] };
                let names = name.into_iter().map(|name| NamePattern::Exact(name.into())).collect();
                mcp = Some(McpMatch { methods, names });
            }
            _ => path = pattern(kind, value).unwrap_or_else(|error| panic!("{word}: {error}")),
        }
    }
    match mcp {
        Some(mcp) => MatchSpec::of_mcp(path, hosts, sources, mcp),
        None => MatchSpec::new(path, methods, hosts, sources),
    }
}

fn pattern(kind: &str, value: &str) -> Result<PathPattern, PatternError> {
    match kind {
        "path" => PathPattern::exact(value),
        "prefix" => PathPattern::prefix(value),
        "template" => PathPattern::template(value),
        "regex" => PathPattern::regex(value),
        _ => panic!("{kind}"),
    }
}

/// Creates an index of rules, one a line, with matches separated by ` | `.
fn index(rules: &str) -> RuleIndex {
    let specs = |rule: &str| match rule.trim() {
        "everything" => Vec::new(),
        rule => rule.split(" | ").map(spec).collect(),
    };
    RuleIndex::new(rules.trim().lines().map(specs).collect())
}

/// Parses an MCP call, written as `METHOD` or `METHOD=NAME`.
fn call(text: &str) -> McpCall<'_> {
    let (method, name) = text.split_once('=').map_or((text, None), |(method, name)| (method, Some(name)));
    McpCall { method, name: name.map(Into::into) }
}

/// Selects the rule for a request, written as `METHOD path [authority [peer [call]]]`.
fn select(index: &RuleIndex, request: &str) -> Result<Option<usize>, SelectError> {
    let words: Vec<&str> = request.split_ascii_whitespace().collect();
    let interpretations =
        PathInterpretations::of(words[1].as_bytes()).unwrap_or_else(|error| panic!("{request}: {error}"));
    let host = words.get(2).and_then(|authority| Host::parse(authority.as_bytes()).unwrap());
    let peer = words.get(3).map(|peer| peer.parse().unwrap());
    let call = words.get(4).map(|word| call(word));
    let (method, host) = (words[0].as_bytes(), host.as_ref());
    let target = Target { method, host, peer, interpretations: &interpretations, mcp: call.as_ref() };
    index.select(&target).map(|rule| rule.map(RuleId::index))
}

fn check(rules: &str, requests: &[(&str, Result<Option<usize>, SelectError>)]) {
    let index = index(rules);
    for (request, expected) in requests {
        assert_eq!(select(&index, request), *expected, "{request:.80} by {rules}");
    }
}

/// Checks which paths a pattern matches.
fn check_paths(pattern: &str, matches: &[&str], leaves: &[&str]) {
    let index = index(pattern);
    for (path, expected) in matches.iter().map(|p| (p, Some(0))).chain(leaves.iter().map(|p| (p, None))) {
        assert_eq!(select(&index, &format!("GET {path}")), Ok(expected), "{path} by {pattern}");
    }
}

const AMBIGUOUS: Result<Option<usize>, SelectError> = Err(SelectError::AmbiguousPath);

#[test]
fn patterns_take_paths() {
    check_paths("path:/a/b", &["/a/b", "/a/b?c", "/a/b#c"], &["/a/b/", "/a", "/a/b/c", "/a/B", "/"]);
    check_paths("path:/a/", &["/a/"], &["/a", "/a/b"]);
    check_paths("path:/", &["/", "/?a"], &["/a"]);
    check_paths(
        "prefix:/admin",
        &["/admin", "/admin/", "/admin/x/y"],
        &["/administrator", "/", "/x/admin", "/Admin"],
    );
    check_paths("prefix:/admin/", &["/admin", "/admin/", "/admin/x"], &["/administrator"]);
    check_paths("prefix:/", &["/", "/a", "/a/b/"], &[]);
    check_paths("everything", &["/", "/a/b"], &["*"]);
    check_paths(
        "template:/u/{id}/keys",
        &["/u/7/keys", "/u/a.b/keys"],
        &["/u/keys", "/u/7/keys/", "/u/7/8/keys", "/u/7"],
    );
    check_paths("template:/u/{id}", &["/u/7"], &["/u/", "/u", "/u/7/", "/u/7/8"]);
    check_paths("template:/u/{id}/", &["/u/7/"], &["/u/7", "/u/"]);
    check_paths("template:/u/{rest=**}", &["/u/", "/u/a", "/u/a/b/"], &["/u", "/v/a"]);
    check_paths("template:/{a}/x/{rest=**}", &["/1/x/", "/1/x/2/3"], &["/1/x", "/x/", "/1/y/2"]);
    check_paths("template:/{rest=**}", &["/", "/a/b"], &["*"]);
    check_paths("template:/plain", &["/plain"], &["/plain/"]);
    check_paths("regex:/v[0-9]+/.*", &["/v1/", "/v22/x/y"], &["/v/x", "/x/v1/", "/v1"]);
    check_paths("regex:/a|/b", &["/a", "/b"], &["/ab", "/a/b", "/xb", "/ax"]);
    check_paths("regex:(?m)/a$", &["/a"], &["/a/b"]);
    check_paths("regex:.*", &["/", "/a"], &["*"]);
}

#[test]
fn patterns_have_the_form_of_interpretations() {
    check_paths("path:/caf%c3%a9", &["/caf%C3%A9", "/caf%c3%a9"], &["/caf"]);
    check_paths("path:/café", &["/caf%C3%A9"], &["/caf%C3%A8"]);
    check_paths("path:/%61%2Db", &["/a-b"], &["/a"]);
    check_paths("path:/a\"b%7bc", &["/a%22b%7Bc"], &["/a"]);
    check_paths("path:/a%25b", &["/a%25b"], &["/ab"]);
    check_paths("path:/a@b:c", &["/a@b:c"], &["/a"]);
    check_paths("path:/a@b | path:/a%40b", &["/a@b", "/a%40b"], &["/a"]);
    check_paths("path:/a;b | path:/a", &["/a;b", "/a"], &["/b"]);
    check_paths("regex:/caf%C3%A9", &["/caf%c3%a9"], &["/caf"]);
}

#[test]
fn bad_patterns_say_why() {
    use PatternError::*;
    let table = [
        ("path", "", NotAbsolute),
        ("path", "a", NotAbsolute),
        ("prefix", "*", NotAbsolute),
        ("path", "%2Fa", NotAbsolute),
        ("path", "/a*", Star),
        ("prefix", "/a/*", Star),
        ("template", "/a/*", Star),
        ("template", "/**", Star),
        ("path", "/u/{id}", Brace),
        ("prefix", "/{a}", Brace),
        ("path", "/a}", Brace),
        ("template", "/u/x{id}", Template),
        ("template", "/u/{id}x", Template),
        ("template", "/{", Template),
        ("template", "/{}", Template),
        ("template", "/{a=*}", Template),
        ("template", "/{a b}", Template),
        ("template", "/{=**}", Template),
        ("template", "/{a/b}", Template),
        ("template", "/{a}{b}", Template),
        ("template", "/{*}", Template),
        ("template", "/{{a}}", Template),
        ("template", "/{a=**}/b", RestNotLast),
        ("template", "/{a=**}/", RestNotLast),
        ("template", "/{a=**}/{b}", RestNotLast),
        ("template", "/{a}/{a}", RepeatedName),
        ("template", "/{a}/{a=**}", RepeatedName),
        ("path", "/a?b", Query),
        ("prefix", "/a#", Query),
        ("template", "/b/c?d", Query),
        ("path", "/a%2fb", Slash),
        ("path", "/a%5Cb", Slash),
        ("prefix", "/a\\b", Slash),
        ("path", "/a/../b", DotSegment),
        ("path", "/.", DotSegment),
        ("prefix", "/%2e%2E/a", DotSegment),
        ("template", "/{a}/..", DotSegment),
        ("path", "//", EmptySegment),
        ("path", "/a//b", EmptySegment),
        ("path", "/a//", EmptySegment),
        ("prefix", "/a//", EmptySegment),
        ("template", "/a//{b}", EmptySegment),
        ("template", "//{b=**}", EmptySegment),
        ("path", "/%", BadEscape),
        ("path", "/%zz", BadEscape),
        ("path", "/%00", BadEscape),
        ("path", "/a\n", Control),
        ("path", "/a\u{7f}", Control),
        ("regex", "/é", RegexNotAscii),
    ];
    for (kind, text, expected) in table {
        assert_eq!(pattern(kind, text).err(), Some(expected), "{kind} {text:?}");
    }
    assert_eq!(pattern("prefix", &"/a".repeat(MAX_PATTERN)).err(), Some(TooLong));
    assert_eq!(pattern("regex", &"a".repeat(MAX_PATTERN + 1)).err(), Some(TooLong));
    for text in ["/a)|(?:b", "(", "/a{1000}{1000}", "(?x)/a # all", "/\\", "[", "(?=a)"] {
        assert!(matches!(pattern("regex", text), Err(Regex(_))), "{text}");
    }
}

#[test]
fn the_first_rule_decides() {
    check(
        "path:/healthz | prefix:/docs
         prefix:/admin not:GET,HEAD host:admin.example.com host:*.example.net from:10.0.0.0/8
         prefix:/admin method:GET,HEAD
         template:/users/{id}/keys
         regex:/users/[0-9]+/.*
         prefix:/users/me
         template:/users/{id}/{rest=**}
         path:/users/me/x
         method:OPTIONS",
        &[
            ("GET /healthz", Ok(Some(0))),
            ("PUT /docs/x", Ok(Some(0))),
            ("POST /admin/x admin.example.com 10.1.2.3", Ok(Some(1))),
            ("POST /admin ADMIN.example.com.:8443 ::ffff:10.1.2.3", Ok(Some(1))),
            ("POST /admin a.b.example.net 10.1.2.3", Ok(Some(1))),
            ("POST /admin example.net 10.1.2.3", Ok(None)),
            ("POST /admin admin.example.com 11.1.2.3", Ok(None)),
            ("POST /admin admin.example.com", Ok(None)),
            ("POST /admin", Ok(None)),
            ("GET /admin", Ok(Some(2))),
            ("HEAD /admin admin.example.com 10.1.2.3", Ok(Some(2))),
            ("get /admin", Ok(None)),
            ("OPTIONS /admin", Ok(Some(8))),
            ("GET /users/7/keys", Ok(Some(3))),
            ("GET /users/7/x", Ok(Some(4))),
            ("GET /users/me", Ok(Some(5))),
            ("GET /users/me/x", Ok(Some(5))),
            ("GET /users/me/keys", Ok(Some(3))),
            ("GET /users/you/x", Ok(Some(6))),
            ("OPTIONS /users/you", Ok(Some(8))),
            ("GET /users/you", Ok(None)),
            ("OPTIONS *", Ok(None)),
        ],
    );
    check("everything\neverything", &[("X /a", Ok(Some(0))), ("OPTIONS *", Ok(None))]);
    check("", &[("GET /", Ok(None)), ("GET //a/..;/%2e", Ok(None))]);
}

#[test]
fn interpretations_must_agree() {
    check(
        "path:/healthz | prefix:/docs
         prefix:/admin
         everything",
        &[
            ("GET /docs/a%2Fb;c//d/./e", Ok(Some(0))),
            ("GET /docs/%61", Ok(Some(0))),
            ("GET /docs/..%2fadmin", AMBIGUOUS),
            ("GET /docs/../admin", AMBIGUOUS),
            ("GET /docs/..;/admin", AMBIGUOUS),
            ("GET //admin", AMBIGUOUS),
            ("GET //x/admin", AMBIGUOUS),
            ("GET /%61dmin", AMBIGUOUS),
            ("GET /admin%2f", AMBIGUOUS),
            ("GET /admin;x", AMBIGUOUS),
            ("GET /x/../admin", AMBIGUOUS),
            ("GET /x\\..\\admin", AMBIGUOUS),
            ("GET /admin/..", AMBIGUOUS),
            ("GET /healthz;a", AMBIGUOUS),
            ("GET /healthz/.", AMBIGUOUS),
            ("GET /healthz/", Ok(Some(2))),
            ("GET /admin/./x", Ok(Some(1))),
            ("GET /admin//x", Ok(Some(1))),
            ("GET /admin/a%2fb", Ok(Some(1))),
            ("GET /x%2fy;z//w", Ok(Some(2))),
            ("GET /administrator", Ok(Some(2))),
        ],
    );
    // An interpretation without a rule disagrees with one that has a rule.
    check(
        "prefix:/docs",
        &[("GET /docs/../x", AMBIGUOUS), ("GET /y/../x", Ok(None)), ("GET /%64ocs", AMBIGUOUS)],
    );
    check(
        "template:/files/{name}\neverything",
        &[("GET /files/a%2Fb", AMBIGUOUS), ("GET /files/a%41", Ok(Some(0))), ("GET /files/..", AMBIGUOUS)],
    );
    check("path:/v1/users:delete\neverything", &[("GET /v1/users%3adelete", AMBIGUOUS)]);
}

#[test]
fn what_a_regex_costs_is_bounded() {
    let long = "a".repeat(MAX_REGEX_INPUT);
    let short = "a".repeat(MAX_REGEX_INPUT / 2 - 8);
    let more = "a".repeat(MAX_REGEX_INPUT - 6);
    check(
        "regex:/.*",
        &[
            (&format!("GET /{long}"), AMBIGUOUS),
            (&format!("GET /{short}{short}"), Ok(Some(0))),
            (&format!("GET /%61/{short}"), Ok(Some(0))),
            (&format!("GET /%61/{more}"), AMBIGUOUS),
        ],
    );
    // Without a regex, interpretations of up to 16 KiB together are accepted.
    check("prefix:/", &[(&format!("GET /%61/{more}"), Ok(Some(0)))]);
}

#[test]
fn the_peer_is_wanted_where_a_rule_looks_at_it() {
    for (rules, expected) in [
        ("", false),
        ("everything", false),
        ("path:/a\nfrom:10.0.0.0/8", true),
        ("path:/a | regex:/b from:::1", true),
    ] {
        assert_eq!(index(rules).wants_peer(), expected, "{rules}");
    }
}

#[test]
fn a_post_without_valid_mcp_headers_never_falls_through() {
    const HEADERS: Result<Option<usize>, SelectError> = Err(SelectError::McpHeaders);
    let rules = "path:/first\n\
                 path:/mcp mcp:tools/call=drop | path:/first mcp:*\n\
                 path:/mcp mcp:tools/call host:a.example\n\
                 path:/mcp mcp:* from:10.0.0.0/8\n\
                 prefix:/";
    let peer = "h.example 192.0.2.1";
    for (request, expected) in [
        (format!("POST /mcp {peer} tools/call=drop"), Ok(Some(1))),
        (format!("POST /mcp {peer} tools/call=other"), Ok(Some(4))),
        (format!("POST /mcp {peer} tools/list"), Ok(Some(4))),
        ("POST /mcp a.example 192.0.2.1 tools/call=other".to_owned(), Ok(Some(2))),
        ("POST /mcp h.example 10.1.2.3 tools/list".to_owned(), Ok(Some(3))),
        (format!("POST /mcp {peer}"), HEADERS),
        (format!("POST /%6dcp {peer}"), AMBIGUOUS),
        (format!("POST /x/../mcp {peer}"), AMBIGUOUS),
        (format!("POST /x/../mcp {peer} tools/call=other"), Ok(Some(4))),
        // Other methods, other paths, and rules that come first do not depend on the headers.
        (format!("GET /mcp {peer}"), Ok(Some(4))),
        (format!("GET /mcp {peer} tools/call=drop"), Ok(Some(4))),
        (format!("post /mcp {peer}"), Ok(Some(4))),
        (format!("POST /other {peer}"), Ok(Some(4))),
        (format!("POST /first {peer}"), Ok(Some(0))),
    ] {
        check(rules, &[(&request, expected)]);
    }
}

#[test]
fn a_label_of_the_host_is_one_label() {
    let rules =
        "prefix:/ host:admin.example.com\nprefix:/ host:{tenant}.example.com\nprefix:/ host:*.example.com";
    check(
        rules,
        &[
            ("GET / admin.example.com", Ok(Some(0))),
            ("GET / Acme.Example.com.:443", Ok(Some(1))),
            ("GET / a.b.example.com", Ok(Some(2))),
            ("GET / example.com", Ok(None)),
            ("GET /", Ok(None)),
        ],
    );
}

#[test]
fn a_pattern_finds_its_variables() {
    let check = |template: &str, path: &str, variable: &str, expected: Option<&str>| {
        let pattern = PathPattern::template(template).unwrap();
        assert_eq!(pattern.capture(variable, path), expected, "{variable} of {template} in {path}");
        assert_eq!(
            pattern.matches(path),
            select(&index(&format!("template:{template}")), &format!("GET {path}")) == Ok(Some(0))
        );
    };
    check("/users/{id}", "/users/7", "id", Some("7"));
    check("/users/{id}", "/users/7/", "id", None);
    check("/users/{id}", "/users/7", "other", None);
    check("/{a}/x/{b}/{rest=**}", "/1/x/2/3/4", "a", Some("1"));
    check("/{a}/x/{b}/{rest=**}", "/1/x/2/3/4", "b", Some("2"));
    check("/{a}/x/{b}/{rest=**}", "/1/x/2/3/4", "rest", Some("3/4"));
    check("/{a}/x/{b}/{rest=**}", "/1/x/2/", "rest", Some(""));
    check("/{a}/x/{b}/{rest=**}", "/1/x/2", "rest", None);
    check("/{a}/x/{b}/{rest=**}", "/1/y/2/3", "a", None);
    assert_eq!(PathPattern::prefix("/users").unwrap().capture("id", "/users/7"), None);
}
