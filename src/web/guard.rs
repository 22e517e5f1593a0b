//! Who may ask, and what browsers are told: host names against DNS rebinding, methods, security headers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::heartbeat::PREFIX;

/// The address of the API that takes a POST; it checks for itself who asks.
pub const CHANGES: &str = "/api/v1/desk";

/// Pages with forms: of one incident, for the staff and for its operator; the login. Each checks for itself who asks.
const FORMS: [&str; 3] = ["/i/", "/l/", "/account/"];

/// Everything comes from this program itself, and nothing may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same without scripts, with forms.
const POLICY_OF_FORMS: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                               form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The host names by which this server may be called.
pub struct Hosts {
    public: Option<String>,
}

impl Hosts {
    pub fn new(public_url: Option<&str>) -> Self {
        let host = public_url.and_then(|u| u.parse::<Uri>().ok()).and_then(|u| u.host().map(str::to_ascii_lowercase));
        Self { public: host }
    }

    /// `host` as in the Host header, with or without a port.
    ///
    /// A page elsewhere can point a name of its own at this machine, but it cannot make a browser send a bare address
    /// or `localhost` as the host of its own origin; so those are safe, and all other names are not.
    fn allows(&self, host: &str) -> bool {
        // RFC 9110, 7.2: a host and a port, and nothing before them.
        let authority = host.parse::<axum::http::uri::Authority>().ok().filter(|_| !host.contains('@'));
        let Some(authority) = authority else { return false };
        let name = authority.host().to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || address.parse::<IpAddr>().is_ok() || self.public.as_deref() == Some(name.as_str())
    }
}

fn has_forms(path: &str) -> bool {
    FORMS.iter().any(|prefix| path.starts_with(prefix))
}

fn is_allowed(request: &Request) -> bool {
    match *request.method() {
        Method::GET | Method::HEAD => true,
        Method::POST => {
            request.uri().path() == CHANGES
                || has_forms(request.uri().path())
                || request.uri().path().starts_with(PREFIX)
        }
        _ => false,
    }
}

/// Refuses unknown hosts (421) and everything but GET, HEAD and a POST of [`CHANGES`] or of a page with
/// forms (405); adds the security headers to every answer.
pub async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|v| v.to_str().ok());
    let policy = if has_forms(request.uri().path()) { POLICY_OF_FORMS } else { POLICY };
    let mut response = if !host.is_some_and(|h| hosts.allows(h)) {
        let why = "This host name is not known here: use localhost, an address, or the host of public_url.\n";
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    } else if !is_allowed(&request) {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "read only\n").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Accept-Encoding"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_and_bare_addresses_are_answered() {
        let hosts = Hosts::new(Some("https://Vedetta.example:8443/rete"));
        let check = |host: &str, expected: bool| assert_eq!(hosts.allows(host), expected, "{host}");
        check("localhost", true);
        check("LOCALHOST:8080", true);
        check("127.0.0.1:8080", true);
        check("[::1]:8080", true);
        check("192.0.2.7", true);
        check("vedetta.example", true);
        check("vedetta.example:443", true);
        check("evil.example", false);
        check("127.0.0.1.evil.example", false);
        check("localhost.evil.example", false);
        check("evil.example@localhost:x", false);
        check("", false);
        assert!(!Hosts::new(None).allows("vedetta.example"));
        assert!(!Hosts::new(Some("not an address")).allows("not"));
    }
}
