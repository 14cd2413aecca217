//! How Ollama complains: a status and a sentence, and never a wait.

use super::Complaint;
use crate::answer::{Asked, Fault, text::Escaped};

pub(super) fn complaint(asked: &Asked, fault: Fault) -> Option<Complaint> {
    let (status, message) = match fault {
        // Its cloud has limits; a server of one's own has none.
        Fault::RateLimited(_) | Fault::NeverFits => (429, "rate limit exceeded"),
        Fault::QuotaExhausted => (402, "payment required"),
        // The two blanks are Ollama's.
        Fault::Overloaded => {
            (503, "server busy, please try again.  maximum pending requests exceeded")
        }
        Fault::ModelNotReady => (503, "llm server loading model"),
        Fault::Timeout => (500, "timed out waiting for llama runner to start"),
        Fault::InvalidKey | Fault::MissingKey => (401, "unauthorized"),
        Fault::AccessDenied => (403, "forbidden"),
        Fault::ModelNotFound => {
            return Some(Complaint::new(404, "", format!("model '{}' not found", asked.model)));
        }
        Fault::ContextOverflow => (400, "the input length exceeds the context length"),
        // Nothing is against the rules of a server of one's own.
        Fault::InvalidRequest | Fault::ContentPolicy => {
            (400, "json: cannot unmarshal string into Go struct field ChatRequest.messages")
        }
        Fault::Conflict => (409, "conflict"),
        Fault::Internal => (500, "llama runner process has terminated: signal: killed"),
        Fault::BadGateway | Fault::Unavailable | Fault::GatewayTimeout | Fault::RequestTooLarge => {
            return None;
        }
    };
    Some(Complaint::new(status, "", message))
}

/// The body, which is also what a line in the middle of a stream says.
pub(super) fn body(complaint: &Complaint) -> String {
    format!(r#"{{"error":"{}"}}"#, Escaped(&complaint.message))
}
