//! Builds `denials`.

use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::shape::Named;
use crate::config::{self, Body, ConfigErrorKind};
use crate::http::url::HttpUrl;
use crate::response::{DenialFormat, Form, Hidden, is_hidden_by, own_name, own_value};

pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    denials: &config::Denials,
) -> DenialFormat {
    let form = match denials.body {
        Body::Auto => None,
        Body::Problem => Some(Form::Problem),
        Body::Html => Some(Form::Html),
        Body::Text => Some(Form::Text),
        Body::Empty => Some(Form::Empty),
    };
    let status = &denials.status;
    let within = &at.member("status");
    let hidden = Hidden {
        insufficient_scope: is_hidden(cx, within, "insufficient_scope", status.insufficient_scope),
        not_authorized: is_hidden(cx, within, "not_authorized", status.not_authorized),
        rule_denied: is_hidden(cx, within, "rule_denied", status.rule_denied),
        no_rule: is_hidden(cx, within, "no_rule", status.no_rule),
    };
    let help = denials.help_url.as_ref();
    let help = help.filter(|url| cx.checked(&at.member("help_url"), HttpUrl::parse(url)).is_some()).cloned();
    DenialFormat {
        form,
        tells_reasons: denials.detail,
        fields: own_fields(cx, &at.member("headers"), &denials.headers),
        hidden,
        help,
    }
}

fn is_hidden(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, reason: &str, status: Option<u32>) -> bool {
    let Some(status) = status else { return false };
    cx.checked(&at.member(reason), is_hidden_by(status)).unwrap_or_default()
}

fn own_fields(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    headers: &Named<String>,
) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::with_capacity(headers.0.len());
    for (name, value) in &headers.0 {
        let at = &at.member(name);
        let name = cx.checked(at, own_name(name));
        let value = cx.checked(at, own_value(value));
        let (Some(name), Some(value)) = (name, value) else { continue };
        if fields.iter().any(|(known, _)| *known == name) {
            cx.error(at, ConfigErrorKind::DuplicateName(name));
            continue;
        }
        fields.push((name, value));
    }
    fields
}
