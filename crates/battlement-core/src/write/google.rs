//! Gemini `generateContent`: streamed as events, or as one JSON array. One chunk says it all.

use super::{
    Form,
    answer::{Ending, Text},
    text::{Escaped, Writer},
};

pub(super) fn content(out: &mut Writer, text: &Text<'_>) {
    let (open, close) = match text.form {
        Form::Document => ("", ""),
        Form::Events => ("data: ", "\r\n\r\n"),
        Form::Array => ("[", "\n]"),
    };
    let word = match text.ending {
        Ending::Complete => "STOP",
        Ending::Length => "MAX_TOKENS",
        Ending::Filtered => "SAFETY",
    };
    let (id, model, said) = (Escaped(text.id), Escaped(text.model), Escaped(text.text));
    let (input, output, total) = (text.input, text.output, text.total());
    write!(
        out,
        r#"{open}{{"candidates":[{{"content":{{"parts":[{{"text":"{said}"}}],"role":"model"}},"finishReason":"{word}","index":0}}],"usageMetadata":{{"promptTokenCount":{input},"candidatesTokenCount":{output},"totalTokenCount":{total}}},"modelVersion":"{model}","responseId":"{id}"}}{close}"#
    );
    out.end_event();
}
