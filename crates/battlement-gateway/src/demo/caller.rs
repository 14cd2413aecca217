//! Whoever calls: what is asked, and what came of it.
//!
//! Both clients ask and read alike; they differ in what they do with a failure, and in what they notice.

use std::{fmt, time::Duration};

use battlement::BoxError;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde::{Deserialize, de::IgnoredAny};
use tokio::time::{Instant, timeout};

use super::trouble::CALL;

/// What became of a call, as its caller sees it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What was delivered.
    pub(super) text: String,
    /// When its first word was, from the beginning of the call.
    pub(super) first_word: Option<Duration>,
    /// How long the call took.
    pub(super) took: Duration,
    /// What the caller was told, if that was a failure.
    pub(super) error: Option<String>,
}

/// What was read of an answer.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) text: String,
    pub(super) first_word: Option<Instant>,
    /// Why it did not come to an end.
    pub(super) error: Option<Broken>,
}

/// How an answer breaks that anybody notices.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection failed.
    Body(BoxError),
    /// Nothing came for too long.
    Silent(Duration),
    /// An error among the events.
    Event,
    /// What came was no event.
    Malformed,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(_) => f.write_str("connection error"),
            Self::Silent(limit) => write!(f, "nothing for {} s", limit.as_secs()),
            Self::Event => f.write_str("an error in the stream"),
            Self::Malformed => f.write_str("an event that cannot be read"),
        }
    }
}

impl Outcome {
    pub(super) fn failed(begun: Instant, error: String) -> Self {
        let took = begun.elapsed();
        Self { text: String::new(), first_word: None, took, error: Some(error) }
    }

    pub(super) fn of(reading: Reading, begun: Instant, error: Option<String>) -> Self {
        let first_word = reading.first_word.map(|at| at - begun);
        Self { text: reading.text, first_word, took: begun.elapsed(), error }
    }
}

/// The request of a call.
pub(super) fn request(call: usize) -> Request<Full<Bytes>> {
    const BODY: &str = concat!(
        r#"{"model":"gpt-5-mini","stream":true,"#,
        r#""messages":[{"role":"user","content":"What does the wall hold?"}]}"#,
    );
    let mut request = Request::new(Full::from(BODY));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("https://api.openai.com/v1/chat/completions");
    let headers = request.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    headers.insert(CALL, http::HeaderValue::from(call));
    request
}

/// Reads a stream as the SDKs do: until `[DONE]` or the end, whichever comes first, and with a limit on the
/// silence, if there is one.
pub(super) async fn read<R>(mut body: R, silence: Option<Duration>) -> Reading
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let (mut reading, mut held) = (Reading::default(), String::new());
    loop {
        let next = body.frame();
        let frame = match silence {
            None => next.await,
            Some(limit) => match timeout(limit, next).await {
                Ok(frame) => frame,
                Err(_) => {
                    reading.error = Some(Broken::Silent(limit));
                    return reading;
                }
            },
        };
        match frame {
            None => return reading,
            Some(Err(error)) => {
                reading.error = Some(Broken::Body(error.into()));
                return reading;
            }
            // Every word of this provider is in ASCII, so no letter is cut in two.
            Some(Ok(frame)) => {
                held.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
            }
        }
        while let Some(end) = held.find("\n\n") {
            let said = said(&held[..end]);
            held.replace_range(..end + 2, "");
            match said {
                Ok(Said::Words(words)) => {
                    if !words.is_empty() {
                        reading.first_word.get_or_insert_with(Instant::now);
                    }
                    reading.text.push_str(&words);
                }
                Ok(Said::Done) => return reading,
                Err(error) => {
                    reading.error = Some(error);
                    return reading;
                }
            }
        }
    }
}

enum Said {
    Words(String),
    Done,
}

/// What an event says.
fn said(event: &str) -> Result<Said, Broken> {
    let Some(data) = event.strip_prefix("data: ") else { return Ok(Said::Words(String::new())) };
    if data.starts_with("[DONE]") {
        return Ok(Said::Done);
    }
    let chunk: Chunk = serde_json::from_str(data).map_err(|_| Broken::Malformed)?;
    if chunk.error.is_some() {
        return Err(Broken::Event);
    }
    let choice = chunk.choices.into_iter().next();
    Ok(Said::Words(choice.and_then(|choice| choice.delta.content).unwrap_or_default()))
}

/// What a reader of words wants of an event.
#[derive(Deserialize)]
struct Chunk {
    error: Option<IgnoredAny>,
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}
