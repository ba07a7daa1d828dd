//! State machines for fetches: key sets, introspection responses, and the requests that wait for them.
//!
//! Events and the time are inputs, callouts are returned as values. Uses [`http`](crate::http), [`jose`](crate::jose),
//! [`cache`](crate::cache) and [`principal`](crate::principal).

pub mod callout;
pub mod introspection;
pub mod jwks;
pub mod pending;
pub mod state;
