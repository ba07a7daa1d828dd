//! Introspection requests ([RFC 7662 §2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)) and their client
//! authentication ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::codec::form_encode;

/// The parts of a request that authenticate the client. Contains a secret, so it has no `Debug`.
pub struct Client {
    /// The value of `Authorization`.
    authorization: Option<String>,
    /// The part of the form after the token.
    form: Vec<u8>,
}

impl Client {
    /// Creates a client that sends its secret in `Authorization`. Both parts are form-encoded before they are joined,
    /// so an identifier may contain a colon.
    pub fn basic(id: &str, secret: &str) -> Self {
        let mut pair = Vec::new();
        form_encode(id.as_bytes(), &mut pair);
        pair.push(b':');
        form_encode(secret.as_bytes(), &mut pair);
        Client { authorization: Some(["Basic ", &STANDARD.encode(pair)].concat()), form: Vec::new() }
    }

    /// Creates a client that sends its secret in the form.
    pub fn post(id: &str, secret: &str) -> Self {
        let mut form = b"&client_id=".to_vec();
        form_encode(id.as_bytes(), &mut form);
        form.extend_from_slice(b"&client_secret=");
        form_encode(secret.as_bytes(), &mut form);
        Client { authorization: None, form }
    }

    /// Returns the headers of a request, except pseudo-headers.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        fields.extend(self.authorization.iter().map(|value| ("authorization", value.clone())));
        fields
    }

    /// Returns the form for a token.
    pub fn form(&self, token: &[u8]) -> Vec<u8> {
        let mut form = b"token=".to_vec();
        form_encode(token, &mut form);
        form.extend_from_slice(b"&token_type_hint=access_token");
        form.extend_from_slice(&self.form);
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(client: &Client, token: &str) -> String {
        String::from_utf8(client.form(token.as_bytes())).unwrap()
    }

    /// The example of RFC 6749 §2.3.1, and characters that need encoding by Appendix B.
    #[test]
    fn a_client_says_who_it_is_in_authorization() {
        let check = |id: &str, secret: &str, pair: &str| {
            let client = Client::basic(id, secret);
            let expected = format!("Basic {}", STANDARD.encode(pair));
            assert_eq!(client.fields().last(), Some(&("authorization", expected)), "{id}");
            assert_eq!(form(&client, "t"), "token=t&token_type_hint=access_token");
        };
        check("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", "s6BhdRkqt3:7Fjfp0ZBr1KtDRbnfVdmIw");
        check("a:b", " %&+£€~*-._", "a%3Ab:+%25%26%2B%C2%A3%E2%82%AC%7E*-._");
    }

    #[test]
    fn or_in_the_form() {
        let client = Client::post("a&b", "=x ");
        assert_eq!(client.fields().len(), 2);
        let expected = "token=a%2Bb%2F%3D&token_type_hint=access_token&client_id=a%26b&client_secret=%3Dx+";
        assert_eq!(form(&client, "a+b/="), expected);
    }
}
