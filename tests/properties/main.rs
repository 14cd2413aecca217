//! What holds for any answer: captures that were damaged, and answers that were made.
//!
//! The properties are those of the fuzz targets, in a run that is short enough for every day. An
//! answer is read whole, byte by byte and in random slices; all must say the same, hold little
//! memory, and call nothing a success that a slow reader can refute.

#[allow(dead_code, unreachable_pub, reason = "it is a crate of its own for the fuzz targets")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

mod found;
