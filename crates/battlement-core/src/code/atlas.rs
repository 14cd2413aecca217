//! The failure atlas: the table of codes as a page for people.

use std::fmt::Write as _;

use super::Code;

const INTRODUCTION: &str = "\
# The failure atlas

<!-- Printed by `cargo xtask atlas` from the table in crates/battlement-core/src/code.rs: edit that table. -->

An LLM answer passes two checkpoints. The first is the HTTP status, with the error in the body or
in the stream that belongs to it. The second is the model's own reason for stopping, which comes at
the end of an answer whose status was 200 long ago: the text was truncated, the model declined, a
filter cut in, or the stream ended without its last event. A client that looks at the first
checkpoint only counts all of these as success.

Battlement reads both and gives every failure one stable code. A code is meant for logs, dashboards
and alerts; it never changes its meaning and is never renamed. New ones may be added, so match by
prefix (`llm.rate_limit.`) where a family is meant. The codes of `llm.output` can come from either
checkpoint, because some providers report a failed generation as an HTTP error.

**Fault** says who has to act: `caller` (the request, or the program that made it), `account` (the
limits, money and rights behind the key), `provider` (its servers or the model) and `network` (the
way between). **Handled by** names the layers that act by themselves, in the order in which they
come to it, where they are part of the stack. Whether one particular answer may be sent again, and
when, is its retry advice: a code is a class, an answer can know more (a `Retry-After`, for one).
";

impl Code {
    /// The whole of `docs/failure-atlas.md`: every code in Markdown, with an introduction.
    pub fn atlas() -> String {
        let mut page = String::from(INTRODUCTION);
        page.push_str("\n| code | fault |\n|---|---|\n");
        for code in Self::ALL {
            let anchor = code.as_str().replace('.', "");
            // Writing to a string cannot fail.
            let _ = writeln!(page, "| [`{code}`](#{anchor}) | {} |", code.fault());
        }
        for code in Self::ALL {
            let _ = write!(
                page,
                "\n## `{code}`\n\n{}\n\n- **Fault**: {}\n- **What to do**: {}\n- **Handled by**: {}\n",
                code.meaning(),
                code.fault(),
                code.what_to_do(),
                code.layer(),
            );
        }
        page
    }
}
