//! Path conditions of other filters → the members of a `match` that select the same paths.

use serde_json::{Value, json};

/// All paths that start with these bytes. `prefix` of authgate matches whole segments only.
pub fn prefix(prefix: &str) -> Value {
    match prefix {
        "" | "/" => json!({"prefix": "/"}),
        prefix if prefix.ends_with('/') && is_literal(prefix) => {
            json!({"template": format!("{prefix}{{rest=**}}")})
        }
        prefix => json!({"regex": format!("{}.*", regex_lite::escape(prefix))}),
    }
}

/// This path alone.
pub fn exact(path: &str) -> Value {
    if is_literal(path) { json!({"path": path}) } else { json!({"regex": regex_lite::escape(path)}) }
}

/// Paths that end with these bytes.
pub fn suffix(suffix: &str) -> Value {
    json!({"regex": format!(".*{}", regex_lite::escape(suffix))})
}

/// True if a rule matches this path literally.
pub fn is_literal(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte)) && !path.contains("//")
}
