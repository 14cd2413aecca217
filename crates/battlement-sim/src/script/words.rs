//! Scripts read from words.

use std::{str::FromStr, sync::Arc, time::Duration};

use battlement_core::hint::Dimension;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    Break, How, List, Script, Step, Turn, WHOLE,
    chance::{adds_up, sum},
    step::{Custom, What},
};
use crate::answer::{Ending, Fault};

/// The words are no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: expected {expected}")]
pub struct InvalidScript {
    /// Where in the text.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

/// The longest time of a script.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What answers are called that the model ends.
pub(super) const ENDINGS: [(&str, Ending); 13] = [
    ("ok", Ending::Complete),
    ("stop sequence", Ending::StopSequence),
    ("tool call", Ending::ToolCall),
    ("pause", Ending::Paused),
    ("truncate", Ending::Truncated),
    ("window full", Ending::ContextWindow),
    ("filter", Ending::Filtered),
    ("recite", Ending::Recitation),
    ("refuse", Ending::Refused),
    ("bad tool call", Ending::MalformedToolCall),
    ("fail", Ending::Failed),
    ("empty", Ending::Empty),
    ("unfinished", Ending::Unfinished),
];

/// What errors are called.
pub(super) const FAULTS: [(&str, Fault); 21] = [
    ("rate limited", Fault::RateLimited(Dimension::Requests)),
    ("tokens limited", Fault::RateLimited(Dimension::Tokens)),
    ("throttled", Fault::RateLimited(Dimension::Other)),
    ("never fits", Fault::NeverFits),
    ("quota exhausted", Fault::QuotaExhausted),
    ("overloaded", Fault::Overloaded),
    ("model loading", Fault::ModelNotReady),
    ("internal", Fault::Internal),
    ("timeout", Fault::Timeout),
    ("bad gateway", Fault::BadGateway),
    ("unavailable", Fault::Unavailable),
    ("gateway timeout", Fault::GatewayTimeout),
    ("invalid key", Fault::InvalidKey),
    ("missing key", Fault::MissingKey),
    ("access denied", Fault::AccessDenied),
    ("model not found", Fault::ModelNotFound),
    ("context overflow", Fault::ContextOverflow),
    ("content policy", Fault::ContentPolicy),
    ("too large", Fault::RequestTooLarge),
    ("invalid request", Fault::InvalidRequest),
    ("conflict", Fault::Conflict),
];

/// What may happen between events, errors apart.
pub(super) const BREAKS: [(&str, How); 7] = [
    ("cut", How::Cut),
    ("torn", How::Torn),
    ("end", How::End),
    ("stall", How::Stall),
    ("reset", How::Reset),
    ("malformed", How::Malformed),
    ("bad chunk", How::BadChunk),
];

/// Units of time in words, from long to short.
pub(super) const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const A_STEP: &str = "a step such as `ok`, `429 after 2s` or `cut after 3 events`";
const EVENTS: &str = "a number of events, such as `3 events`";
const TIME: &str = "a time such as `2s`";
const TIME_OR_EVENTS: &str = "a time such as `2s`, or `events` behind a number";
const SHARE: &str = "a share such as `90%`";
const STATUS: &str = "a status from 200 to 999";
const TEXT: &str = "a text between quotes";

/// The error that most likely comes with a status.
pub(super) fn fault_of(status: StatusCode) -> Fault {
    match status.as_u16() {
        401 => Fault::InvalidKey,
        402 => Fault::QuotaExhausted,
        403 => Fault::AccessDenied,
        404 => Fault::ModelNotFound,
        408 => Fault::Timeout,
        409 => Fault::Conflict,
        413 => Fault::RequestTooLarge,
        429 => Fault::RateLimited(Dimension::Requests),
        502 => Fault::BadGateway,
        503 | 529 => Fault::Overloaded,
        504 => Fault::GatewayTimeout,
        400..500 => Fault::InvalidRequest,
        _ => Fault::Internal,
    }
}

impl FromStr for Script {
    type Err = InvalidScript;

    fn from_str(text: &str) -> Result<Self, InvalidScript> {
        let mut words = Words { text, at: 0 };
        let mut list = List { seed: 0, turns: Vec::new(), cycles: false };
        if words.eat("seed") {
            list.seed = words.number("a seed, which is a number")?;
            words.expect(";", "`;`")?;
        }
        while !words.is_over() || list.turns.is_empty() {
            if !list.turns.is_empty() && words.eat("cycle") {
                list.cycles = true;
                words.eat(";");
                words.over("nothing behind `cycle`")?;
                break;
            }
            list.turns.push(words.turn()?);
            if !words.is_over() {
                words.expect(";", "more of this step, or `;` and the next one")?;
            }
        }
        Ok(Self::list(list))
    }
}

impl FromStr for Step {
    type Err = InvalidScript;

    fn from_str(text: &str) -> Result<Self, InvalidScript> {
        let mut words = Words { text, at: 0 };
        let step = words.step()?;
        words.over("more of the step, or nothing")?;
        Ok(step)
    }
}

/// What is left of a text.
#[derive(Clone, Copy)]
struct Words<'a> {
    text: &'a str,
    at: usize,
}

/// A step that is being read: everything may be said once.
#[derive(Default)]
struct Draft {
    what: Option<What>,
    text: Option<Arc<str>>,
    tokens: Option<u64>,
    early: Option<()>,
    wrong_length: Option<()>,
    head_after: Option<Duration>,
    first_after: Option<Duration>,
    every: Option<Duration>,
    breaks: Option<Break>,
}

/// What is said behind `after`.
enum After {
    Time(Duration),
    Events(u32),
}

impl<'a> Words<'a> {
    fn turn(&mut self) -> Result<Turn, InvalidScript> {
        let (at, word) = self.peek();
        let times = match word.strip_suffix(['x', 'X']).filter(|number| is_number(number)) {
            Some(number) => {
                self.at = at + word.len();
                let times = number.parse().ok().filter(|times| *times > 0);
                times.ok_or(InvalidScript {
                    at,
                    expected: "at least `1x`, and less than 2³² times",
                })?
            }
            None => 1,
        };
        let start = self.peek().0;
        let mut choices = Vec::new();
        loop {
            let share = self.share()?;
            choices.push((share.unwrap_or(WHOLE), self.step()?));
            let more = self.eat(",");
            if share.is_none() && (more || choices.len() > 1) {
                return Err(InvalidScript { at: start, expected: SHARE });
            }
            if !more {
                break;
            }
        }
        if !adds_up(sum(&choices)) {
            return Err(InvalidScript { at: start, expected: "shares that add up to 100%" });
        }
        Ok(Turn::drawn(times, choices))
    }

    /// `90%`, in millionths.
    fn share(&mut self) -> Result<Option<u32>, InvalidScript> {
        let (at, word) = self.peek();
        let Some(number) = word.strip_suffix('%') else { return Ok(None) };
        self.at = at + word.len();
        let share = decimal(number, u128::from(WHOLE / 100));
        let share = share.filter(|share| *share <= WHOLE.into());
        let share = share.ok_or(InvalidScript { at, expected: SHARE })?;
        Ok(u32::try_from(share).ok())
    }

    fn step(&mut self) -> Result<Step, InvalidScript> {
        let start = self.peek().0;
        let mut draft = Draft::default();
        self.part(&mut draft)?;
        while !self.is_over() && !matches!(self.peek().1, ";" | ",") {
            self.part(&mut draft)?;
        }
        draft.step(start)
    }

    /// One thing that a step says.
    fn part(&mut self, draft: &mut Draft) -> Result<(), InvalidScript> {
        let at = self.peek().0;
        if let Some(fault) = self.fault()? {
            return self.fault_after(at, fault, draft);
        }
        if let Some(&(_, ending)) = ENDINGS.iter().find(|(word, _)| self.eat(word)) {
            return once(at, &mut draft.what, What::Reply(ending));
        }
        if let Some(&(_, how)) = BREAKS.iter().find(|(word, _)| self.eat(word)) {
            if how == How::Reset && !self.clone().eat("after") {
                return once(at, &mut draft.what, What::Reset);
            }
            let after = self.after_events()?;
            return once(at, &mut draft.breaks, Break { how, after });
        }
        if self.eat("error") {
            let (how, after) = (How::Error(Fault::Internal), self.after_events()?);
            once(at, &mut draft.breaks, Break { how, after })
        } else if self.eat("unreachable") {
            draft.early = Some(());
            once(at, &mut draft.what, What::Unreachable)
        } else if self.eat("never") {
            once(at, &mut draft.what, What::Never)
        } else if self.eat("page") {
            let status = self.status()?;
            once(at, &mut draft.what, What::Page(status))
        } else if self.eat("answer") {
            let custom = self.custom()?;
            once(at, &mut draft.what, What::Custom(Arc::new(custom)))
        } else if self.eat("saying") {
            let text = self.text_in_utf8()?;
            once(at, &mut draft.text, text.into())
        } else if self.eat("head after") {
            once(at, &mut draft.head_after, self.time(TIME)?)
        } else if self.eat("first token after") {
            once(at, &mut draft.first_after, self.time(TIME)?)
        } else if self.eat("every") {
            once(at, &mut draft.every, self.time(TIME)?)
        } else if self.eat("early") {
            once(at, &mut draft.early, ())
        } else if self.eat("wrong length") {
            once(at, &mut draft.wrong_length, ())
        } else if let Some(tokens) = self.tokens()? {
            once(at, &mut draft.tokens, tokens)
        } else {
            Err(InvalidScript { at, expected: A_STEP })
        }
    }

    /// An error by its name or status.
    fn fault(&mut self) -> Result<Option<(Fault, Option<StatusCode>)>, InvalidScript> {
        if let Some(&(_, fault)) = FAULTS.iter().find(|(word, _)| self.eat(word)) {
            return Ok(Some((fault, None)));
        }
        let mut ahead = *self;
        let (_, word) = ahead.next();
        if !is_number(word) || ahead.eat("tokens") {
            return Ok(None);
        }
        let status = self.status()?;
        Ok(Some((fault_of(status), Some(status))))
    }

    /// What follows the name of an error: nothing, when to come back, or where in the stream it is.
    fn fault_after(
        &mut self,
        at: usize,
        (fault, status): (Fault, Option<StatusCode>),
        draft: &mut Draft,
    ) -> Result<(), InvalidScript> {
        let hint = match self.eat("after").then(|| self.time_or_events()).transpose()? {
            Some(After::Events(after)) => {
                return once(at, &mut draft.breaks, Break { how: How::Error(fault), after });
            }
            Some(After::Time(time)) => Some(time),
            None => None,
        };
        once(at, &mut draft.what, What::Fault { fault, status, hint })
    }

    fn after_events(&mut self) -> Result<u32, InvalidScript> {
        self.expect("after", "`after` and a number of events")?;
        let at = self.peek().0;
        match self.time_or_events() {
            Ok(After::Events(events)) => Ok(events),
            _ => Err(InvalidScript { at, expected: EVENTS }),
        }
    }

    fn time_or_events(&mut self) -> Result<After, InvalidScript> {
        let (at, word) = self.peek();
        if !is_number(word) {
            return self.time(TIME_OR_EVENTS).map(After::Time);
        }
        let number = self.number(EVENTS)?;
        if self.eat("events") || self.eat("event") {
            return Ok(After::Events(number));
        }
        Err(InvalidScript { at, expected: TIME_OR_EVENTS })
    }

    fn time(&mut self, expected: &'static str) -> Result<Duration, InvalidScript> {
        let (at, word) = self.next();
        time(word).ok_or(InvalidScript { at, expected })
    }

    fn tokens(&mut self) -> Result<Option<u64>, InvalidScript> {
        if !is_number(self.peek().1) {
            return Ok(None);
        }
        let tokens = self.number("a number of tokens")?;
        self.expect("tokens", "`tokens`")?;
        Ok(Some(tokens))
    }

    fn status(&mut self) -> Result<StatusCode, InvalidScript> {
        let (at, word) = self.next();
        let status = word.parse().ok().filter(|status: &StatusCode| status.as_u16() >= 200);
        status.ok_or(InvalidScript { at, expected: STATUS })
    }

    /// What is behind `answer`.
    fn custom(&mut self) -> Result<Custom, InvalidScript> {
        let status = self.status()?;
        let mut headers = HeaderMap::new();
        while self.peek().1 == "\"" {
            let at = self.peek().0;
            let line = self.text()?;
            let (name, value) = header(&line)
                .ok_or(InvalidScript { at, expected: "a header, as in `\"name: value\"`" })?;
            headers.append(name, value);
        }
        let body = if self.eat("saying") { self.text()?.into() } else { Bytes::new() };
        Ok(Custom { status, headers, body })
    }

    fn text_in_utf8(&mut self) -> Result<String, InvalidScript> {
        let at = self.peek().0;
        String::from_utf8(self.text()?)
            .map_err(|_| InvalidScript { at, expected: "a text in UTF-8" })
    }

    /// A text between quotes, with its escapes resolved.
    fn text(&mut self) -> Result<Vec<u8>, InvalidScript> {
        self.expect("\"", TEXT)?;
        let bytes = self.text.as_bytes();
        let mut text = Vec::new();
        loop {
            let at = self.at;
            let &byte =
                bytes.get(at).ok_or(InvalidScript { at, expected: "`\"` at the end of a text" })?;
            self.at += 1;
            match byte {
                b'"' => return Ok(text),
                b'\\' => text.push(self.escape(at)?),
                _ => text.push(byte),
            }
        }
    }

    /// What is behind a backslash.
    fn escape(&mut self, at: usize) -> Result<u8, InvalidScript> {
        let escape = self.text.as_bytes().get(self.at).copied();
        let unknown =
            InvalidScript { at, expected: "one of \\\" \\\\ \\n \\r \\t \\x00 behind a backslash" };
        let byte = match escape {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'"') => b'"',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let code = self.text.get(self.at + 1..self.at + 3).filter(|code| is_hex(code));
                let byte =
                    code.and_then(|code| u8::from_str_radix(code, 16).ok()).ok_or(unknown)?;
                self.at += 3;
                return Ok(byte);
            }
            _ => return Err(unknown),
        };
        self.at += 1;
        Ok(byte)
    }

    fn number<N: FromStr>(&mut self, expected: &'static str) -> Result<N, InvalidScript> {
        let (at, word) = self.next();
        let number = Some(word).filter(|word| is_number(word)).and_then(|word| word.parse().ok());
        number.ok_or(InvalidScript { at, expected })
    }

    fn expect(&mut self, phrase: &str, expected: &'static str) -> Result<(), InvalidScript> {
        let at = self.peek().0;
        if self.eat(phrase) { Ok(()) } else { Err(InvalidScript { at, expected }) }
    }

    /// Passes over some words, if they come next.
    fn eat(&mut self, phrase: &str) -> bool {
        let mut ahead = *self;
        let is_next = phrase.split(' ').all(|word| ahead.next().1.eq_ignore_ascii_case(word));
        if is_next {
            *self = ahead;
        }
        is_next
    }

    fn over(&self, expected: &'static str) -> Result<(), InvalidScript> {
        if self.is_over() { Ok(()) } else { Err(InvalidScript { at: self.peek().0, expected }) }
    }

    fn is_over(&self) -> bool {
        self.peek().1.is_empty()
    }

    fn next(&mut self) -> (usize, &'a str) {
        let (at, word) = self.peek();
        self.at = at + word.len();
        (at, word)
    }

    /// The next word and where it is. Marks are words of their own; at the end it is empty.
    fn peek(&self) -> (usize, &'a str) {
        let rest = &self.text[self.at..];
        let word = rest.trim_start();
        let at = self.text.len() - word.len();
        let is_mark = |letter: char| matches!(letter, ';' | ',' | '"');
        let end = match word.chars().next() {
            Some(first) if is_mark(first) => 1,
            _ => word
                .find(|letter: char| letter.is_whitespace() || is_mark(letter))
                .unwrap_or(word.len()),
        };
        (at, &word[..end])
    }
}

impl Draft {
    fn step(self, at: usize) -> Result<Step, InvalidScript> {
        let what = self.what.unwrap_or(What::Reply(Ending::Complete));
        if self.text.is_some() && !matches!(what, What::Reply(_)) {
            return Err(InvalidScript {
                at,
                expected: "an answer of the model, if it is `saying` something",
            });
        }
        Ok(Step {
            text: self.text,
            tokens: self.tokens,
            early: self.early.is_some(),
            wrong_length: self.wrong_length.is_some(),
            head_after: self.head_after.unwrap_or_default(),
            first_after: self.first_after.unwrap_or_default(),
            every: self.every.unwrap_or_default(),
            breaks: self.breaks,
            ..Step::new(what)
        })
    }
}

fn once<T>(at: usize, place: &mut Option<T>, value: T) -> Result<(), InvalidScript> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => {
            Err(InvalidScript { at, expected: "something that is not said yet in this step" })
        }
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `1m30s`, `1.5s`.
fn time(word: &str) -> Option<Duration> {
    let (mut nanoseconds, mut rest) = (0_u128, word);
    while !rest.is_empty() {
        let letters = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, behind) = rest.split_at(letters);
        let end = behind.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (name, behind) = behind.split_at(end);
        let (_, unit) = UNITS.into_iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name))?;
        nanoseconds = nanoseconds.checked_add(decimal(number, unit)?)?;
        rest = behind;
    }
    let time = Duration::from_nanos(u64::try_from(nanoseconds).ok()?);
    (!word.is_empty() && time <= LONGEST).then_some(time)
}

/// A number with a fraction, as so many of a unit, if it is a whole number of them.
fn decimal(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 12 {
        return None;
    }
    let scale = 10_u128.pow(fraction.len() as u32);
    let parts = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    (parts % scale == 0).then(|| whole.checked_add(parts / scale)).flatten()
}
