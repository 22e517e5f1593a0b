//! What needs no account: `/s/WORD`, the page of one operator or one place; `/public/summary` and
//! `/public/accessibility`.

use std::time::Instant;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::page::{open, sheet};
use super::{PageQuery, SharedState, forms, gate, html};
use crate::access::accounts::Whose;
use crate::model::network::Language;

/// Pages that everybody may see.
#[derive(Debug, Clone, Default)]
pub struct PublicPages {
    /// Whether there is a public summary.
    pub summary: bool,
    /// Whom barriers are reported to.
    pub contact: Option<String>,
}

/// `GET /s/{word}`.
pub(super) async fn own(
    State(shared): SharedState,
    Path(word): Path<String>,
    Query(query): Query<PageQuery>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let reader = gate::reader(&shared, &request);
    if reader.is_some_and(|reader| !shared.limit.take(reader, Instant::now())) {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "60")], "too many requests\n").into_response();
    }
    let snapshot = shared.snapshot();
    let whose = shared.state.access.as_ref().and_then(|access| access.accounts().share(&word));
    // The operator's own language comes before the browser's, not before what was asked for.
    let language = match (&whose, &query.lang) {
        (Some(Whose::Wisp(id)), None) => snapshot.network.wisps.get(id).map(|w| w.language),
        _ => None,
    };
    let language = language.unwrap_or_else(|| shared.language(&query, headers));
    let page = match &whose {
        Some(Whose::Wisp(id)) => open::wisp(&snapshot, id, language),
        Some(Whose::Site(id)) => open::place(&snapshot, id, language),
        None => None,
    };
    let Some(page) = page else {
        let (title, text) = match language {
            Language::Italian => {
                ("Questo collegamento non è valido", "È stato ritirato, o l’indirizzo è stato copiato solo in parte.")
            }
            Language::English => {
                ("This link is not valid", "It was withdrawn, or only a part of the address was copied.")
            }
        };
        let page = sheet::message(&snapshot, language, title, text);
        return forms::with_status(html(page, language, headers), StatusCode::NOT_FOUND);
    };
    let mut response = html(page, language, headers);
    response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

/// `GET /public/summary`: 404 unless the Union wants one.
pub(super) async fn summary(State(shared): SharedState, Query(query): Query<PageQuery>, request: Request) -> Response {
    if !shared.state.public_pages.summary {
        return StatusCode::NOT_FOUND.into_response();
    }
    let language = shared.language(&query, request.headers());
    html(open::public(&shared.snapshot(), language), language, request.headers())
}

/// `GET /public/accessibility`.
pub(super) async fn accessibility(
    State(shared): SharedState,
    Query(query): Query<PageQuery>,
    request: Request,
) -> Response {
    let language = shared.language(&query, request.headers());
    let contact = shared.state.public_pages.contact.as_deref();
    html(open::accessibility(&shared.snapshot(), contact, language), language, request.headers())
}
