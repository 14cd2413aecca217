//! What a gateway answers in front of the provider: a page of HTML, and no id of the provider's.

use std::time::Duration;

use battlement_core::Provider;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{retry_after, status};
use crate::answer::{Answer, Asked, Content, Fault, head, vendor};

pub(super) fn answer(asked: &Asked, fault: Fault, after: Option<Duration>) -> Answer {
    let (code, name) = match fault {
        Fault::BadGateway => (502, "502 Bad Gateway"),
        Fault::Unavailable => (503, "503 Service Temporarily Unavailable"),
        Fault::RequestTooLarge => (413, "413 Request Entity Too Large"),
        _ => (504, "504 Gateway Time-out"),
    };
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    head::set(&mut headers, header::DATE, httpdate::fmt_http_date(head::in_range(asked.at)));
    let server = match vendor(asked.dialect) {
        Provider::OpenAi | Provider::Anthropic => {
            let ray = format!("{:016x}-ARN", asked.id());
            head::set(&mut headers, HeaderName::from_static("cf-ray"), ray);
            "cloudflare"
        }
        _ => "nginx",
    };
    // The one page of these that has a place for a wait.
    if let Some(after) = after.filter(|_| fault == Fault::Unavailable) {
        retry_after(&mut headers, after);
    }
    let page = format!(
        "<html>\r\n<head><title>{name}</title></head>\r\n<body>\r\n<center><h1>{name}</h1></center>\r\n<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    );
    Answer { status: status(code), headers, content: Content::Whole(page.into()) }
}
