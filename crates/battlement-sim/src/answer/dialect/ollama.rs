//! Ollama's own API: chat and generate, streamed as lines.

use std::fmt;

use battlement_core::request::Operation;

use crate::answer::{
    Asked, Ending,
    moment::Moment,
    reply::Said,
    text::Escaped,
    write::{Writer, made},
};

pub(super) const fn word(ending: Ending) -> Option<&'static str> {
    Some(match ending {
        Ending::Complete | Ending::StopSequence | Ending::ToolCall | Ending::Empty => "stop",
        Ending::Truncated => "length",
        _ => return None,
    })
}

pub(super) fn whole(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let head = head(asked);
    let message = message(asked, &said.text, calls(said));
    write!(out, "{{{head},{message},{}}}", end(said));
}

pub(super) fn stream(out: &mut Writer, asked: &Asked, said: &Said<'_>) {
    let head = head(asked).to_string();
    let mut line = |line: fmt::Arguments<'_>| {
        writeln!(out, "{{{head},{line}}}");
        out.end_event();
    };
    for piece in said.pieces() {
        line(format_args!(r#"{},"done":false"#, message(asked, piece, None)));
    }
    if let Some(said) = calls(said) {
        line(format_args!(r#"{},"done":false"#, message(asked, "", Some(said))));
    }
    line(format_args!("{},{}", message(asked, "", None), end(said)));
}

fn calls<'a, 'b>(said: &'a Said<'b>) -> Option<&'a Said<'b>> {
    (said.ending == Ending::ToolCall).then_some(said)
}

fn head(asked: &Asked) -> impl fmt::Display {
    let (model, created) = (Escaped(&asked.model), Moment::of(asked.at).precise());
    made(move |f| write!(f, r#""model":"{model}","created_at":"{created}""#))
}

/// What is said; `/api/generate` has another member for it, and no tools.
fn message(asked: &Asked, text: &str, calls: Option<&Said<'_>>) -> impl fmt::Display {
    let (text, chat) = (Escaped(text), asked.operation != Operation::TextCompletion);
    made(move |f| {
        if !chat {
            return write!(f, r#""response":"{text}""#);
        }
        write!(f, r#""message":{{"role":"assistant","content":"{text}""#)?;
        if let Some(said) = calls {
            let (name, arguments) = (Escaped(&said.tool.name), &said.tool.arguments);
            write!(
                f,
                r#","tool_calls":[{{"function":{{"name":"{name}","arguments":{arguments}}}}}]"#
            )?;
        }
        f.write_str("}")
    })
}

/// The end: times in nanoseconds, and counts, of which one of nothing is left out.
fn end(said: &Said<'_>) -> impl fmt::Display {
    let (word, input, output) = (said.word, said.input, said.output);
    made(move |f| {
        f.write_str(r#""done":true,"#)?;
        if let Some(word) = word {
            write!(f, r#""done_reason":"{word}","#)?;
        }
        f.write_str(r#""total_duration":174560334,"load_duration":101397084,"#)?;
        if input > 0 {
            write!(f, r#""prompt_eval_count":{input},"#)?;
        }
        write!(
            f,
            r#""prompt_eval_duration":13074791,"eval_count":{output},"eval_duration":52479709"#
        )
    })
}
