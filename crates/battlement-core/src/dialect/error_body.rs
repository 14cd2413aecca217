//! Where the fields of an error are, in any dialect.
//!
//! Error bodies travel: a gateway answers in its own form whatever the path, a router passes the
//! upstream's on. So one reader accepts them all: `error` as object, string, list or null, flat
//! bodies, framework `detail`s, Google's `details`, Amazon's names and RFC 9457 problems.

use super::Field;
use crate::scan::shape::{Node, Shape};

/// The value of a member `error`.
pub(super) static ERROR: Node = Node::object(Field::Error, &ERROR_SHAPE).or_list(&ERROR_OBJECT);
static ERROR_OBJECT: Node = Node::object(Field::Error, &ERROR_SHAPE);

static ERROR_SHAPE: Shape = Shape::new(&[
    ("type", Node::leaf(Field::ErrorType)),
    ("code", Node::leaf(Field::ErrorCode)),
    ("message", MESSAGE),
    ("status", Node::leaf(Field::ErrorType)),
    ("details", Node::object(Field::None, &DETAIL).or_list(&DETAIL_OBJECT)),
    ("innererror", Node::object(Field::None, &INNER)),
    ("inner_error", Node::object(Field::None, &INNER)),
    ("metadata", Node::object(Field::None, &METADATA)),
    ("errors", Node::list(&REASON_OBJECT)),
    // A body that wraps its error twice.
    ("error", Node::object(Field::Error, &INNERMOST)),
]);

static INNERMOST: Shape = Shape::new(&[
    ("type", Node::leaf(Field::ErrorType)),
    ("code", Node::leaf(Field::ErrorCode)),
    ("message", Node::leaf(Field::ErrorMessage)),
]);

/// A message that may be an object with the framework's complaints.
const MESSAGE: Node = Node::object(Field::ErrorMessage, &MESSAGE_SHAPE);
static MESSAGE_SHAPE: Shape =
    Shape::new(&[("detail", Node::list(&COMPLAINT)), ("message", Node::leaf(Field::ErrorTitle))]);
static COMPLAINT: Node = Node::object(Field::None, &COMPLAINT_SHAPE);
static COMPLAINT_SHAPE: Shape = Shape::new(&[("msg", Node::leaf(Field::ErrorTitle))]);

/// Anthropic's exact code, and Google's typed details.
static DETAIL_OBJECT: Node = Node::object(Field::None, &DETAIL);
static DETAIL: Shape = Shape::new(&[
    ("error_code", Node::leaf(Field::DetailCode)),
    ("reason", Node::leaf(Field::ErrorKind)),
    ("retryDelay", Node::leaf(Field::RetryDelay)),
    ("violations", Node::list(&VIOLATION_OBJECT)),
]);
static VIOLATION_OBJECT: Node = Node::object(Field::None, &VIOLATION);
static VIOLATION: Shape = Shape::new(&[
    ("quotaId", Node::leaf(Field::QuotaId)),
    ("quotaMetric", Node::leaf(Field::QuotaId)),
]);
static REASON_OBJECT: Node = Node::object(Field::None, &REASON);
static REASON: Shape = Shape::new(&[("reason", Node::leaf(Field::ErrorKind))]);

/// Azure's second look at the same error.
static INNER: Shape = Shape::new(&[("code", Node::leaf(Field::DetailCode))]);

/// What OpenRouter adds.
static METADATA: Shape = Shape::new(&[
    ("error_type", Node::leaf(Field::ErrorKind)),
    ("limit_source", Node::leaf(Field::LimitSource)),
    ("reasons", Node::leaf(Field::Flagged)),
    ("flagged_input", Node::leaf(Field::Flagged)),
    ("headers", Node::object(Field::None, &HEADERS)),
]);
static HEADERS: Shape = Shape::of_any_case(&[
    ("retry-after", Node::leaf(Field::HeaderRetryAfter)),
    ("retry-after-ms", Node::leaf(Field::HeaderRetryAfterMs)),
    ("x-ratelimit-limit", Node::leaf(Field::HeaderLimit)),
    ("x-ratelimit-remaining", Node::leaf(Field::HeaderRemaining)),
    ("x-ratelimit-reset", Node::leaf(Field::HeaderReset)),
]);

/// Any answer of which only an error would matter.
pub(crate) static OTHER_ANSWER: Node = Node::object(Field::Event, &OTHER);
static OTHER: Shape = Shape::new(&[("error", ERROR)]);

/// The body of an answer whose status is an error.
pub(crate) static ERROR_BODY: Node = Node::object(Field::Event, &BODY).or_list(&BODY_OBJECT);
static BODY_OBJECT: Node = Node::object(Field::Event, &BODY);
static BODY: Shape = Shape::new(&[
    ("error", ERROR),
    ("type", Node::leaf(Field::ErrorType)),
    ("__type", Node::leaf(Field::ErrorType)),
    ("code", Node::leaf(Field::ErrorCode)),
    ("Code", Node::leaf(Field::ErrorCode)),
    ("message", MESSAGE),
    ("Message", MESSAGE),
    ("detail", Node::leaf(Field::ErrorTitle).or_list(&COMPLAINT)),
    ("title", Node::leaf(Field::ErrorTitle)),
    ("innererror", Node::object(Field::None, &INNER)),
    ("inner_error", Node::object(Field::None, &INNER)),
    ("request_id", Node::leaf(Field::RequestId)),
    // A failed Responses object may come with an error status too.
    ("response", Node::object(Field::None, &RESPONSE)),
]);
static RESPONSE: Shape = Shape::new(&[("error", ERROR)]);
