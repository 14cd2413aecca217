//! What is sent for a step: the head, the pieces of the body, and how it ends.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::lost::Why;
use crate::{
    answer::{self, Answer, Asked, Content, Fault, Reply},
    script::{Break, How, Step, What},
};

/// All of an answer.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) pieces: Vec<Bytes>,
    pub(super) tail: Tail,
    pub(super) first_after: Duration,
    pub(super) every: Duration,
    /// Whether it is not a stream.
    pub(super) is_whole: bool,
}

/// What comes behind the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// The end, in good order.
    End,
    /// The connection fails.
    Fails(Why),
    /// Nothing.
    Stalls,
}

/// What the provider says, as long as nothing goes wrong on the wire. `None` when it says nothing.
pub(super) fn answer(step: &Step, asked: &Asked, usual: &Reply) -> Option<Answer> {
    Some(match &step.what {
        What::Reply(ending) => answer::reply(asked, &reply(step, usual).ending(*ending)),
        What::Fault { fault, status, hint } => {
            let answer = answer::fault(asked, *fault, *hint);
            Answer { status: status.unwrap_or(answer.status), ..answer }
        }
        What::Page(status) => page(*status),
        What::Custom(custom) => Answer {
            status: custom.status,
            headers: custom.headers.clone(),
            content: Content::Whole(custom.body.clone()),
        },
        What::Reset | What::Unreachable | What::Never => return None,
    })
}

/// What the model says.
pub(super) fn reply(step: &Step, usual: &Reply) -> Reply {
    let mut reply = usual.clone();
    if let Some(text) = &step.text {
        reply.text = Some(text.clone());
    }
    if let Some(tokens) = step.tokens {
        reply.output_tokens = tokens;
    }
    reply
}

impl Plan {
    /// An answer, broken as the step says.
    pub(super) fn new(step: &Step, asked: &Asked, answer: Answer) -> Self {
        let Answer { status, mut headers, content } = answer;
        let (mut pieces, is_whole) = match content {
            Content::Whole(body) => (vec![body], true),
            Content::Events(events) => (events, false),
        };
        let mut length = pieces.iter().map(Bytes::len).sum::<usize>();
        let mut tail = Tail::End;
        if let Some(breaks) = step.breaks {
            tail = if is_whole {
                break_whole(breaks.how, asked, &mut pieces)
            } else {
                break_stream(breaks, asked, &headers, &mut pieces)
            };
            if tail == Tail::End {
                length = pieces.iter().map(Bytes::len).sum();
            }
        }
        if step.wrong_length {
            headers.remove(header::CONTENT_LENGTH);
            length += MISSING;
            if tail == Tail::End {
                tail = Tail::Fails(Why::Closed);
            }
        }
        // A chunk that is none needs chunks around it, and these statuses come without a body.
        let is_chunked = !is_whole || step.breaks.is_some_and(|breaks| breaks.how == How::BadChunk);
        let has_length = !is_chunked || step.wrong_length;
        let is_bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if !is_bodiless {
            if let Some(promised) = promised(&mut headers) {
                keep_to(promised, &mut pieces, &mut tail);
            } else if has_length {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        let (first_after, every) = (step.first_after, step.every);
        Self { status, headers, pieces, tail, first_after, every, is_whole }
    }
}

/// How many bytes a wrong length promises too much.
const MISSING: usize = 64;

/// The length that an answer has been given. One that is no number cannot be written and is taken away.
fn promised(headers: &mut HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().map(|value| {
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    });
    let first = lengths.next()?;
    let is_one = first.is_some() && lengths.all(|length| length == first);
    if !is_one {
        headers.remove(header::CONTENT_LENGTH);
    }
    first.filter(|_| is_one)
}

/// Sends as much as is promised. If there is less, the connection is closed behind it.
fn keep_to(promised: u64, pieces: &mut [Bytes], tail: &mut Tail) {
    let mut left = promised;
    for piece in &mut *pieces {
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= piece.len() as u64;
    }
    if left == 0 {
        // A client goes on to the next answer here, whatever would follow.
        *tail = Tail::End;
    } else if *tail == Tail::End {
        *tail = Tail::Fails(Why::Closed);
    }
}

/// Of a document the first half is sent.
fn break_whole(how: How, asked: &Asked, pieces: &mut [Bytes]) -> Tail {
    for body in pieces {
        if let How::Error(fault) = how {
            *body = answer::fault(asked, told_inside(fault), None).content.concat();
        } else {
            body.truncate(body.len() / 2);
        }
    }
    tail(how)
}

fn break_stream(
    breaks: Break,
    asked: &Asked,
    headers: &HeaderMap,
    events: &mut Vec<Bytes>,
) -> Tail {
    let after = usize::try_from(breaks.after).unwrap_or(usize::MAX);
    let before_last = after.min(events.len().saturating_sub(1));
    match breaks.how {
        How::Stall | How::Reset => events.truncate(after),
        How::Cut | How::End | How::BadChunk => events.truncate(before_last),
        How::Torn => {
            events.truncate(before_last + 1);
            if let Some(last) = events.last_mut() {
                last.truncate(last.len() / 2);
            }
        }
        How::Error(fault) => {
            events.truncate(before_last);
            events.push(answer::error_event(asked, fault));
        }
        How::Malformed => {
            if let Some(event) = events.get_mut(before_last) {
                *event = malformed(event, headers);
            }
        }
    }
    tail(breaks.how)
}

const fn tail(how: How) -> Tail {
    match how {
        How::Cut | How::Torn => Tail::Fails(Why::Closed),
        How::Reset => Tail::Fails(Why::Reset),
        How::BadChunk => Tail::Fails(Why::NotHttp),
        How::Stall => Tail::Stalls,
        How::End | How::Error(_) | How::Malformed => Tail::End,
    }
}

/// An event in its frame, whose content cannot be read.
fn malformed(event: &Bytes, headers: &HeaderMap) -> Bytes {
    let mut bytes = event.to_vec();
    let middle = bytes.len() / 2;
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if kind.starts_with(b"application/vnd.amazon.eventstream") {
        // Its checksum tells.
        bytes[middle] ^= 0xFF;
    } else {
        let end = bytes.trim_ascii_end().len();
        // Without its end JSON is none, and the marks between events stay.
        bytes.drain(middle.min(end)..end);
    }
    bytes.into()
}

/// An error that a document with status 200 can hold: a page of HTML is no answer of the provider.
const fn told_inside(fault: Fault) -> Fault {
    match fault {
        Fault::BadGateway | Fault::GatewayTimeout | Fault::Unavailable => Fault::Internal,
        fault => fault,
    }
}

fn page(status: StatusCode) -> Answer {
    let reason: Cow<'_, str> = match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()).into(),
        None => status.as_str().to_owned().into(),
    };
    let page = format!(
        "<html>\r\n<head><title>{reason}</title></head>\r\n<body>\r\n<center><h1>{reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
    Answer { status, headers, content: Content::Whole(page.into()) }
}
