//! What a request needs.

pub mod rules;
