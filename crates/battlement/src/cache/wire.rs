//! The form of an answer that is kept elsewhere: numbers in little endian, and lengths before texts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use battlement_core::FinishClass;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Answer;
use crate::clock::now;

/// Changes with the form.
const VERSION: u8 = 1;

pub(super) fn write(answer: &Answer, date: SystemTime) -> Vec<u8> {
    let mut out = Vec::with_capacity(answer.size());
    out.extend_from_slice(&[VERSION, u8::from(answer.streamed)]);
    let since = date.checked_sub(answer.age()).unwrap_or(UNIX_EPOCH);
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    out.extend_from_slice(&(since.as_millis() as u64).to_le_bytes());
    text(&mut out, answer.class.as_str().as_bytes());
    number(&mut out, answer.headers.len());
    for (name, value) in &answer.headers {
        text(&mut out, name.as_str().as_bytes());
        text(&mut out, value.as_bytes());
    }
    number(&mut out, answer.ends.len());
    for end in &answer.ends {
        out.extend_from_slice(&end.to_le_bytes());
    }
    out.extend_from_slice(&answer.body);
    out
}

pub(super) fn read(bytes: &Bytes, date: SystemTime) -> Option<Answer> {
    let mut rest = &**bytes;
    let [VERSION, streamed] = take(&mut rest, 2)? else { return None };
    let since = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
    let since = UNIX_EPOCH.checked_add(Duration::from_millis(since))?;
    // A clock that is behind the other's makes it new, and no younger than that.
    let age = date.duration_since(since).unwrap_or_default();
    let class = take_text(&mut rest)?;
    let class = FinishClass::ALL.into_iter().find(|known| known.as_str().as_bytes() == class)?;
    let mut headers = HeaderMap::new();
    for _ in 0..take_number(&mut rest)? {
        let name = HeaderName::from_bytes(take_text(&mut rest)?).ok()?;
        headers.try_append(name, HeaderValue::from_bytes(take_text(&mut rest)?).ok()?).ok()?;
    }
    let count = take_number(&mut rest)? as usize;
    let ends: Box<[u32]> = take(&mut rest, count.checked_mul(size_of::<u32>())?)?
        .chunks_exact(size_of::<u32>())
        .map(|end| end.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        .collect();
    let in_order = ends.is_sorted() && ends.last().map_or(0, |end| *end as usize) == rest.len();
    // Older than this machine is up, where its clock begins then: it is not known how old.
    let since = now().checked_sub(age)?;
    in_order.then(|| Answer {
        headers,
        body: bytes.slice(bytes.len() - rest.len()..),
        ends,
        class,
        streamed: *streamed != 0,
        since,
    })
}

fn number(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&(number as u32).to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len());
    out.extend_from_slice(text);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(part)
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(take(rest, size_of::<u32>())?.try_into().ok()?))
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest)?;
    take(rest, length as usize)
}
