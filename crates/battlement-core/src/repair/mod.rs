//! What an answer has to look like, what it says, and how to ask for it again.
//!
//! A schema in a request is a wish: models keep to it mostly, and providers promise it for some. Whether an
//! answer does is for a validator to say, which is not part of this crate. Here is what it needs, for each dialect:
//! [`wanted`] finds the schemas of a request, [`said`] the texts and the calls of tools of an answer that is
//! all there, [`again`] makes a request that shows the model its answer and what is wrong with it.
//!
//! ```
//! use battlement_core::{Dialect, repair::{self, Schema}};
//!
//! let request = br#"{"messages":[{"role":"user","content":"Capital of France?"}],
//!     "response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}}}"#;
//! let wanted = repair::wanted(Dialect::OpenAiChat, request);
//! assert_eq!(wanted.answer, Some(Schema::Json(br#"{"type":"object"}"#)));
//!
//! let answer = br#"{"choices":[{"index":0,"message":{"content":"Paris"},"finish_reason":"stop"}]}"#;
//! let said = repair::said(Dialect::OpenAiChat, "application/json", answer).unwrap();
//! assert_eq!(said.choices()[0].text, "Paris");
//!
//! let request = repair::again(Dialect::OpenAiChat, request, "Paris", "That is no JSON.").unwrap();
//! assert!(String::from_utf8(request).unwrap().contains(
//!     r#","content":"Capital of France?"},{"role":"assistant","content":"Paris"},{"role":"user","content":"That is no JSON."}],"#
//! ));
//! ```

mod again;
mod listen;
mod pieces;
mod said;
#[cfg(test)]
mod tests;
mod wanted;

pub use again::again;
pub use said::{Call, Choice, Said, said};
pub use wanted::{Schema, Tool, Wanted, wanted};
