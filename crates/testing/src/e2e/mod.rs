//! A real Envoy under test, over raw sockets, with an upstream, identity providers and introspection endpoints.

pub mod bootstrap;
pub mod check;
pub mod client;
pub mod endpoint;
pub mod fixture;
pub mod h2;
pub mod idp;
pub mod mint;
pub mod process;
pub mod programs;
pub mod provider;
pub mod proxy;
pub mod tls;
pub mod upstream;
pub mod wire;
