//! Rounds of which one answer is made: however they are split the answer is the same, and of the first nothing is lost.

use battlement_core::{
    Dialect,
    continuation::{Close, Overlap, Prefill, Splicer, Standing, Whole, followed_up, prefilled},
};

use super::entropy::Entropy;

const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::AnthropicMessages, Dialect::OpenAiResponses, Dialect::Gemini];

const OVERLAPS: [Overlap; 3] = [Overlap::Blanks, Overlap::All, Overlap::Echo];

/// Pieces that streams are made of: of each dialect what begins, brings text and ends, and what comes in between.
const PIECES: [&str; 19] = [
    "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Once \\ud83d\"}}]}\n\n",
    "data: {\"id\":\"b\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\\ude00upon\"}}]}\r\n\r\n",
    "data: {\"id\":\"b\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"a\":1,\"b\":{\"c\":2}}}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Once\"}}\n\n",
    "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"output_tokens\":4}}\n\n",
    "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":4}}}\n\n",
    "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Once\",\"item_id\":\"m\",\"sequence_number\":4}\n\n",
    "data: {\"type\":\"response.output_text.done\",\"text\":\"Once\",\"sequence_number\":5}\n\n",
    "data: {\"type\":\"response.incomplete\",\"response\":{\"id\":\"r\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[{\"type\":\"message\",\"id\":\"m\",\"content\":[{\"text\":\"Once\"}]}]}}\n\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Once\"},{\"text\":\" \"}]}}],\"responseId\":\"g\"}\n\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{\"promptTokenCount\":3}}\n\n",
    "data: {\"error\":{\"message\":\"no\"}}\n\n",
    ": ping\r\r",
    "data: {\"type\":\"ping\"}\ndata: \n\n",
    "\u{feff}event: x\n",
    "data: {",
];

/// Runs one input: a dialect, a limit, and rounds of pieces or of what is left.
///
/// # Panics
///
/// When something does not hold.
pub fn check(input: &[u8]) {
    let mut entropy = Entropy::new(input);
    let dialect = entropy.pick(&DIALECTS);
    let most = entropy.pick(&[16, 300, 1 << 20]);
    let overlap = entropy.pick(&OVERLAPS);
    let length = entropy.below(40) + 1;
    let count = entropy.below(3) + 1;
    let mut rounds: Vec<Vec<u8>> = (0..count)
        .map(|_| (0..entropy.below(9)).flat_map(|_| entropy.pick(&PIECES).bytes()).collect())
        .collect();
    let rest = entropy.rest().to_vec();
    if let Some(last) = rounds.last_mut() {
        last.extend_from_slice(&rest);
    }
    let whole = splice(dialect, most, overlap, &rounds, usize::MAX);
    let split = splice(dialect, most, overlap, &rounds, length);
    let shown = || format!("{dialect} {most} {overlap:?} {length} {rounds:?}");
    assert_eq!(whole, split, "{}", shown());
    if let (1, Close::Ended(end) | Close::Open(end)) = (whole.rounds, &whole.close) {
        assert_eq!([&*whole.out, end].concat(), rounds[0], "{}", shown());
    }
    let _answer = Whole::read(dialect, &rest).map(|mut answer| {
        answer.replace(&rest);
        let _joined = answer.join(&rest, overlap);
        answer.into_body()
    });
    let _prefilled = prefilled(dialect, &rest, Prefill::FinalMessage, "Once");
    let _asked = followed_up(dialect, &rest, "Once", "Go on.");
}

#[derive(Debug, PartialEq, Eq)]
struct Spliced {
    out: Vec<u8>,
    rounds: usize,
    text: String,
    standing: Standing,
    close: Close,
}

fn splice(
    dialect: Dialect,
    most: usize,
    overlap: Overlap,
    rounds: &[Vec<u8>],
    length: usize,
) -> Spliced {
    let mut splicer = Splicer::new(dialect, most).expect("it is continued");
    let (mut out, mut count) = (Vec::new(), 0);
    for round in rounds {
        if count > 0 {
            if !splicer.can_go_on() {
                break;
            }
            splicer.go_on(overlap);
        }
        count += 1;
        for slice in round.chunks(length) {
            let passed = splicer.feed(slice);
            out.extend_from_slice(&passed.before);
            out.extend_from_slice(&slice[passed.slice]);
        }
    }
    let (text, standing) = (splicer.text(), splicer.standing());
    Spliced { out, rounds: count, text, standing, close: splicer.close() }
}
