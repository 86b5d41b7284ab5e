//! What a call can end in: a response, or a failure with the code of its gRPC status.

use std::fmt::{Debug, Display};

use serde_json::{json, Value};

/// The gRPC status codes that this program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Unimplemented,
    InvalidArgument,
    NotFound,
    FailedPrecondition,
    Internal,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::NotFound => "NOT_FOUND",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Internal => "INTERNAL",
        }
    }
}

#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
}

pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// The library does not offer what was asked for.
    pub fn unimplemented(why: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, why)
    }

    /// The request itself makes no sense.
    pub fn bad_request(why: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, why)
    }

    pub fn unknown(what: &str, id: u32) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} {id}"))
    }

    /// The state that was named does not allow the call.
    pub fn not_now(why: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, why)
    }

    /// A panic below us.
    pub fn internal(why: impl Into<String>) -> Self {
        Self::new(Code::Internal, why)
    }

    fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }
}

/// The library's own refusal, in its words and with the variant that says exactly which.
pub fn refused(error: impl Display + Debug) -> Failure {
    Failure::not_now(format!("{error} ({error:?})"))
}

/// The line that answers request `id`; `ns` is the time spent in the library.
pub fn line(id: &Value, outcome: Outcome<Value>, ns: u64) -> Value {
    match outcome {
        Ok(response) => json!({"id": id, "response": response, "ns": ns}),
        Err(Failure { code, message }) => {
            json!({"id": id, "error": {"code": code.name(), "message": message}, "ns": 0})
        }
    }
}
