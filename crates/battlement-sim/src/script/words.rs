//! Scripts read from words.

use std::{str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    Break, How, InvalidScript, List, Script, Step, Turn, WHOLE,
    chance::{adds_up, sum},
    cursor::{Words, decimal, is_number, time},
    names::{BREAKS, ENDINGS, FAULTS, fault_of},
    step::{Custom, What},
};
use crate::answer::{Ending, Fault};

const A_STEP: &str = "a step such as `ok`, `429 after 2s` or `cut after 3 events`";
const EVENTS: &str = "a number of events, such as `3 events`";
const TIME: &str = "a time such as `2s`";
const TIME_OR_EVENTS: &str = "a time such as `2s`, or `events` behind a number";
const SHARE: &str = "a share such as `90%`";
const STATUS: &str = "a status from 200 to 999";

impl FromStr for Script {
    type Err = InvalidScript;

    fn from_str(text: &str) -> Result<Self, InvalidScript> {
        let mut words = Words::new(text);
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
        let mut words = Words::new(text);
        let step = words.step()?;
        words.over("more of the step, or nothing")?;
        Ok(step)
    }
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

impl Words<'_> {
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
}

impl Draft {
    fn step(self, at: usize) -> Result<Step, InvalidScript> {
        let what = self.what.unwrap_or(What::Reply(Ending::Complete));
        if self.text.is_some() && matches!(what, What::Custom(_)) {
            return Err(InvalidScript {
                at,
                expected: "`saying` and the body right behind the status and headers of an `answer`",
            });
        }
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
