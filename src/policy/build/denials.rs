//! Builds `denials`.

use super::Builder;
use crate::config::reader::member;
use crate::config::shape::Named;
use crate::config::{self, Body, ConfigErrorKind};
use crate::http::url::HttpUrl;
use crate::response::{DenialFormat, Form, Hidden, is_hidden_by, own_name, own_value};

impl Builder<'_> {
    pub(super) fn denials(&mut self, denials: &config::Denials) -> DenialFormat {
        let form = match denials.body {
            Body::Auto => None,
            Body::Problem => Some(Form::Problem),
            Body::Html => Some(Form::Html),
            Body::Text => Some(Form::Text),
            Body::Empty => Some(Form::Empty),
        };
        let status = &denials.status;
        let hidden = Hidden {
            insufficient_scope: self.is_hidden("insufficient_scope", status.insufficient_scope),
            not_authorized: self.is_hidden("not_authorized", status.not_authorized),
            rule_denied: self.is_hidden("rule_denied", status.rule_denied),
            no_rule: self.is_hidden("no_rule", status.no_rule),
        };
        let help = denials.help_url.as_ref();
        let help =
            help.filter(|url| self.checked("denials.help_url", HttpUrl::parse(url)).is_some()).cloned();
        DenialFormat {
            form,
            tells_reasons: denials.detail,
            fields: self.own_fields(&denials.headers),
            hidden,
            help,
        }
    }

    fn is_hidden(&mut self, reason: &str, status: Option<u32>) -> bool {
        let Some(status) = status else { return false };
        self.checked(&member("denials.status", reason), is_hidden_by(status)).unwrap_or_default()
    }

    fn own_fields(&mut self, headers: &Named<String>) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = Vec::with_capacity(headers.0.len());
        for (name, value) in &headers.0 {
            let path = member("denials.headers", name);
            let name = self.checked(&path, own_name(name));
            let value = self.checked(&path, own_value(value));
            let (Some(name), Some(value)) = (name, value) else { continue };
            if fields.iter().any(|(known, _)| *known == name) {
                self.error(path, ConfigErrorKind::DuplicateName(name));
                continue;
            }
            fields.push((name, value));
        }
        fields
    }
}
