//! What the gateway says itself, and what it adds to what providers say.

use std::{borrow::Cow, time::Duration};

use battlement::{Error, Source, call::Attempt, fallback::Served};
use battlement_core::{
    attempts::{Ending, Step},
    write,
};
use http::{
    HeaderMap, HeaderName, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE},
};

use super::{
    Code, Dialect, ErrorBody, Family, Form, HeaderValue, Nowhere, Outgoing, Parts, Report,
    Response, StatusCode, Target, access::Denied, body::Events, headers, routes::Answer,
};
use crate::config::{Size, Time};

const ROUTE: HeaderName = HeaderName::from_static("x-battlement-route");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-battlement-attempts");
const WAITED: HeaderName = HeaderName::from_static("x-battlement-waited-ms");
const SOURCE: HeaderName = HeaderName::from_static("x-battlement-source");
const ID: HeaderName = HeaderName::from_static("x-battlement-request-id");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A request that is not passed on.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: Code,
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
}

impl Refusal {
    fn new(code: Code, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status, message: message.into(), retry_after: None, allow: None }
    }

    /// The request is wrong.
    pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn no_model(name: &str) -> Self {
        // Whatever the client has written there, in bounds.
        let name: String = name.chars().take(100).collect();
        let message =
            format!("there is no model `{name}` here; GET /v1/models lists those there are");
        Self::new(Code::ModelUnavailable, StatusCode::NOT_FOUND, message)
    }

    pub(super) fn not_spoken(who: &str, family: Family) -> Self {
        let who: String = who.chars().take(100).collect();
        let message = format!(
            "`{who}` cannot be asked in the API of {family}, and requests are not translated"
        );
        Self::new(Code::ModelUnavailable, StatusCode::NOT_FOUND, message)
    }

    pub(super) fn nowhere(nowhere: Nowhere) -> Self {
        match nowhere {
            Nowhere::Unknown => Self::new(
                Code::InvalidRequest,
                StatusCode::NOT_FOUND,
                "there is nothing at this path",
            ),
            Nowhere::Method(allow) => {
                let message = format!("this path takes {allow}");
                let refusal =
                    Self::new(Code::InvalidRequest, StatusCode::METHOD_NOT_ALLOWED, message);
                Self { allow: Some(allow), ..refusal }
            }
        }
    }

    pub(super) fn too_large(most: Size) -> Self {
        let message = format!("the body is larger than {most}");
        Self::new(Code::RequestTooLarge, StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(super) fn too_slow(time: Time) -> Self {
        let message = format!("the body was not there within {:?}", time.get());
        Self::new(Code::RequestUnreadable, StatusCode::REQUEST_TIMEOUT, message)
    }

    pub(super) fn unread() -> Self {
        Self::new(Code::RequestUnreadable, StatusCode::BAD_REQUEST, "the body could not be read")
    }

    /// As an answer in this dialect.
    pub(super) fn response(&self, dialect: Dialect, form: Form, id: &str) -> Response<Outgoing> {
        let body =
            ErrorBody::new(self.code, &self.message).status(self.status).form(form).request_id(id);
        let body = match self.retry_after {
            Some(wait) => body.retry_after(wait),
            None => body,
        };
        let mut response: Response<Outgoing> = write::error(dialect, &body).into_response();
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        insert(response.headers_mut(), ID, id);
        response
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let Denied { code, message, retry_after } = denied;
        let status = if retry_after.is_some() || code == Code::LimitReached {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::UNAUTHORIZED
        };
        Self { retry_after, ..Self::new(code, status, message) }
    }
}

/// Over HTTP/1.1 what is left of the body would be taken for the next request.
pub(super) fn close_if_unread(response: &mut Response<Outgoing>, parts: &Parts, refusal: &Refusal) {
    let is_unread = matches!(refusal.code, Code::RequestTooLarge | Code::RequestUnreadable);
    if is_unread && parts.version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A text for people and probes.
pub(super) fn text(text: &'static str) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::from(bytes::Bytes::from_static(text.as_bytes())));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A document.
pub(super) fn json(json: String) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::from(bytes::Bytes::from(json)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a provider says, with what is known about it.
pub(super) fn passed(
    response: Response<Answer>,
    request: Parts,
    dialect: Dialect,
    mut report: Report,
    is_ours: bool,
) -> Response<Outgoing> {
    let served = response.extensions().get::<Served>().map(|served| served.route().to_owned());
    let source = Source::of(&response).to_string();
    let attempt = response.extensions().get::<Attempt>().cloned();
    let verdict = attempt.as_ref().and_then(Attempt::verdict);
    let code = verdict.and_then(|verdict| verdict.code());
    let is_about_key =
        matches!(code, Some(Code::InvalidKey | Code::MissingKey | Code::AccessDenied));
    if is_ours && (response.status() == StatusCode::UNAUTHORIZED || is_about_key) {
        (report.route, report.attempt) = (served, attempt);
        (report.status, report.code) = (Some(StatusCode::BAD_GATEWAY), code);
        return refused_ours(dialect, &request, &report);
    }
    let (mut parts, body) = response.into_parts();
    parts.version = Version::default();
    parts.extensions.clear();
    headers::clean_response(&mut parts.headers, is_ours);
    let head = &mut parts.headers;
    if let Some(attempt) = &attempt {
        let call = attempt.call();
        let trail = call.trail();
        let (attempts, waited) = (sent(&trail), waited(&trail));
        head.insert(ATTEMPTS, attempts.into());
        head.insert(WAITED, waited.into());
        let is_tried_here = attempts > 1 || (report.most_attempts > 1 && is_retried(parts.status));
        if parts.status.as_u16() >= 400 && is_tried_here {
            // It was, or there was no more to spend on it. It is not to be tried as often again by each client.
            head.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    }
    if let Some(route) = &served {
        insert(head, ROUTE, route);
    }
    insert(head, SOURCE, &source);
    insert(head, ID, &report.id);
    let form = match &attempt {
        Some(attempt) => Form::asked(dialect, attempt.call().facts().stream, &request.uri),
        None => Form::Document,
    };
    let events = Events::new(dialect, form, head);
    (report.route, report.status, report.attempt) = (served, Some(parts.status), attempt);
    let tells_verdict = headers::takes_trailers(&request.headers);
    if tells_verdict {
        head.insert(http::header::TRAILER, HeaderValue::from_static("x-battlement-verdict"));
    }
    Response::from_parts(parts, Outgoing::passed(body, report, events, tells_verdict))
}

/// Whether SDKs and this gateway try again after this.
fn is_retried(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// That the provider has refused our key. Told as it is, whoever asks would look for a fault in his own.
fn refused_ours(dialect: Dialect, request: &Parts, report: &Report) -> Response<Outgoing> {
    let stream = report.attempt.as_ref().is_some_and(|attempt| attempt.call().facts().stream);
    let message = "the provider has refused the key of this gateway; whoever runs it finds the reason in its log";
    let body = ErrorBody::new(Code::ServerError, message)
        .status(StatusCode::BAD_GATEWAY)
        .form(Form::asked(dialect, stream, &request.uri))
        .request_id(&report.id)
        .should_retry(false);
    let mut response: Response<Outgoing> = write::error(dialect, &body).into_response();
    let head = response.headers_mut();
    if let Some(attempt) = &report.attempt {
        let trail = attempt.call().trail();
        head.insert(ATTEMPTS, sent(&trail).into());
        head.insert(WAITED, waited(&trail).into());
    }
    if let Some(route) = &report.route {
        insert(head, ROUTE, route);
    }
    insert(head, ID, &report.id);
    response
}

/// That there is no answer.
pub(super) fn failed(
    error: Error,
    dialect: Dialect,
    form: Form,
    report: &mut Report,
) -> Response<Outgoing> {
    let tried_once = error.attempts().is_empty() && error.verdict().is_some();
    let attempts = sent(error.attempts()) + u32::from(tried_once);
    let waited = waited(error.attempts());
    (report.code, report.attempts) = (Some(error.code()), attempts);
    let (code, status, wait) = (error.code(), error.kind().status(), error.retry_after());
    // One that nothing was spent on, as its turn did not come, may come again.
    let is_tried_here = attempts > 1 || (attempts == 1 && report.most_attempts > 1);
    let is_final = !error.is_retryable() || is_tried_here;
    let message = error.into_source().to_string();
    let mut body = ErrorBody::new(code, &message).status(status).form(form).request_id(&report.id);
    if let Some(wait) = wait {
        body = body.retry_after(wait);
    }
    if is_final {
        body = body.should_retry(false);
    }
    let mut response: Response<Outgoing> = write::error(dialect, &body).into_response();
    let head = response.headers_mut();
    head.insert(ATTEMPTS, attempts.into());
    head.insert(WAITED, waited.into());
    insert(head, ID, &report.id);
    response
}

/// How often a request went out. What a closed circuit or a key that cools down has turned away did not.
pub(super) fn sent(trail: &[Step]) -> u32 {
    trail.iter().filter(|step| step.ending != Some(Ending::Unsent)).count() as u32
}

/// How long a call has waited between its attempts, in milliseconds.
fn waited(trail: &[Step]) -> u64 {
    trail.iter().map(|step| step.waited).sum::<Duration>().as_millis() as u64
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What a call is called in the log.
pub(super) fn name(target: &Target<'_>, dialect: Dialect) -> &'static str {
    match target {
        Target::Call { .. } | Target::Kept { .. } => dialect.as_str(),
        Target::Models(_) | Target::Model(..) => "models",
        Target::Alive | Target::Ready => "health",
    }
}
