//! Core of authgate, an authentication filter for Envoy: decides whether a request is allowed.
//!
//! [`config::parse`] checks the form of a configuration, and [`policy::build`] turns it into a [`policy::Policy`].
//! [`decision::decide`] applies the policy to a request. It returns a verdict and the header mutations that the proxy
//! has to make.
//!
//! The core reads no clock, does no I/O, logs nothing and calls no host. The proxy-wasm filter and the command-line
//! tool are separate crates; they pass in the time, the host and the randomness.
//!
//! # Example
//!
//! ```
//! use authgate::authn::{Context, NullHost};
//! use authgate::cache::CredentialCache;
//! use authgate::decision::state::State;
//! use authgate::decision::{Verdict, decide};
//! use authgate::http::request::Request;
//! use authgate::jose::jwt::SoftwareVerifier;
//! use authgate::response::Reason;
//! use authgate::timestamp::NumericDate;
//! use authgate::{config, policy};
//!
//! // One user, alice, with the password `wonderland`.
//! let json = br#"{
//!     "authenticators": {"staff": {"basic": {"users": {
//!         "alice": "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO"
//!     }}}},
//!     "rules": [{"match": {"prefix": "/admin"}, "require": "staff"}]
//! }"#;
//! let config = config::parse(json).expect("the form of the configuration is valid");
//! // The closure looks up environment variables, for secrets written as `{env: NAME}`.
//! let policy = policy::build(&config, &|_| None).expect("the configuration is valid").policy;
//!
//! // The key of the cache must be random; this one is for the example only.
//! let mut state = State::new(&policy, CredentialCache::new([0; 16], policy.limits));
//! let now = NumericDate::from_seconds(1_767_225_600.0).expect("a valid date");
//! let context = Context { now, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
//!
//! let request = |authorization: &'static str| {
//!     let headers = [
//!         (":method", "GET"),
//!         (":scheme", "https"),
//!         (":authority", "api.example.com"),
//!         (":path", "/admin/users"),
//!         ("authorization", authorization),
//!     ];
//!     Request::new(headers.into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())), None)
//! };
//!
//! // alice:wonderland
//! let right = request("Basic YWxpY2U6d29uZGVybGFuZA==");
//! let decision = decide(&policy, &right, &mut state, context);
//! let Verdict::Allow(Some(permit)) = decision.verdict else { panic!("expected the request to be allowed") };
//! assert_eq!(permit.first().principal.subject, "alice");
//!
//! // alice:looking-glass
//! let wrong = request("Basic YWxpY2U6bG9va2luZy1nbGFzcw==");
//! let decision = decide(&policy, &wrong, &mut state, context);
//! let Verdict::Deny(denial) = decision.verdict else { panic!("expected the request to be denied") };
//! assert_eq!(denial.reason, Reason::InvalidCredentials);
//! ```
//!
//! # Modules
//!
//! ```text
//! decision → policy → authn → response → remote → cache → principal → jose → http, json, timestamp
//!               └──→ config, password
//! ```
//!
//! Modules import only in the direction of the arrows. Start reading at [`decision`].

pub mod authn;
pub mod cache;
pub mod config;
pub mod decision;
pub mod http;
pub mod jose;
pub mod json;
pub mod password;
pub mod policy;
pub mod principal;
pub mod remote;
pub mod response;
pub mod timestamp;
