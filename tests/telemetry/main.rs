//! What is told of calls to the simulated provider: every metric of the table, and every token that was charged.

mod every_metric;
mod recorder;
mod tokens;
