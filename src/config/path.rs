//! Paths in a configuration, in the form of error messages.

use std::fmt;

/// Path from the root of a configuration to a value. It is formatted only when a message needs it.
#[derive(Clone, Copy)]
pub enum ConfigPath<'a> {
    /// The configuration itself.
    Root,
    /// A member of an object.
    Member(&'a ConfigPath<'a>, &'a str),
    /// An element of a list.
    Element(&'a ConfigPath<'a>, usize),
}

impl ConfigPath<'_> {
    /// Returns the path of a member.
    pub fn member<'b>(&'b self, name: &'b str) -> ConfigPath<'b> {
        ConfigPath::Member(self, name)
    }

    /// Returns the path of an element.
    pub fn index(&self, index: usize) -> ConfigPath<'_> {
        ConfigPath::Element(self, index)
    }

    /// Returns the path of an element of a list with `count` elements, which may be written without the list if it is
    /// the only one.
    pub fn element(&self, index: usize, count: usize) -> ConfigPath<'_> {
        if count == 1 { *self } else { self.index(index) }
    }
}

impl fmt::Display for ConfigPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigPath::Root => Ok(()),
            ConfigPath::Member(parent, name) => {
                parent.fmt(f)?;
                let name =
                    if matches!(parent, ConfigPath::Member(_, USERS)) { user_name(name) } else { name };
                write_member(f, matches!(parent, ConfigPath::Root), name)
            }
            ConfigPath::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Name of the object whose member names are user names.
const USERS: &str = "users";

/// The part of a user name that may be shown. A user name has no colon, but an htpasswd line in its place has one, and
/// a hash after it.
fn user_name(name: &str) -> &str {
    name.find(':').and_then(|colon| name.get(..=colon)).unwrap_or(name)
}

fn write_member(f: &mut dyn fmt::Write, first: bool, name: &str) -> fmt::Result {
    let plain =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    match (plain, first) {
        (true, true) => f.write_str(name),
        (true, false) => write!(f, ".{name}"),
        (false, _) => write!(f, "[{name:?}]"),
    }
}
