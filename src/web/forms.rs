//! The pages with forms: of one incident, for its operator (`/l/TOKEN`) and for the staff (`/i/NUMBER`).
//!
//! A signed link opens the page of one incident to one operator. Asking changes nothing, however often: mail scanners
//! follow links. A change is a POST with the signature that the page carried, good for a day and as long as nobody has
//! changed anything meanwhile; so that one that is sent again does nothing. What a link can do is to take charge, to
//! announce works on what the incident is about, and to withdraw them.
//!
//! The staff's page changes things for an account of the staff, and for somebody on this machine who knows the operator's
//! token, as the API does.

use std::time::{Duration, Instant};

use axum::extract::{Form, FromRequest as _, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::desk::{self, DeskError, DeskRequest, History, is_local, moment};
use super::page::sheet::{self, IncidentParts, LinkParts, Typed};
use super::snapshot::Snapshot;
use super::{Shared, SharedState, gate, html, language};
use crate::access::sessions::Session;
use crate::alert::desk::{Act, Command, Desk, Fault, Place, Refusal};
use crate::alert::signed::{self, FormSign};
use crate::alert::{Incident, Subject};
use crate::model::network::Language;
use crate::model::{UnixMillis, WispId};

/// A form is a few lines of text.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Fields, in characters; as the forms say to browsers.
const SHORT_CHARS_MAX: usize = 80;
const NOTE_CHARS_MAX: usize = 300;
/// A repair or works later than this is a slip of the pen.
const AHEAD_MAX: Duration = Duration::from_hours(366 * 24);
/// What an operator says of one incident through its link; room remains for the staff.
const LINK_ENTRIES_MAX: usize = 100;

/// A form as it was sent. What it does not have is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    act: String,
    form: String,
    lang: String,
    by: String,
    /// The operator's token; the staff's page only.
    token: String,
    ticket: String,
    repair: String,
    note: String,
    reason: String,
    fault: String,
    from: String,
    to: String,
    works_note: String,
    window: String,
}

/// Why a form was not taken: the answer's code, and a sentence.
type Refused = (StatusCode, String);
/// Two languages' worth of one sentence.
pub(super) type Said = (&'static str, &'static str);

const BAD_FORM: Said = (
    "Il modulo non è valido. Controllate i dati e inviate di nuovo.",
    "This form is not valid. Please check what you entered and send it again.",
);
const OLD_FORM: Said = (
    "Nel frattempo la pagina è cambiata: nulla è stato registrato. Controllate e inviate di nuovo.",
    "The page has changed meanwhile: nothing was recorded. Please look at it and send again.",
);
const NOT_WRITTEN: Said =
    ("Non è stato registrato: riprovate tra un minuto.", "It was not recorded: try again in a minute.");

pub(super) fn pick(language: Language, (italian, english): Said) -> &'static str {
    if language == Language::Italian { italian } else { english }
}

/// What a page was asked for.
struct Asked<'a> {
    desk: &'a desk::Desk,
    snapshot: std::sync::Arc<Snapshot>,
    language: Language,
    headers: HeaderMap,
}

impl Asked<'_> {
    fn now(&self) -> UnixMillis {
        self.snapshot.generated_at
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.snapshot.network.time_zone).unwrap_or(TimeZone::UTC)
    }

    fn says(&self, said: Said) -> &'static str {
        pick(self.language, said)
    }

    fn message(&self, status: StatusCode, title: Said, text: Said) -> Response {
        let page = sheet::message(&self.snapshot, self.language, self.says(title), self.says(text));
        with_status(html(page, self.language, &self.headers), status)
    }

    fn busy(&self) -> Response {
        self.message(
            StatusCode::SERVICE_UNAVAILABLE,
            ("Un momento", "One moment"),
            (
                "Il sistema non risponde adesso: riprovate tra un minuto.",
                "The hub does not answer now: try again in a minute.",
            ),
        )
    }

    fn refuse<T>(&self, status: StatusCode, said: Said) -> Result<T, Refused> {
        Err((status, self.says(said).to_owned()))
    }

    async fn history(&self, incident: u64) -> Result<Option<History>, Response> {
        desk::ask(self.desk, |reply| DeskRequest::Show { incident, reply }).await.ok_or_else(|| self.busy())
    }

    async fn everything_said(&self) -> Result<Desk, Response> {
        let answer = desk::ask(self.desk, |reply| DeskRequest::Desk { reply }).await;
        answer.map(|(desk, _)| desk).ok_or_else(|| self.busy())
    }

    /// Has the loop do it; what it refuses is told in the reader's words.
    async fn order(&self, command: Command, by: String) -> Result<(), String> {
        let says = |said: Said| Err(self.says(said).to_owned());
        match desk::ask(self.desk, |reply| DeskRequest::Command { command, by, reply }).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(DeskError::Refused(refusal))) => says(match refusal {
                Refusal::BadWindow => (
                    "I lavori devono finire dopo l’inizio, non essere già finiti e durare al massimo 31 giorni.",
                    "Works must end after they begin, not be over already, and last 31 days at most.",
                ),
                Refusal::TooManyWindows | Refusal::TooManyOfOperator | Refusal::Full(_) => (
                    "Ci sono già troppe registrazioni: rispondete alla mail.",
                    "There are too many entries already: please reply to the mail.",
                ),
                Refusal::BadText(_) => {
                    ("Un testo contiene caratteri non ammessi.", "A text has characters that are not allowed.")
                }
                _ => BAD_FORM,
            }),
            Some(Err(DeskError::NotWritten)) | None => says(NOT_WRITTEN),
        }
    }
}

pub(super) fn with_status(mut response: Response, status: StatusCode) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

/// After a change the browser asks for the page again: to load it anew sends nothing twice.
fn see(path: &str, done: &str, language: Language) -> Response {
    let to = format!("{path}?done={done}&lang={}", language.code());
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// What a redirect says was done; nothing else that stands there is shown.
fn done(query: Option<&str>, language: Language) -> Option<&'static str> {
    let said = match query? {
        "ack" => ("Presa in carico registrata.", "Your acknowledgement is recorded."),
        "works" => ("Lavori annunciati.", "The works are announced."),
        "withdraw" => ("Annuncio ritirato.", "The works are withdrawn."),
        "suspend" | "resume" | "fault" => ("Registrato.", "Recorded."),
        _ => return None,
    };
    Some(pick(language, said))
}

/// What the browser itself says of where a form comes from, where it says so (Fetch Metadata).
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// One line of a field: line ends and tabs become spaces, marks that turn writing round are left out.
fn tidy(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let spaced = |c: char| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
    text.chars().filter(|c| !turns(*c)).map(spaced).collect::<String>().trim().to_owned()
}

impl Fields {
    async fn read(request: Request) -> Result<Self, Said> {
        Form::<Self>::from_request(request, &()).await.map(|Form(fields)| fields).map_err(|_| BAD_FORM)
    }

    fn typed(&self, problem: Option<String>) -> Typed {
        Typed {
            by: self.by.clone(),
            ticket: self.ticket.clone(),
            repair: self.repair.clone(),
            note: self.note.clone(),
            reason: self.reason.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            works_note: self.works_note.clone(),
            problem,
            done: None,
        }
    }

    /// A text of at most so many characters; empty is none.
    fn text(field: &str, most: usize) -> Result<Option<String>, Said> {
        let text = tidy(field);
        if text.chars().count() > most || text.chars().any(char::is_control) {
            return Err((
                "Un testo è troppo lungo o contiene caratteri non ammessi.",
                "A text is too long, or has characters that are not allowed.",
            ));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    fn time(field: &str, zone: &TimeZone, now: UnixMillis) -> Result<Option<UnixMillis>, Said> {
        if field.trim().is_empty() {
            return Ok(None);
        }
        let at = moment(field, zone, now).filter(|at| *at < now + AHEAD_MAX);
        at.map(Some).ok_or((
            "Scrivete data e ora così: 2026-11-24 15:30.",
            "Please write date and time like this: 2026-11-24 15:30.",
        ))
    }

    /// What the form asks for, of this incident.
    fn command(
        &self,
        incident: &Incident,
        wisp: Option<WispId>,
        zone: &TimeZone,
        now: UnixMillis,
    ) -> Result<Command, Said> {
        let act = |act| Ok(Command::Act { incident: incident.number, act });
        match self.act.as_str() {
            "ack" => {
                let expected_repair = Self::time(&self.repair, zone, now)?;
                if expected_repair.is_some_and(|at| at <= now) {
                    return Err(("Il ripristino previsto è già passato.", "The expected repair is in the past."));
                }
                let ticket = Self::text(&self.ticket, SHORT_CHARS_MAX)?;
                act(Act::Acknowledge { ticket, expected_repair, note: Self::text(&self.note, NOTE_CHARS_MAX)? })
            }
            "works" => {
                let place = place(&incident.subject).ok_or(BAD_FORM)?;
                let (from, to) = (Self::time(&self.from, zone, now)?, Self::time(&self.to, zone, now)?);
                let (Some(from), Some(to)) = (from, to) else {
                    return Err(("Indicate inizio e fine dei lavori.", "Please say when works begin and end."));
                };
                let note = Self::text(&self.works_note, NOTE_CHARS_MAX)?;
                Ok(Command::AddWindow { place, from, to, note, wisp })
            }
            "suspend" => match Self::text(&self.reason, NOTE_CHARS_MAX)? {
                Some(reason) => act(Act::Suspend { reason }),
                None => Err(("Indicate il motivo della sospensione.", "Please say why the clock stands still.")),
            },
            "resume" => act(Act::Resume),
            "fault" => {
                let fault = Fault::ALL.into_iter().find(|f| f.as_str() == self.fault).ok_or(BAD_FORM)?;
                act(Act::Fault { fault })
            }
            _ => Err(BAD_FORM),
        }
    }
}

/// Where works explain an incident about this subject, if they can be announced for it.
fn place(subject: &Subject) -> Option<Place> {
    match subject {
        Subject::Edge(edge) => Some(Place::Link(edge.clone())),
        Subject::Device(id) => Some(Place::Device(id.clone())),
        Subject::Site(_) | Subject::Agent(_) | Subject::Service(..) | Subject::Backup(_) | Subject::Hub => None,
    }
}

/// What a page showed of what people said: a form belongs to it.
fn state_of(history: &History, desk: &Desk, own: Option<&WispId>) -> String {
    let windows: Vec<_> = desk.windows.values().filter(|w| own.is_none() || w.wisp.as_ref() == own).collect();
    let removed = windows.iter().filter(|w| w.removed.is_some()).count();
    format!("{} {} {removed}", history.case.entries.len(), windows.len())
}

#[derive(Debug, Deserialize)]
pub struct LinkQuery {
    lang: Option<String>,
    done: Option<String>,
}

/// What a valid link opens.
struct Opened {
    history: History,
    desk: Desk,
    wisp: WispId,
    wisp_name: String,
}

impl Opened {
    fn page(token: &str) -> String {
        format!("link {token}")
    }

    fn state(&self) -> String {
        state_of(&self.history, &self.desk, Some(&self.wisp))
    }
}

/// `None` where nobody answers for the desk.
fn asked<'a>(shared: &'a Shared, lang: Option<&str>, own: Option<Language>, headers: &HeaderMap) -> Option<Asked<'a>> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    // The operator's own language comes before the browser's, not before what was asked for.
    let language = match own {
        Some(own) => language::choose(lang, None, own),
        None => language::choose(lang, accepted, shared.state.default_language),
    };
    let desk = shared.state.desk.as_ref()?;
    Some(Asked { desk, snapshot: shared.snapshot(), language, headers: headers.clone() })
}

/// What a token grants, if this hub wrote it and its reader has not asked too often. The ledger is not asked before.
fn granted(shared: &Shared, request: &Request, token: &str) -> Result<signed::Grant, StatusCode> {
    let desk = shared.state.desk.as_ref().ok_or(StatusCode::NOT_FOUND)?;
    if gate::reader(shared, request).is_some_and(|reader| !shared.limit.take(reader, Instant::now())) {
        return Err(StatusCode::TOO_MANY_REQUESTS);
    }
    desk.links.read(&shared.snapshot().network.id, token).ok_or(StatusCode::NOT_FOUND)
}

impl Asked<'_> {
    fn refused(&self, status: StatusCode) -> Response {
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let title = ("Troppe richieste", "Too many requests");
                let mut response = self.message(status, title, ("Riprovate tra un minuto.", "Try again in a minute."));
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
                response
            }
            StatusCode::GONE => self.message(
                status,
                ("Questo collegamento è scaduto", "This link has expired"),
                (
                    "L’avviso è chiuso da più di sette giorni. Per altre informazioni rispondete alla mail.",
                    "The incident closed more than seven days ago. To know more, reply to the mail.",
                ),
            ),
            _ => self.message(
                StatusCode::NOT_FOUND,
                ("Questo collegamento non è valido", "This link is not valid"),
                (
                    "Forse l’indirizzo è stato copiato solo in parte: aprite quello della mail più recente.",
                    "Perhaps only a part of the address was copied: open the one in the latest mail.",
                ),
            ),
        }
    }

    async fn open(&self, grant: &signed::Grant) -> Result<Opened, Response> {
        let invalid = || self.refused(StatusCode::NOT_FOUND);
        let history = self.history(grant.incident).await?.ok_or_else(invalid)?;
        let wisp = self.snapshot.network.wisps.get(&grant.wisp);
        let Some(wisp) = wisp.filter(|_| grant.is_about(&history.incident)) else { return Err(invalid()) };
        if !signed::is_valid(&history.incident, self.now()) {
            return Err(self.refused(StatusCode::GONE));
        }
        let desk = self.everything_said().await?;
        Ok(Opened { history, desk, wisp: wisp.id.clone(), wisp_name: wisp.name.clone() })
    }

    fn link_page(&self, opened: &Opened, token: &str, typed: &Typed, status: StatusCode) -> Response {
        let parts = LinkParts {
            snapshot: &self.snapshot,
            history: &opened.history,
            desk: &opened.desk,
            token,
            form: self.desk.links.form(&Opened::page(token), &opened.state(), self.now()),
            can_announce: place(&opened.history.incident.subject).is_some(),
            typed,
        };
        with_status(html(sheet::link(parts, self.language), self.language, &self.headers), status)
    }

    /// Does what a link's form asks for.
    async fn change_by_link(&self, opened: &Opened, token: &str, fields: &Fields) -> Result<(), Refused> {
        let incident = &opened.history.incident;
        match self.desk.links.check_form(&Opened::page(token), &opened.state(), &fields.form, self.now()) {
            FormSign::Good => {}
            FormSign::Old => return self.refuse(StatusCode::CONFLICT, OLD_FORM),
            FormSign::Wrong => return self.refuse(StatusCode::FORBIDDEN, BAD_FORM),
        }
        if incident.closed_at.is_some() {
            return self.refuse(StatusCode::CONFLICT, OLD_FORM);
        }
        let full = sheet::own_entries(&opened.history.case, &opened.wisp_name).count() >= LINK_ENTRIES_MAX;
        let command = match fields.act.as_str() {
            "ack" if full => self.refuse(
                StatusCode::CONFLICT,
                (
                    "Ci sono già troppe registrazioni: rispondete alla mail.",
                    "There are too many entries already: please reply to the mail.",
                ),
            ),
            "ack" | "works" => fields
                .command(incident, Some(opened.wisp.clone()), &self.zone(), self.now())
                .or_else(|said| self.refuse(StatusCode::UNPROCESSABLE_ENTITY, said)),
            "withdraw" => {
                let window = fields.window.parse().ok().and_then(|number: u64| opened.desk.windows.get(&number));
                match window.filter(|w| sheet::is_own(&self.snapshot.network, w, incident)) {
                    Some(window) => Ok(Command::RemoveWindow { number: window.number }),
                    None => self.refuse(StatusCode::UNPROCESSABLE_ENTITY, BAD_FORM),
                }
            }
            _ => self.refuse(StatusCode::UNPROCESSABLE_ENTITY, BAD_FORM),
        }?;
        let person = Fields::text(&fields.by, SHORT_CHARS_MAX);
        let person = person.or_else(|said| self.refuse(StatusCode::UNPROCESSABLE_ENTITY, said))?;
        let by = person.map_or_else(|| opened.wisp_name.clone(), |person| format!("{}, {person}", opened.wisp_name));
        self.order(command, by).await.map_err(|problem| (StatusCode::UNPROCESSABLE_ENTITY, problem))
    }
}

/// The operator's language, where the grant names one that there is.
fn language_of(shared: &Shared, grant: Result<&signed::Grant, &StatusCode>) -> Option<Language> {
    let grant = grant.ok()?;
    shared.snapshot().network.wisps.get(&grant.wisp).map(|w| w.language)
}

/// `GET /l/{token}`.
pub(super) async fn link(
    State(shared): SharedState,
    Path(token): Path<String>,
    Query(query): Query<LinkQuery>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let grant = granted(&shared, &request, &token);
    let own = language_of(&shared, grant.as_ref());
    let Some(asked) = asked(&shared, query.lang.as_deref(), own, headers) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let opened = match grant {
        Ok(grant) => asked.open(&grant).await,
        Err(status) => Err(asked.refused(status)),
    };
    match opened {
        Ok(opened) => {
            let typed = Typed { done: done(query.done.as_deref(), asked.language), ..Typed::default() };
            asked.link_page(&opened, &token, &typed, StatusCode::OK)
        }
        Err(response) => response,
    }
}

/// `POST /l/{token}`.
pub(super) async fn change_by_link(
    State(shared): SharedState,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let grant = granted(&shared, &request, &token);
    let own = language_of(&shared, grant.as_ref());
    let read = if is_foreign(&headers) { Err(BAD_FORM) } else { Fields::read(request).await };
    let lang = read.as_ref().ok().map(|fields| fields.lang.as_str());
    let Some(asked) = asked(&shared, lang, own, &headers) else { return StatusCode::NOT_FOUND.into_response() };
    let opened = match grant {
        Ok(grant) => asked.open(&grant).await,
        Err(status) => Err(asked.refused(status)),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    let fields = match read {
        Ok(fields) => fields,
        Err(said) => {
            let typed = Typed { problem: Some(asked.says(said).to_owned()), ..Typed::default() };
            return asked.link_page(&opened, &token, &typed, StatusCode::BAD_REQUEST);
        }
    };
    match asked.change_by_link(&opened, &token, &fields).await {
        Ok(()) => see(&token, &fields.act, asked.language),
        Err((status, problem)) => asked.link_page(&opened, &token, &fields.typed(Some(problem)), status),
    }
}

impl Asked<'_> {
    async fn incident(&self, number: u64) -> Result<(History, Desk), Response> {
        let absent = || {
            self.message(
                StatusCode::NOT_FOUND,
                ("Questo avviso non esiste", "There is no such incident"),
                ("Il numero è forse di un altro registro.", "Perhaps its number is of another ledger."),
            )
        };
        let history = self.history(number).await?.ok_or_else(absent)?;
        Ok((history, self.everything_said().await?))
    }

    fn incident_page(
        &self,
        history: &History,
        desk: &Desk,
        writer: &Writer,
        typed: &Typed,
        status: StatusCode,
    ) -> Response {
        let form = || self.desk.links.form(&staff_page(history, writer), &state_of(history, desk, None), self.now());
        let parts = IncidentParts {
            snapshot: &self.snapshot,
            history,
            desk,
            form: (!matches!(writer, Writer::Nobody)).then(form),
            account: writer.account(),
            can_announce: place(&history.incident.subject).is_some(),
            typed,
        };
        with_status(html(sheet::incident(parts, self.language), self.language, &self.headers), status)
    }

    async fn change_by_staff(
        &self,
        history: &History,
        desk: &Desk,
        writer: &Writer,
        fields: &Fields,
    ) -> Result<(), Refused> {
        let (page, state) = (staff_page(history, writer), state_of(history, desk, None));
        match self.desk.links.check_form(&page, &state, &fields.form, self.now()) {
            FormSign::Good => {}
            FormSign::Old => return self.refuse(StatusCode::CONFLICT, OLD_FORM),
            FormSign::Wrong => return self.refuse(StatusCode::FORBIDDEN, BAD_FORM),
        }
        if writer.account().is_none() && !self.desk.token.is(fields.token.trim()) {
            let wrong = ("Il codice di accesso manca o è sbagliato.", "The access code is missing or wrong.");
            return self.refuse(StatusCode::UNAUTHORIZED, wrong);
        }
        let command = fields.command(&history.incident, None, &self.zone(), self.now());
        let command = command.or_else(|said| self.refuse(StatusCode::UNPROCESSABLE_ENTITY, said))?;
        let by = match writer.account() {
            Some(account) => Some(account.to_owned()),
            None => Fields::text(&fields.by, SHORT_CHARS_MAX).ok().flatten(),
        };
        let Some(by) = by else {
            return self
                .refuse(StatusCode::UNPROCESSABLE_ENTITY, ("Indicate chi registra.", "Please say who records it."));
        };
        self.order(command, by).await.map_err(|problem| (StatusCode::UNPROCESSABLE_ENTITY, problem))
    }
}

/// Who may write on the staff's page.
enum Writer {
    Account(Session),
    /// Somebody on this machine, who must show the operator's token.
    Token,
    Nobody,
}

impl Writer {
    fn of(request: &Request) -> Self {
        match gate::writer(request) {
            Some(session) => Self::Account(session),
            None if is_local(request.extensions()) => Self::Token,
            None => Self::Nobody,
        }
    }

    fn account(&self) -> Option<&str> {
        match self {
            Self::Account(session) => Some(&session.account),
            Self::Token | Self::Nobody => None,
        }
    }
}

/// Whose form it is: one of a session is none of another.
fn staff_page(history: &History, writer: &Writer) -> String {
    let mark = if let Writer::Account(session) = writer { session.mark.as_str() } else { "" };
    format!("incident {} {mark}", history.incident.number)
}

/// `GET /i/{number}`.
pub(super) async fn incident(
    State(shared): SharedState,
    Path(number): Path<u64>,
    Query(query): Query<LinkQuery>,
    request: Request,
) -> Response {
    let Some(asked) = asked(&shared, query.lang.as_deref(), None, request.headers()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match asked.incident(number).await {
        Ok((history, desk)) => {
            let typed = Typed { done: done(query.done.as_deref(), asked.language), ..Typed::default() };
            asked.incident_page(&history, &desk, &Writer::of(&request), &typed, StatusCode::OK)
        }
        Err(response) => response,
    }
}

/// `POST /i/{number}`.
pub(super) async fn change_by_staff(State(shared): SharedState, Path(number): Path<u64>, request: Request) -> Response {
    let headers = request.headers().clone();
    let writer = Writer::of(&request);
    if matches!(writer, Writer::Nobody) || is_foreign(&headers) {
        return (StatusCode::FORBIDDEN, "changes need an account of the staff, or the hub's own machine\n")
            .into_response();
    }
    let read = Fields::read(request).await;
    let lang = read.as_ref().ok().map(|fields| fields.lang.as_str());
    let Some(asked) = asked(&shared, lang, None, &headers) else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(fields) = read else { return (StatusCode::BAD_REQUEST, "not a form of this page\n").into_response() };
    let (history, desk) = match asked.incident(number).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    match asked.change_by_staff(&history, &desk, &writer, &fields).await {
        Ok(()) => see(&number.to_string(), &fields.act, asked.language),
        Err((status, problem)) => asked.incident_page(&history, &desk, &writer, &fields.typed(Some(problem)), status),
    }
}
