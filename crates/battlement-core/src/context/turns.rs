//! A conversation, taken apart into turns.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use crate::{
    Dialect,
    request::{
        elements, members,
        places::{self, Top},
        rewrite::cut,
    },
};

/// Where a dialect has what.
pub(super) struct Form {
    /// The member that is the list of messages.
    list: &'static str,
    /// Names of calls of tools, inside of a message.
    calls: &'static [&'static str],
    /// Names of the calls that results answer.
    answers: &'static [&'static str],
    /// What a message that holds results has, whoever it says that it is from.
    results: &'static [&'static str],
}

pub(super) const fn form(dialect: Dialect) -> Option<&'static Form> {
    match dialect {
        Dialect::OpenAiChat | Dialect::CohereV2 | Dialect::OllamaNative => Some(&Form {
            list: "messages",
            calls: &["tool_calls/*/id"],
            answers: &["tool_call_id"],
            results: &[],
        }),
        // Here a call and its result are told apart by what they say that they are.
        Dialect::OpenAiResponses => Some(&Form {
            list: "input",
            calls: &["call_id", "id"],
            answers: &["call_id", "approval_request_id"],
            results: &[],
        }),
        Dialect::AnthropicMessages => Some(&Form {
            list: "messages",
            calls: &["content/*/id"],
            answers: &["content/*/tool_use_id"],
            results: &["content/*/tool_use_id"],
        }),
        Dialect::BedrockConverse => Some(&Form {
            list: "messages",
            calls: &["content/*/toolUse/toolUseId"],
            answers: &["content/*/toolResult/toolUseId"],
            results: &["content/*/toolResult"],
        }),
        Dialect::Gemini => Some(&Form {
            list: "contents",
            calls: &["parts/*/functionCall/id", "parts/*/function_call/id"],
            answers: &["parts/*/functionResponse/id", "parts/*/function_response/id"],
            results: &["parts/*/functionResponse", "parts/*/function_response"],
        }),
        Dialect::BedrockInvoke | Dialect::OpenAiCompletions | Dialect::OpenAiEmbeddings => None,
    }
}

/// Whom a message is from, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    System,
    User,
    /// The model, or a tool.
    Other,
}

/// A message, where it is and to which turn it belongs; to none if it stays for good.
struct Message {
    place: Range<usize>,
    turn: Option<usize>,
}

/// A list of messages in a body.
pub(super) struct Conversation<'b> {
    body: &'b [u8],
    messages: Vec<Message>,
    turns: usize,
}

impl<'b> Conversation<'b> {
    pub(super) fn read(dialect: Dialect, body: &'b [u8]) -> Option<Self> {
        let form = form(dialect)?;
        let list = Top::read(body).ok()??.range(form.list)?;
        let mut found = Vec::new();
        let is_list = elements(&body[list.clone()], |place| {
            found.push(list.start + place.start..list.start + place.end);
        });
        if !is_list.is_ok_and(|is_list| is_list) || found.is_empty() {
            return None;
        }
        let mut reading = Turns::default();
        let messages = found.into_iter().map(|place| {
            let turn = reading.next(form, dialect, &body[place.clone()]);
            Message { place, turn }
        });
        let messages: Vec<Message> = messages.collect();
        let (joined, turns) = reading.joined();
        let number = |message: Message| {
            let turn = message.turn.and_then(|turn| joined.get(turn).copied());
            Message { turn, ..message }
        };
        Some(Self { body, messages: messages.into_iter().map(number).collect(), turns })
    }

    /// How many turns may go: all but the newest.
    pub(super) fn droppable(&self) -> usize {
        self.turns.saturating_sub(1)
    }

    /// How many messages go with so many turns.
    pub(super) fn messages(&self, turns: usize) -> usize {
        self.messages.iter().filter(|message| message.goes(turns)).count()
    }

    /// The body without the oldest turns.
    pub(super) fn without(&self, turns: usize) -> Cow<'b, [u8]> {
        let items =
            self.messages.iter().map(|message| (message.place.clone(), message.goes(turns)));
        cut(self.body, &items.collect::<Vec<_>>())
    }
}

impl Message {
    fn goes(&self, turns: usize) -> bool {
        self.turn.is_some_and(|turn| turn < turns)
    }
}

/// What is known of the turns so far.
#[derive(Default)]
struct Turns<'b> {
    /// How many have begun.
    begun: usize,
    /// Whether the last message was of the user, who may go on.
    is_user: bool,
    /// Calls so far, and the turns that they are in. Some give the same names to calls again and again: the latest is meant.
    calls: HashMap<&'b [u8], usize>,
    /// For each turn, the latest one with a result of a call in it. All in between are one.
    reaches: Vec<usize>,
}

impl<'b> Turns<'b> {
    /// The turn of the next message; a new one if it begins one.
    fn next(&mut self, form: &Form, dialect: Dialect, message: &'b [u8]) -> Option<usize> {
        let (from, is_answer) = sender(form, dialect, message);
        if from == From::System {
            return None;
        }
        let is_user = from == From::User;
        if self.begun == 0 || is_user && !self.is_user {
            self.reaches.push(self.begun);
            self.begun += 1;
        }
        self.is_user = is_user;
        let turn = self.begun - 1;
        let is_apart = dialect == Dialect::OpenAiResponses;
        if !is_apart || is_answer {
            for place in form.answers {
                places::each(message, place, &mut |name| {
                    if let Some(&called) = self.calls.get(name) {
                        self.reaches[called] = turn;
                    }
                });
            }
        }
        if !is_apart || !is_answer {
            for place in form.calls {
                places::each(message, place, &mut |name| {
                    self.calls.insert(name, turn);
                });
            }
        }
        Some(turn)
    }

    /// For each turn, its number when those are one that a result reaches over; and how many there are.
    fn joined(&self) -> (Vec<usize>, usize) {
        let (mut count, mut furthest) = (0, None);
        let numbers = self.reaches.iter().enumerate().map(|(turn, &reach)| {
            count += usize::from(furthest.is_none_or(|furthest| furthest < turn));
            furthest = furthest.max(Some(reach));
            count - 1
        });
        (numbers.collect(), count)
    }
}

/// Whom a message is from, and whether it answers a call by being what it is.
fn sender(form: &Form, dialect: Dialect, message: &[u8]) -> (From, bool) {
    let (mut role, mut kind) = (None, None);
    let text = |value: &[u8]| match value {
        [b'"', name @ .., b'"'] => String::from_utf8_lossy(name).to_ascii_lowercase(),
        _ => String::new(),
    };
    // A message that is no object is nobody's, and what is inside of JSON is JSON.
    let _is_object = members(message, |key, value| match &*key.decode() {
        "role" => role = Some(text(&message[value])),
        "type" => kind = Some(text(&message[value])),
        _ => {}
    });
    let kind = kind.unwrap_or_default();
    let is_answer = kind.ends_with("_output") || kind == "mcp_approval_response";
    let from = match role.as_deref() {
        Some("system" | "developer") => From::System,
        Some("user") => From::User,
        None if dialect == Dialect::Gemini => From::User,
        _ => From::Other,
    };
    let mut has_results = false;
    for place in form.results.iter().filter(|_| from == From::User) {
        places::each(message, place, &mut |_| has_results = true);
    }
    (if has_results { From::Other } else { from }, is_answer)
}
