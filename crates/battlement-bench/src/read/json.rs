//! Whole JSON bodies.
//!
//! A run goes through [`POOL`] bytes of different bodies, whatever their size: over one small body
//! again and again, the processor learns by heart where its quotes and escapes are, and every
//! parser looks up to twice as fast as it is on an answer it has never seen.

use std::hint::black_box;

use battlement_core::{Dialect, Provider};
use memchr::memmem::Finder;

use super::{Facts, Finish, Usage, openai, ours::Ours, sonic};
use crate::{
    Bench, data,
    harness::{Role, Scenario, Unit, Work},
    report::Goal,
};

/// More than a branch predictor remembers and a second-level cache holds; less than a third holds.
const POOL: usize = 8_000_000;

/// Everybody a person could use instead of us, and whom the goals name.
const TYPED: &str = "serde_json typed";
const TYPED_NO_TEXT: &str = "serde_json typed, text dropped";
const SONIC: &str = "sonic-rs get_many";
const SONIC_UNCHECKED: &str = "sonic-rs get_many_unchecked";
const SONIC_LAZY: &str = "sonic-rs lazy values, unchecked";
const JITER: &str = "jiter";

pub(super) fn run(bench: &mut Bench) {
    for (size, bytes) in [("1KB", 1_000), ("10KB", 10_000), ("100KB", 100_000), ("1MB", 1_000_000)]
    {
        let id = format!("read/json/{size}");
        if bench.wants(&id) {
            let bodies = data::completions(bytes, POOL / bytes);
            let title = format!("chat completions of {size}, most of it text");
            let goals = goals().chain((bytes >= 10_000).then_some(Goal::Throughput(2.0)));
            bench.measure(scenario(id, title, &bodies).goals(goals));
        }
    }
    let id = "read/json/logprobs-1MB";
    if bench.wants(id) {
        let bodies = data::completions_with_logprobs(1_000_000, POOL / 1_000_000);
        let title = "chat completions of 1MB, most of it log probabilities".to_string();
        bench.measure(scenario(id.into(), title, &bodies).goals(goals()));
    }
}

fn goals() -> impl Iterator<Item = Goal> {
    [
        Goal::Faster { than: &[TYPED], times: 2.0 },
        Goal::Faster { than: &[SONIC, SONIC_UNCHECKED, SONIC_LAZY, JITER], times: 1.3 },
        // The verdict's own: its list of finishes, a reason, and little else; at every size.
        Goal::Allocations(4.0),
    ]
    .into_iter()
}

fn scenario(id: String, title: String, bodies: &[Vec<u8>]) -> Scenario<'_, [Vec<u8>]> {
    let truth = Facts::chat(false);
    let without_output = Facts { output: false, ..truth };
    let fields = sonic::Fields::all();
    let same_fields = sonic::Fields::all();
    let fewer_fields = sonic::Fields::without_text();
    let needles = Needles::new();
    let ours = || Ours::body(Dialect::OpenAiChat, Provider::OpenAi);
    let (whole, in_pieces) = (ours(), ours());
    let bytes = bodies.iter().map(Vec::len).sum();
    let work = Work { bytes, unit: Unit::Answer, units: bodies.len() };
    Scenario::new(id, title, work, bodies)
        .contender("battlement", Role::Ours, &truth, each(move |body| whole.read([body])))
        .contender(
            "battlement, 16 KiB at a time",
            Role::Ours,
            &truth,
            each(move |body| in_pieces.read(body.chunks(16 * 1024))),
        )
        .contender(TYPED, Role::Peer, &truth, each(openai::typed))
        .contender(TYPED_NO_TEXT, Role::Peer, &truth, each(openai::typed_without_text))
        .contender("serde_json::Value", Role::Peer, &truth, each(openai::value))
        .contender(SONIC, Role::Peer, &truth, each(move |body| fields.checked(body)))
        .contender(
            SONIC_UNCHECKED,
            Role::Peer,
            &truth,
            each(move |body| same_fields.unchecked(body)),
        )
        .contender(SONIC_LAZY, Role::Peer, &truth, each(sonic::lazy_unchecked))
        .contender(
            "sonic-rs get_many_unchecked, no text",
            Role::Floor,
            &without_output,
            each(move |body| fewer_fields.unchecked(body)),
        )
        .contender(JITER, Role::Peer, &truth, each(openai::pulled))
        .contender("memmem pass", Role::Floor, &truth, each(move |body| needles.find(body)))
}

/// Reads every body, and gives what they all say, or the first answer that differs.
fn each(read: impl Fn(&[u8]) -> Facts) -> impl Fn(&[Vec<u8>]) -> Facts {
    move |bodies| {
        let mut answers = bodies.iter().map(|body| black_box(read(black_box(body))));
        let first = answers.next().expect("a body");
        answers.find(|answer| *answer != first).unwrap_or(first)
    }
}

/// Looks for the fields' bytes wherever they stand: the floor for anything that reads every byte,
/// and wrong as soon as the text of an answer or another spelling of its JSON gets in the way.
struct Needles {
    text: Finder<'static>,
    index: Finder<'static>,
    finish: Finder<'static>,
    usage: Finder<'static>,
    counts: [Finder<'static>; 4],
}

impl Needles {
    fn new() -> Self {
        Self {
            text: Finder::new("\"content\":\""),
            index: Finder::new("\"index\":"),
            finish: Finder::new("\"finish_reason\":\""),
            usage: Finder::new("\"usage\":{"),
            counts: [
                Finder::new("\"prompt_tokens\":"),
                Finder::new("\"completion_tokens\":"),
                Finder::new("\"cached_tokens\":"),
                Finder::new("\"reasoning_tokens\":"),
            ],
        }
    }

    fn find(&self, body: &[u8]) -> Facts {
        let after = |finder: &Finder<'_>, bytes: &'_ [u8]| {
            finder.find(bytes).map(|at| at + finder.needle().len())
        };
        let text = after(&self.text, body).expect("a text");
        let finish = text + after(&self.finish, &body[text..]).expect("a finish reason");
        let reason = &body[finish..];
        let reason = &reason[..memchr::memchr(b'"', reason).expect("an end of it")];
        let usage = &body[finish..];
        let usage = &usage[after(&self.usage, usage).expect("usage")..];
        let count = |finder| after(finder, usage).and_then(|at| digits(&usage[at..]));
        let [input, output, cached, reasoning] = self.counts.each_ref().map(count);
        Facts {
            finish: std::str::from_utf8(reason).ok().map(Finish::of),
            index: after(&self.index, body).and_then(|at| digits(&body[at..])),
            usage: Usage { input, output, cached, reasoning },
            output: body[text] != b'"',
            clean_end: false,
        }
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |count, digit| Some(count.unwrap_or(0) * 10 + u64::from(digit - b'0')))
}
