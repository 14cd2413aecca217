//! What the fuzz targets share: answers made from bytes, and what has to hold for them.
//!
//! An input that begins with a byte from 1 to 8 has a head of five bytes: how the rest becomes a
//! body, then the status, the provider, the content type and the end. Any other input is a body as
//! it is, so that captures serve as seeds; no format of ours begins with such a byte.

pub mod check;
pub mod conversations;
pub mod encodings;
pub mod entropy;
pub mod framing;
pub mod generate;
pub mod hints;
pub mod json;
pub mod memory;
pub mod mutate;
pub mod oracle;
pub mod requests;
pub mod rounds;
pub mod script;

use battlement_core::{Dialect, End, Provider};
use http::StatusCode;

use check::Case;
use entropy::Entropy;
use framing::Framing;

const STATUS: [u16; 12] = [200, 200, 200, 200, 200, 201, 206, 400, 429, 500, 503, 529];

/// Runs one input through a dialect.
pub fn dialect(dialect: Dialect, input: &[u8]) {
    run(&[dialect], generate::framings(dialect), input);
}

/// Runs one input through a framing, in every dialect that uses it.
pub fn framing(framing: Framing, input: &[u8]) {
    let used = |dialect: &Dialect| generate::framings(*dialect).contains(&framing);
    let dialects: Vec<_> = Dialect::ALL.into_iter().filter(used).collect();
    run(&dialects, &[framing], input);
}

fn run(dialects: &[Dialect], framings: &[Framing], input: &[u8]) {
    let Some((kind @ 1..=8, rest)) = input.split_first() else {
        let sum = input.iter().fold(0usize, |sum, byte| sum + usize::from(*byte));
        let dialect = dialects[sum % dialects.len()];
        plain(dialect, framings[sum % framings.len()], input.to_vec()).check();
        return;
    };
    let mut entropy = Entropy::new(rest);
    let dialect = entropy.pick(dialects);
    let framing = entropy.pick(framings);
    match kind {
        1..=3 => {
            let answer = generate::answer(dialect, framing, &mut entropy);
            let case = plain(dialect, framing, answer.body);
            case.check_truth(&case.check(), &answer.truth);
        }
        4..=6 => {
            let case = headed(dialect, framing, &mut entropy);
            let body = generate::damaged(dialect, framing, &mut entropy);
            Case { body, ..case }.check();
        }
        _ => {
            let case = headed(dialect, framing, &mut entropy);
            Case { body: entropy.rest().to_vec(), ..case }.check();
        }
    }
}

/// The case that a well-behaved server makes of a body.
pub fn plain(dialect: Dialect, framing: Framing, body: Vec<u8>) -> Case {
    Case {
        dialect,
        provider: Provider::Generic,
        status: StatusCode::OK,
        content_type: Some(framing.content_type()),
        streamed: framing.is_stream(),
        end: End::Eof,
        body,
    }
}

fn headed(dialect: Dialect, framing: Framing, entropy: &mut Entropy<'_>) -> Case {
    let status = StatusCode::from_u16(entropy.pick(&STATUS)).unwrap();
    let provider = entropy.pick(&Provider::ALL);
    let told = [Some(framing.content_type()), Some("application/json"), None, Some("text/plain")];
    let content_type = entropy.pick(&told);
    let end = entropy.pick(&[End::Eof, End::Broken, End::Dropped]);
    let streamed = entropy.one_in(2);
    Case { dialect, provider, status, content_type, streamed, end, body: Vec::new() }
}
