//! Gemini `generateContent`: streamed as SSE, or as one JSON array.

use std::fmt;

use crate::answer::{
    Asked, Ending,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        // A tool call stops like everything else.
        Ending::Complete | Ending::StopSequence | Ending::ToolCall | Ending::Empty => "STOP",
        Ending::Truncated => "MAX_TOKENS",
        Ending::Filtered => "SAFETY",
        Ending::Recitation => "RECITATION",
        Ending::MalformedToolCall => "MALFORMED_FUNCTION_CALL",
        Ending::Failed => "MALFORMED_RESPONSE",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let chunk = Chunk { asked, said, text: &said.text, last: true, made: said.output };
    write!(out, "{chunk}");
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let mut pieces = said.pieces().peekable();
    let count = pieces.size_hint().1.unwrap_or(1).max(1) as u64;
    let mut number = 0;
    loop {
        let text = pieces.next().unwrap_or_default();
        let last = pieces.peek().is_none();
        // Counts grow with the text, and are right at the end.
        let made = if last { said.output } else { grown(said, number, count) };
        chunk(out, asked, number == 0, format_args!("{}", Chunk { asked, said, text, last, made }));
        number += 1;
        if last {
            break;
        }
    }
    if asked.array {
        write!(out, "\n]");
        out.end_event();
    }
}

/// A prompt that is blocked: an answer of the usual form, but for an answer in it.
pub(in crate::answer) fn blocked(asked: &Asked) -> impl fmt::Display {
    let (input, tail) = (asked.input_tokens, tail(asked));
    made(move |f| {
        write!(
            f,
            r#"{{"promptFeedback":{{"blockReason":"PROHIBITED_CONTENT"}},"usageMetadata":{{"promptTokenCount":{input},"totalTokenCount":{input}}},{tail}}}"#
        )
    })
}

/// An event of a stream, in the frame that was asked for.
pub(in crate::answer) fn chunk(
    out: &mut Writer,
    asked: &Asked,
    first: bool,
    json: fmt::Arguments<'_>,
) {
    if asked.array {
        write!(out, "{}{json}", if first { "[" } else { "\n,\r\n" });
    } else {
        write!(out, "data: {json}\r\n\r\n");
    }
    out.end_event();
}

fn grown(said: &Said<'_>, number: u64, count: u64) -> u64 {
    let spoken = (said.output - said.reasoning).saturating_mul(number + 1) / count;
    said.reasoning + spoken
}

/// A response: the whole, or a part in the same form.
struct Chunk<'a, 'b> {
    asked: &'a Asked,
    said: &'a Said<'b>,
    text: &'a str,
    last: bool,
    /// The tokens made so far.
    made: u64,
}

impl fmt::Display for Chunk<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, said, text, last, made } = *self;
        f.write_str(r#"{"candidates":[{"#)?;
        let calls = last && said.ending == Ending::ToolCall;
        if !text.is_empty() || calls {
            f.write_str(r#""content":{"parts":["#)?;
            if !text.is_empty() {
                write!(f, r#"{{"text":"{}"}}"#, Escaped(text))?;
            }
            if calls {
                let comma = if text.is_empty() { "" } else { "," };
                let (name, arguments) = (Escaped(&said.tool.name), &said.tool.arguments);
                write!(
                    f,
                    r#"{comma}{{"functionCall":{{"name":"{name}","args":{arguments}}},"thoughtSignature":"CpcB"}}"#
                )?;
            }
            f.write_str(r#"],"role":"model"},"#)?;
        }
        if let (true, Some(word)) = (last, said.word) {
            write!(f, r#""finishReason":"{word}","#)?;
        }
        if last && said.ending == Ending::Filtered {
            f.write_str(
                r#""safetyRatings":[{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","probability":"HIGH","blocked":true}],"#,
            )?;
        }
        let (usage, tail) = (usage(said, made), tail(asked));
        write!(f, r#""index":0}}],"usageMetadata":{usage},{tail}}}"#)
    }
}

fn tail(asked: &Asked) -> impl fmt::Display {
    let (id, model) = (asked.id(), Escaped(&asked.model));
    made(move |f| write!(f, r#""modelVersion":"{model}","responseId":"{id:016x}""#))
}

/// Counts of nothing are left out, and thoughts are counted apart.
fn usage(said: &Said<'_>, made_so_far: u64) -> impl fmt::Display {
    let (input, cached, thoughts) = (said.input, said.cached, said.reasoning);
    let candidates = made_so_far.saturating_sub(thoughts);
    let total = input.saturating_add(made_so_far);
    made(move |f| {
        write!(f, r#"{{"promptTokenCount":{input},"#)?;
        let counts = [
            ("candidatesTokenCount", candidates),
            ("thoughtsTokenCount", thoughts),
            ("cachedContentTokenCount", cached),
        ];
        for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, r#""{name}":{count},"#)?;
        }
        write!(
            f,
            r#""totalTokenCount":{total},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":{input}}}]}}"#
        )
    })
}
