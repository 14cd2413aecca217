//! Answers with an error, by status or in the middle of a stream.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{Answer, Asked, Content, Fault, head, openai_error};

/// An error in the words of one provider.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) status: u16,
    /// The type, or the name of the exception.
    pub(super) kind: &'static str,
    /// The code; empty where there is none.
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

/// The provider refuses.
///
/// `after` is told in the way of this provider (a header in one unit or another, a member of the
/// body, half a sentence) and for the faults that it tells waits for; elsewhere it is not told.
pub fn fault(asked: &Asked, fault: Fault, after: Option<Duration>) -> Answer {
    let Some(complaint) = openai_error::complaint(asked, fault, after) else {
        return at_the_edge(asked, fault, after);
    };
    let mut headers = head::headers(asked, "application/json");
    if let Some(after) =
        after.filter(|_| matches!(fault, Fault::RateLimited(_) | Fault::Overloaded))
    {
        number(&mut headers, HeaderName::from_static("retry-after-ms"), milliseconds(after));
        number(&mut headers, header::RETRY_AFTER, seconds(after));
    }
    Answer {
        status: status(complaint.status),
        headers,
        content: Content::Whole(openai_error::body(&complaint).into()),
    }
}

/// An error in the middle of a stream, in the form that the dialect has for it, ready to be written.
///
/// It can only follow a whole event.
pub fn error_event(asked: &Asked, fault: Fault) -> Bytes {
    let complaint = openai_error::complaint(asked, fault, None)
        .or_else(|| openai_error::complaint(asked, Fault::Internal, None));
    let body = complaint.map(|complaint| openai_error::body(&complaint)).unwrap_or_default();
    format!("data: {body}\n\n").into()
}

/// What a gateway answers in front of the provider: a page of HTML, and no id of the provider's.
fn at_the_edge(asked: &Asked, fault: Fault, after: Option<Duration>) -> Answer {
    let (code, name) = match fault {
        Fault::BadGateway => (502, "502 Bad Gateway"),
        Fault::Unavailable => (503, "503 Service Temporarily Unavailable"),
        Fault::RequestTooLarge => (413, "413 Request Entity Too Large"),
        _ => (504, "504 Gateway Time-out"),
    };
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    head::set(&mut headers, header::DATE, httpdate::fmt_http_date(head::in_range(asked.at)));
    head::set(&mut headers, HeaderName::from_static("cf-ray"), format!("{:016x}-ARN", asked.id()));
    if let Some(after) = after.filter(|_| code == 503) {
        number(&mut headers, header::RETRY_AFTER, seconds(after));
    }
    let page = format!(
        "<html>\r\n<head><title>{name}</title></head>\r\n<body>\r\n<center><h1>{name}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    );
    Answer { status: status(code), headers, content: Content::Whole(page.into()) }
}

fn status(code: u16) -> StatusCode {
    // Every code in this folder is one.
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn number(headers: &mut HeaderMap, name: HeaderName, value: u128) {
    head::set(headers, name, value.to_string());
}

/// Rounded up: nobody is asked back too early.
fn seconds(after: Duration) -> u128 {
    after.as_nanos().div_ceil(1_000_000_000)
}

fn milliseconds(after: Duration) -> u128 {
    after.as_nanos().div_ceil(1_000_000)
}
