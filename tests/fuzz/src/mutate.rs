//! Damage.

use super::entropy::Entropy;

const PIECES: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"null",
    b"1e999",
    b"\\ud83d",
    b"\xff",
    b"data:",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b"=",
    b"{}",
    b"\"error\":{\"message\":\"x\"},",
    b"\"finish_reason\":\"\",",
    b"\"index\":4294967296,",
];

/// Damages a body in a few places.
pub fn mutate(body: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    for _ in 0..1 + entropy.below(4) {
        let at = entropy.below(body.len() + 1);
        let len = entropy.below(32).min(body.len() - at);
        match entropy.below(6) {
            0 => body.splice(at..at, entropy.pick(&PIECES).iter().copied()).for_each(drop),
            1 => body.truncate(at),
            2 => drop(body.drain(at..at + len)),
            3 => {
                let copy = body[at..at + len].to_vec();
                let to = entropy.below(body.len() + 1);
                body.splice(to..to, copy).for_each(drop);
            }
            4 if at < body.len() => body[at] ^= 1 << entropy.below(8),
            _ => body.splice(at..at + len, entropy.pick(&PIECES).iter().copied()).for_each(drop),
        }
    }
}
