//! OpenAI's legacy text completions: chat's envelope, with `text` where chat has a message.

use super::{openai_chat::CHAT, spec::Spec};

pub(super) static COMPLETIONS: Spec = Spec { ..CHAT };
