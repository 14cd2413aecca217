//! The stable names of failures, for logs, dashboards and alerts.
//!
//! An [`Outcome`](crate::Outcome) says what became of a call; a code says what a person on call
//! has to know about it: an alert on `llm.billing.quota_exhausted` must reach whoever pays, one on
//! `llm.auth.invalid_key` whoever rotates keys, although both may arrive as a 403. Codes are
//! dotted from wide to narrow, so that `llm.rate_limit.*` is one line on a dashboard. They are
//! public: one is added when it helps somebody, and none is renamed.
//!
//! Everything known about a code is one row of the table in this file; `docs/failure-atlas.md` is
//! printed from it by [`Code::atlas`].

mod atlas;
#[cfg(test)]
mod tests;

use std::fmt;

/// Who has to act before the failure goes away.
///
/// Complete: there is nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The request itself, or the program that made it.
    Caller,
    /// The account behind the key: its limits, its money, its rights.
    Account,
    /// The provider's servers, or the model they run.
    Provider,
    /// The way between the two.
    Network,
}

impl Fault {
    /// Every party, from near to far.
    pub const ALL: [Self; 4] = [Self::Caller, Self::Account, Self::Provider, Self::Network];

    /// The word for logs and dashboards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Account => "account",
            Self::Provider => "provider",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about one code.
struct Entry {
    name: &'static str,
    fault: Fault,
    layer: &'static str,
    meaning: &'static str,
    what_to_do: &'static str,
}

/// Makes the enum, the list of all codes and their texts from the one table below.
///
/// A macro, because an enum beside a table beside a list is three places to keep equal. The
/// meaning is also the variant's documentation.
macro_rules! table {
    ($($variant:ident $name:literal, $fault:ident, $layer:literal, $meaning:literal, $what_to_do:literal;)+) => {
        /// A failure, by the name it has in logs and dashboards.
        ///
        /// ```
        /// use battlement_core::{Code, Fault};
        ///
        /// let code = Code::parse("llm.rate_limit.tokens").unwrap();
        /// assert_eq!(code, Code::RateLimitTokens);
        /// assert_eq!(code.fault(), Fault::Account);
        /// println!("{code}: {}", code.what_to_do());
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the failure atlas.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => &Entry {
                        name: $name,
                        fault: Fault::$fault,
                        layer: $layer,
                        meaning: $meaning,
                        what_to_do: $what_to_do,
                    },)+
                }
            }
        }
    };
}

// Columns: variant, name, fault, layers that handle it, meaning, what to do.
table! {
    RateLimitRequests "llm.rate_limit.requests", Account, "retry_after, rate_limit, retry, fallback",
        "The account sends more requests per window than its limit allows.",
        "Nothing, if it passes: calls wait for the reset and go on. If it stays, lower the request limit set in \
         `rate_limit` to the provider's, batch small calls, or ask the provider for a higher limit.";
    RateLimitTokens "llm.rate_limit.tokens", Account, "retry_after, rate_limit, retry, fallback",
        "The account uses more tokens per window than its limit allows. Most providers count the requested output \
         budget, not only what was generated.",
        "Nothing, if it passes. If it stays, lower the output budgets (they are reserved in full), shorten prompts, \
         spread the load, or ask the provider for a higher limit.";
    RateLimitOther "llm.rate_limit.other", Account, "retry_after, rate_limit, retry, fallback",
        "The provider throttles the account without naming the dimension, or for concurrency or a traffic ramp.",
        "Check for a burst or a sudden ramp of traffic, and lower the number of concurrent calls. If neither is there, \
         the provider shares capacity between customers: add a fallback route.";
    RateLimitNeverFits "llm.rate_limit.never_fits", Caller, "preflight, rate_limit, fallback",
        "This one request needs more than the whole limit of a window. No wait helps.",
        "Shrink the prompt or the output budget, split the work, or send it to a model or account with a higher limit. \
         Do not retry it as it is.";
    QuotaExhausted "llm.billing.quota_exhausted", Account, "fallback",
        "Credits, a spend cap or a long quota is used up, and the answer names no wait that could be trusted.",
        "Top up the account or raise the spend cap, then look for what spent it. Until then every call on this key \
         fails: move traffic to another account or provider.";
    InvalidKey "llm.auth.invalid_key", Account, "fallback",
        "The key was read and refused: wrong, expired, revoked or blocked, or the signature does not match.",
        "Check which key this deployment holds and whether it was rotated; for signed requests check the clock as \
         well. No call on this key succeeds before that.";
    MissingKey "llm.auth.missing_key", Caller, "preflight, fallback",
        "The request carried no key, a placeholder for one, or none where this provider looks for it.",
        "Set the key in the environment of this deployment, and check that the header is the one this provider reads \
         and that no proxy on the way strips it.";
    AccessDenied "llm.access.denied", Account, "fallback",
        "The key is good, but the action, the region or the address is not allowed for this account, or the account is \
         on hold.",
        "Read the message: it names the missing right. Grant it to the key's project or role, accept the provider's \
         terms, or call from a region it serves.";
    ModelUnavailable "llm.access.model_unavailable", Caller, "fallback",
        "The model in the request is unknown, retired, not deployed, or not open to this account.",
        "Check the spelling and the provider's list of retired models, and for hosted deployments that the deployment \
         exists in this region. Then change the model in the request or add a fallback model.";
    ContextLength "llm.context_length", Caller, "preflight, context, fallback",
        "The prompt, or the prompt plus the output budget, is larger than the model's window. Nothing was generated.",
        "Shorten or summarise the conversation, lower the output budget, or choose a model with a larger window.";
    RequestTooLarge "llm.request.too_large", Caller, "preflight, fallback",
        "The HTTP body has more bytes than the provider or a proxy before it accepts.",
        "Send images and files by reference instead of inline, or split the request. If the provider's own limit is \
         higher, look for a proxy with a lower one.";
    InvalidRequest "llm.request.invalid", Caller, "preflight",
        "The provider found fault with the request: a parameter, a value, the JSON or the endpoint.",
        "Read the message and fix the program that made the request. After a change of model, first suspect a \
         parameter that the new model does not take.";
    ContentPolicy "llm.content_policy", Caller, "none: returned to the caller",
        "The prompt was rejected by the provider's policy before anything was generated.",
        "Look at what was sent. If many different users meet it, look for a template or a document common to them \
         all; repeated violations can cost the account.";
    ModelNotReady "llm.provider.model_not_ready", Provider, "retry, retry_after, fallback",
        "The model is being loaded.",
        "Wait; a cold start takes from seconds to minutes. If it happens often, keep the model warm or reserve capacity.";
    Overloaded "llm.provider.overloaded", Provider, "retry, retry_after, breaker, hedge, fallback, degrade",
        "The provider lacks capacity. This is not the account's own rate limit.",
        "Check the provider's status page and see that traffic has moved to a fallback. Do not add retries: they feed \
         the overload.";
    ServerError "llm.provider.error", Provider, "retry, breaker, fallback",
        "Something failed inside the provider or a gateway in front of it.",
        "Check the provider's status page. If it stays with one kind of request, report it with the provider's request id.";
    ProviderTimeout "llm.provider.timeout", Provider, "retry, breaker, hedge, fallback",
        "A time limit of the provider or of a gateway in front of it struck. The generation may have been billed.",
        "Stream long answers or lower the output budget. If short calls meet it too, treat it as an outage.";
    Conflict "llm.provider.conflict", Provider, "retry",
        "The provider reports a lock or a conflict on the state that the request touches.",
        "Nothing, if it passes. If it stays, look for two calls at work on the same conversation, file or cache at once.";
    InsufficientResource "llm.provider.insufficient_resource", Provider, "finish, retry, breaker, fallback",
        "The server ran out of capacity in the middle of the answer. What has arrived is a part.",
        "As for `llm.provider.overloaded`: check the status page and move traffic. Discard the part or have it continued.";
    Aborted "llm.provider.aborted", Provider, "finish, retry, fallback",
        "The server ended the generation early, by its own decision.",
        "If the raw reason says repetition, the same request tends to end the same way: change the sampling or the \
         prompt. Otherwise it may be sent again; look for restarts of the server.";
    MalformedToolCall "llm.output.malformed_tool_call", Provider, "finish, repair, retry, fallback",
        "The model produced a tool call that cannot be used: broken JSON, or not according to the schema.",
        "Sampling again often helps. If it stays, simplify the tool's schema, offer fewer tools, or use a stronger model.";
    SchemaMismatch "llm.output.schema_mismatch", Provider, "repair, degrade",
        "The answer is not what the schema of the request asks for: it is not JSON, or not according to the schema. \
         Asking again with what is wrong did not help.",
        "Look at the places that come with the error: mostly a schema that asks for more than its descriptions explain, or a \
         model too small for it. Simplify the schema, have the provider enforce it where it offers that, or use a stronger model.";
    GenerationError "llm.output.generation_error", Provider, "finish, retry, fallback",
        "The generation ended with a reason that says error, or its output failed a check of the provider.",
        "Read the raw reason. Sampling again may help; where it names the input or too many tool calls, change the request.";
    AnswerEmpty "llm.answer.empty", Provider, "finish, retry, breaker, fallback",
        "A 200 arrived without a body, or with an answer in which the model says nothing.",
        "Without a body: look for a proxy that swallows bodies or answers by itself. With one: sampling again often \
         helps. If it stays, treat it as an error of the provider.";
    AnswerMalformed "llm.answer.malformed", Provider, "finish, retry, breaker, fallback",
        "A 200 arrived with a body that is not in the expected form.",
        "See whether it is a page of HTML: then a proxy or a login page answered. If not, check that the configured \
         dialect is the one this address speaks.";
    StreamCut "llm.stream.cut", Network, "retry, breaker, continuation, fallback",
        "The stream ended while at least one choice was unfinished. The text so far is a part, whatever the status said.",
        "Compare idle timeouts of every proxy on the way with the longest silence of the model. If cuts come from one \
         provider only, treat them as its outage.";
    StreamCorrupt "llm.stream.corrupt", Network, "retry, breaker, fallback",
        "The framing or a checksum of the stream is broken. Nothing after that point can be trusted.",
        "Look for a proxy that rewrites, buffers or recompresses streams. Report it with the provider's request id if \
         there is none.";
    Truncated "llm.truncated", Caller, "finish, continuation",
        "The output budget was used up: the text stops in the middle.",
        "Raise the output budget, ask for less, or have the answer continued. Reasoning tokens may count against the \
         same budget.";
    ContextWindow "llm.truncated.context_window", Caller, "finish, context, fallback",
        "The model's window was used up while generating: the text stops in the middle, and a larger output budget \
         does not help.",
        "Shorten the conversation or choose a model with a larger window.";
    Refusal "llm.refusal", Caller, "finish, fallback",
        "The model declined to answer.",
        "Show the refusal to the user, and take the refused turn out of the conversation: while it is in there, what \
         follows tends to be refused too. If harmless requests meet it, reword the system prompt or try another model.";
    ContentFilter "llm.content_filter", Caller, "finish, fallback",
        "A filter of the provider blocked the prompt or cut the answer.",
        "Drop the part that was cut. If harmless content is filtered, adjust the filter's levels where the provider \
         offers that, or use another model.";
    Recitation "llm.recitation", Caller, "finish, fallback",
        "The model was stopped because it repeated training material.",
        "Ask for a summary instead of the text itself, or raise the temperature.";
    UnknownFinish "llm.finish.unknown", Provider, "finish",
        "The answer ended without a reason, or with one that is not known here. It is not taken for a success.",
        "Read the raw reason in the log. If the provider has introduced a new one, it belongs in the dialect's table: \
         report it.";
    Unreachable "llm.network.unreachable", Network, "retry, breaker, fallback",
        "No connection to the provider could be made. Nothing was sent, so nothing is repeated by trying again.",
        "Check the address, DNS, proxies and firewalls on this side first, then the provider's status page.";
    Disconnected "llm.network.disconnected", Network, "retry, breaker, fallback",
        "The connection was lost after the request left and before there was an answer. The provider may have done \
         the work, and may bill it.",
        "Nothing, if it is rare: idle connections are closed on the way. If it stays, let the client keep idle \
         connections for less long than the proxies on the way do.";
    TimeoutHead "llm.timeout.head", Provider, "timeout, retry, breaker, hedge, fallback",
        "No answer began within the limit set for that.",
        "Look at the provider's status page. If the calls are not streamed, the whole answer has to be written before \
         its head comes: stream, or raise the limit.";
    TimeoutOutput "llm.timeout.output", Provider, "timeout, retry, breaker, hedge, fallback",
        "The answer began, but the model had said nothing within the limit set for its first output. Pings do not count.",
        "Look at the provider's status page. Models that think for minutes before their first word need a higher limit.";
    TimeoutIdle "llm.timeout.idle", Provider, "timeout, breaker, continuation",
        "The stream fell silent in the middle. Pings do not count.",
        "Treat what was delivered as incomplete. If it stays, look for a proxy on the way that collects events before \
         it passes them on.";
    TimeoutTotal "llm.timeout.total", Provider, "timeout, retry, breaker, fallback",
        "The attempt took longer than one attempt may.",
        "Lower the output budget, use a faster model, or raise the limit if answers are meant to be that long.";
    TimeoutThroughput "llm.timeout.throughput", Provider, "timeout, breaker, continuation",
        "The answer came more slowly than the lowest speed that was set.",
        "Look at the provider's status page; a provider that is this slow is mostly short of capacity.";
    DeadlineExceeded "llm.local.deadline", Caller, "deadline",
        "The time for the whole call, all attempts and waits included, is over.",
        "Look at the trail of attempts for where the time went. If it went into waiting for a limit, lower the load; \
         if into the answer, give the call more time or ask for less.";
    CircuitOpen "llm.local.circuit_open", Provider, "breaker, fallback",
        "The call was not made, because too many before it had failed. The circuit breaker is open.",
        "Nothing: probes find out when the provider is back. Look for what failed before it opened, and for a fallback \
         route to bridge it.";
    CoolingDown "llm.local.cooling_down", Account, "retry_after, fallback",
        "The call was not made, because the provider has asked for a wait that is longer than this call can wait.",
        "Nothing, if it passes. If it stays, lower the limits set in `rate_limit`, or ask the provider for higher ones.";
    LimitReached "llm.local.rate_limit", Account, "rate_limit, fallback",
        "The call was not made, because the limit set here would be exceeded for longer than this call can wait.",
        "Spread the load, give the call more time, or raise the limit if the provider's is higher.";
    QueueFull "llm.local.queue_full", Caller, "rate_limit, concurrency, fallback",
        "The call was not made, because as many calls wait for their turn as may.",
        "The load is higher than the limits for longer than a queue can bridge: shed load earlier, or raise the limits.";
    ConcurrencyReached "llm.local.concurrency", Caller, "concurrency, fallback",
        "The call was not made, because as many as may are running, for longer than this call can wait.",
        "Check whether answers are read to their end or dropped: a body that is held holds its place. Otherwise raise \
         the limit or lower the load.";
    NoRoute "llm.local.no_route", Caller, "fallback",
        "The call was not made, because no route takes it: each is switched off, or cannot do what the request asks for.",
        "Look at the routes that come with the error, and what each is said to lack. If that is not true, correct the \
         capabilities set in `fallback`; else add a route that can do it, or switch one on.";
    AttemptsUsed "llm.local.attempts", Caller, "none: returned to the caller",
        "The call was not made, because it has no attempt left, or must not be made again.",
        "Look for whatever makes several attempts at one call on the way here, and let one layer do it.";
    RequestUnreadable "llm.local.request", Caller, "none: returned to the caller",
        "The body of the request could not be read from whoever makes it.",
        "Look at the error of the body that comes with this one: mostly a client that went away during its upload.";
    Unsendable "llm.local.unsendable", Caller, "none: returned to the caller",
        "The client does not send a request like this one: it names no host, or asks for what the client does not do.",
        "Look at the error of the client that comes with this one. A path without a host needs a base address, as `stack` \
         has it.";
    AnswerTooLong "llm.local.answer_too_long", Caller, "finish",
        "The answer was to be held until its end, and became longer than may be held.",
        "Raise the bound set in `finish`, lower the output budget, or let answers pass from their first output on.";
    JoinLost "llm.local.join_lost", Caller, "none: returned to the caller",
        "The call had joined one that was on its way for another caller, and could not follow it to its end: it was read too \
         slowly, or the service below has panicked.",
        "Read answers as they come, or raise how much `single_flight` holds. Look for a panic in the logs at that time. The call \
         may be made again.";
    Abandoned "llm.caller.abandoned", Caller, "none: the caller has left",
        "The caller went away before the end. This says nothing about the provider, and the generation may be billed.",
        "Nothing, if users cancel. If it is frequent, compare the caller's own timeout with how long the model takes.";
    Outpaced "llm.hedge.outpaced", Caller, "hedge",
        "Another attempt at the same call was faster, and this one was given up. This says nothing about the provider, \
         and the generation may be billed.",
        "Nothing: the call was answered. If it is frequent, look for what makes first attempts slow.";
}

impl Code {
    /// The dotted name for logs and dashboards, such as `llm.rate_limit.tokens`.
    pub const fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// Who has to act before the failure goes away.
    pub const fn fault(self) -> Fault {
        self.entry().fault
    }

    /// What has happened, in one or two sentences.
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// Advice for the person on call.
    pub const fn what_to_do(self) -> &'static str {
        self.entry().what_to_do
    }

    /// The Battlement layers that handle it, the first to act first; where none does, why.
    pub const fn layer(self) -> &'static str {
        self.entry().layer
    }

    /// The code of that name, exactly as [`as_str`](Self::as_str) writes it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
