//! What is written down about a call: one line when it is over, whatever became of it.
//!
//! It has names and numbers. Prompt, answer and keys are in none of the types that it is made of.

use std::time::Instant;

use battlement::call::Attempt;
use battlement_core::Code;
use http::StatusCode;

use super::answer::sent;

/// A call, as far as it has come. Written when it is dropped.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) id: String,
    pub(super) started: Instant,
    pub(super) client: Option<String>,
    pub(super) path: &'static str,
    pub(super) model: Option<String>,
    pub(super) route: Option<String>,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<Code>,
    /// What the answer turns out to mean.
    pub(super) attempt: Option<Attempt>,
    pub(super) attempts: u32,
    /// How often it may be tried here.
    pub(super) most_attempts: u32,
    pub(super) is_on: bool,
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.is_on {
            return;
        }
        let verdict = self.attempt.as_ref().and_then(Attempt::verdict);
        let code = self.code.or_else(|| verdict?.code());
        // Without a head, whoever asked has not waited for one.
        let code = code.or(self.status.is_none().then_some(Code::Abandoned));
        let attempts = match &self.attempt {
            Some(attempt) => sent(&attempt.call().trail()),
            None => self.attempts,
        };
        let usage = verdict.and_then(|verdict| verdict.usage.as_ref());
        tracing::info!(
            id = self.id,
            path = self.path,
            client = self.client,
            model = self.model,
            route = self.route,
            status = self.status.map(|status| status.as_u16()),
            outcome = verdict.map(|verdict| verdict.outcome.as_str()),
            code = code.map(Code::as_str),
            attempts,
            input_tokens = usage.and_then(|usage| usage.input),
            output_tokens = usage.and_then(|usage| usage.output),
            ms = self.started.elapsed().as_millis() as u64,
            "call"
        );
    }
}
