//! State machines for what is fetched: key sets, introspection answers, and the requests that wait for them.
//!
//! Events and the time come in, callouts go out as values. Uses [`http`](crate::http), [`jose`](crate::jose),
//! [`cache`](crate::cache) and [`principal`](crate::principal).

pub mod callout;
pub mod introspection;
pub mod jwks;
pub mod pending;
pub mod state;
