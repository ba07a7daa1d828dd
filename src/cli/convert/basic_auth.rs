//! Envoy's `envoy.filters.http.basic_auth`.

use serde_json::{Value, json};

use super::{Output, Part, text};

pub fn convert(filter: &Value) -> Output {
    let mut basic = Part::new("basic");
    let users = filter.get("users").unwrap_or(&Value::Null);
    let htpasswd =
        match (text(users, "inline_string"), text(users, "environment_variable"), text(users, "filename")) {
            (Some(inline), ..) => json!(inline),
            (None, Some(name), _) => json!({"env": name}),
            (None, None, Some(file)) => {
                basic.comment(format!(
                    "the users stand in {file}: put its text into this variable of the VM, or here"
                ));
                json!({"env": "HTPASSWD"})
            }
            _ => {
                basic.comment("the users were not found: put the text of an htpasswd file here");
                json!({"env": "HTPASSWD"})
            }
        };
    basic.set("basic", json!({"htpasswd": htpasswd}));
    basic.comment("{SHA} hashes are fast to guess: make new ones with `authgate hash`");
    if let Some(header) =
        text(filter, "authentication_header").filter(|name| !name.eq_ignore_ascii_case("authorization"))
    {
        basic.comment(format!(
            "credentials were read from `{header}`; Basic is read from Authorization alone here"
        ));
    }
    basic.unknown(
        filter,
        &["@type", "users", "forward_username_header", "authentication_header", "allow_missing"],
    );
    let mut converted = Output::default();
    if let Some(header) = text(filter, "forward_username_header") {
        converted.headers.insert(header.to_owned(), json!("{subject}"));
    }
    let mut all = Part::new("all");
    all.set("require", "basic");
    if filter.get("allow_missing") == Some(&Value::Bool(true)) {
        all.set("optional", true);
        all.comment("an Authorization field of another scheme counts as credentials here, and is refused");
    }
    converted.head.push(
        "from basic_auth; the credentials do not go on, add `forward_credentials: true` if they must"
            .to_owned(),
    );
    converted.authenticators.push(basic);
    converted.rules.push(all);
    converted
}
