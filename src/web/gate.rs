//! Who sees what: everything for whoever needs no account (`web.open_to`), is logged in, or shows the operator's token
//! on this machine; for all others only what has a right of its own ([`OPEN`]).
//!
//! `/account/login` and `/account/logout` are here too. A session is a cookie that no script reads and no other site
//! sends with a form (`HttpOnly`, `SameSite=Lax`); forms carry a word of the session besides.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use askama::Template;
use axum::extract::{Form, FromRequest as _, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::page::sheet::Frame;
use super::{PageQuery, Shared, SharedState, desk, forms, html, limit};
use crate::access::accounts::Role;
use crate::access::sessions::{AGE_MAX, Session};
use crate::access::{Access, LoginError};
use crate::model::network::Language;

/// Where one logs in.
pub const LOGIN: &str = "/account/login";
/// What needs no account: the way in, what pages load, signed links, links of operators and places, what is public,
/// the heartbeats of backups, whether the hub lives.
const OPEN: [&str; 7] = ["/account/", "/assets/", "/l/", "/s/", "/public/", super::heartbeat::PREFIX, "/healthz"];
const COOKIE: &str = "vedetta_session";
/// Where to go on after logging in: a path of ours is short.
const NEXT_BYTES_MAX: usize = 200;

/// Lets in, sends to the login, or says 401.
pub async fn check(State(shared): SharedState, mut request: Request, next: Next) -> Response {
    let Some(access) = shared.state.access.clone() else { return next.run(request).await };
    let session = cookie(request.headers()).and_then(|word| access.session(word));
    let path = request.uri().path();
    let open = OPEN.iter().any(|prefix| path.starts_with(prefix)) || path == "/favicon.ico";
    let may = open || session.is_some() || is_open(&shared, &access, &request) || shows_token(&shared, &request);
    if !may {
        return refused(&request);
    }
    if let Some(session) = session {
        request.extensions_mut().insert(session);
    }
    next.run(request).await
}

pub(super) fn reader(shared: &Shared, request: &Request) -> Option<IpAddr> {
    let proxies = shared.state.desk.as_ref().map_or(&[][..], |d| &d.proxies);
    Some(limit::reader(desk::peer(request.extensions())?, request.headers(), proxies))
}

fn is_open(shared: &Shared, access: &Access, request: &Request) -> bool {
    reader(shared, request).is_some_and(|reader| access.is_open_to(reader))
}

fn shows_token(shared: &Shared, request: &Request) -> bool {
    let desk = shared.state.desk.as_ref();
    desk::is_local(request.extensions()) && desk.is_some_and(|desk| desk.is_shown_in(request.headers()))
}

/// A page is answered with the way in; what a program asks for, with 401.
fn refused(request: &Request) -> Response {
    let path = request.uri().path();
    let wants_page = request.method().is_safe()
        && !path.starts_with("/api/")
        && request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if wants_page {
        let up = "../".repeat(path.matches('/').count().saturating_sub(1));
        let to = format!("{up}account/login?next={}", path.trim_start_matches('/'));
        if let Ok(to) = HeaderValue::from_str(&to) {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
        }
    }
    let challenge =
        [(header::WWW_AUTHENTICATE, "Bearer realm=\"vedetta\""), (header::CONTENT_TYPE, "application/json")];
    let body = r#"{"error":"this needs an account: log in at /account/login, or show the operator's token"}"#;
    (StatusCode::UNAUTHORIZED, challenge, body).into_response()
}

/// The word of our cookie; what is no word of ours is none.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut words = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, word)| word);
    words.find(|word| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Where to go on: a path of this server, or its front page.
fn onward(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let good = next.len() <= NEXT_BYTES_MAX
        && next.chars().all(plain)
        && !next.starts_with('/')
        && !next.contains("//")
        && !next.contains("..");
    if good { next } else { "" }
}

/// Who may write on a page with forms, if anybody.
pub fn writer(request: &Request) -> Option<Session> {
    request.extensions().get::<Session>().filter(|s| s.role == Role::Staff).cloned()
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    f: Frame<'a>,
    /// Who is logged in, with the word that the form carries.
    session: Option<&'a Session>,
    role: &'static str,
    nobody: bool,
    name: &'a str,
    next: &'a str,
    problem: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoginQuery {
    lang: Option<String>,
    next: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoginForm {
    name: String,
    password: String,
    code: String,
    next: String,
    lang: String,
    mark: String,
}

struct Shown<'a> {
    session: Option<&'a Session>,
    name: &'a str,
    next: &'a str,
    problem: Option<&'static str>,
    status: StatusCode,
}

fn account_page(
    shared: &Shared,
    access: &Access,
    shown: &Shown<'_>,
    language: Language,
    headers: &HeaderMap,
) -> Response {
    let snapshot = shared.snapshot();
    let says = |italian, english| forms::pick(language, (italian, english));
    let page = AccountPage {
        f: Frame::new(&snapshot, language),
        session: shown.session,
        role: match shown.session.map(|s| s.role) {
            Some(Role::Reader) => says("può leggere tutto", "may read everything"),
            _ => says("può leggere e registrare", "may read and record"),
        },
        nobody: access.accounts().is_empty(),
        name: shown.name,
        next: onward(shown.next),
        problem: shown.problem,
    };
    forms::with_status(html(page.render(), language, headers), shown.status)
}

/// `GET /account/login`: the form, or who is logged in.
pub(super) async fn show(State(shared): SharedState, Query(query): Query<LoginQuery>, request: Request) -> Response {
    let language = shared.language(&PageQuery { lang: query.lang }, request.headers());
    let Some(access) = shared.state.access.clone() else {
        let (title, text) = match language {
            Language::Italian => ("Qui non servono account", "È una simulazione: tutti vedono tutto."),
            Language::English => ("No account is needed here", "This is a simulation: everybody sees everything."),
        };
        let page = super::page::sheet::message(&shared.snapshot(), language, title, text);
        return html(page, language, request.headers());
    };
    let session = request.extensions().get::<Session>();
    let shown = Shown { session, name: "", next: &query.next, problem: None, status: StatusCode::OK };
    account_page(&shared, &access, &shown, language, request.headers())
}

/// `POST /account/login`.
pub(super) async fn login(State(shared): SharedState, request: Request) -> Response {
    let Some(access) = shared.state.access.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let headers = request.headers().clone();
    let from = reader(&shared, &request).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let fields = Form::<LoginForm>::from_request(request, &()).await.map(|Form(fields)| fields);
    let fields = fields.ok().filter(|_| !forms::is_foreign(&headers));
    let Some(fields) = fields else { return (StatusCode::BAD_REQUEST, "not a form of this page\n").into_response() };
    let language = shared.language(&PageQuery { lang: Some(fields.lang.clone()) }, &headers);
    let says = |italian, english| forms::pick(language, (italian, english));
    let refuse = |status, problem| {
        let shown = Shown { session: None, name: &fields.name, next: &fields.next, problem: Some(problem), status };
        let mut response = account_page(&shared, &access, &shown, language, &headers);
        if status != StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    };
    if !shared.logins.take(from, Instant::now()) {
        let problem = says("Troppi tentativi: riprovate tra un minuto.", "Too many attempts: try again in a minute.");
        return refuse(StatusCode::TOO_MANY_REQUESTS, problem);
    }
    match access.login(fields.name.trim(), &fields.password, &fields.code, from).await {
        Ok(word) => {
            let secure = shared.state.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
            let secure = if secure && !is_bare(&headers) { "; Secure" } else { "" };
            let age = AGE_MAX.as_secs();
            let cookie = format!("{COOKIE}={word}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
            let to = format!("../{}", onward(&fields.next));
            (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::SET_COOKIE, cookie)]).into_response()
        }
        Err(LoginError::Wrong) => refuse(
            StatusCode::UNAUTHORIZED,
            says(
                "Nome, password o codice non corretti. Ogni codice vale una volta: se era appena stato usato, aspettate il prossimo.",
                "Wrong name, password or code. Each code is good once: if it was just used, wait for the next.",
            ),
        ),
        Err(error) => {
            tracing::error!(error = format!("{:#}", anyhow::Error::new(error)), "nobody can log in now");
            let problem = says(
                "Adesso non si può entrare: riprovate tra un minuto.",
                "Nobody can log in now: try again in a minute.",
            );
            refuse(StatusCode::SERVICE_UNAVAILABLE, problem)
        }
    }
}

/// Asked for by an address or `localhost`: without the proxy that speaks TLS.
fn is_bare(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let name = host.parse::<axum::http::uri::Authority>().map(|a| a.host().to_owned()).unwrap_or_default();
    name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// `POST /account/logout`.
pub(super) async fn logout(State(shared): SharedState, request: Request) -> Response {
    let Some(access) = shared.state.access.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let headers = request.headers().clone();
    let from = reader(&shared, &request).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let session = request.extensions().get::<Session>().cloned();
    let fields = Form::<LoginForm>::from_request(request, &()).await.map(|Form(fields)| fields).unwrap_or_default();
    if session.is_none_or(|s| s.mark != fields.mark) || forms::is_foreign(&headers) {
        return (StatusCode::BAD_REQUEST, "not a form of this page\n").into_response();
    }
    if let Some(word) = cookie(&headers) {
        access.logout(word, from).await;
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    let to = "login".to_owned();
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::SET_COOKIE, gone)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_a_path_of_ours_only() {
        let check = |next: &str, expected: &str| assert_eq!(onward(next), expected, "{next}");
        check("sites/cigliaro", "sites/cigliaro");
        check("i/12", "i/12");
        check("", "");
        for evil in
            ["//evil.example", "/evil", "https://evil.example", "..//x", "a//b", "../../x", "a\r\nb", "a?b", "\\\\x"]
        {
            check(evil, "");
        }
        check(&"a".repeat(201), "");
    }

    #[test]
    fn only_a_cookie_of_ours_is_looked_at() {
        let word = "0123456789abcdef".repeat(4);
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers), None);
        headers.append(header::COOKIE, "a=b; vedetta_session=short".parse().expect("a header"));
        assert_eq!(cookie(&headers), None);
        headers.append(header::COOKIE, format!("x=y;vedetta_session={word}; z").parse().expect("a header"));
        assert_eq!(cookie(&headers), Some(word.as_str()));
    }
}
