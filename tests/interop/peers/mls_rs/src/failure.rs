//! Why a call has no response.

use mls_rs::error::{ExtensionError, MlsError};
use mls_rs::mls_rs_codec;
use serde::Serialize;
use std::fmt::Display;

/// Names of gRPC statuses.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    Unimplemented,
    InvalidArgument,
    NotFound,
    FailedPrecondition,
    Internal,
}

#[derive(Debug, Serialize)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self { code: Code::Unimplemented, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: Code::InvalidArgument, message: message.into() }
    }

    pub fn not_found(what: &str, id: u32) -> Self {
        Self { code: Code::NotFound, message: format!("no {what} with the id {id}") }
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: Code::FailedPrecondition, message: message.into() }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self { code: Code::Internal, message: message.into() }
    }
}

/// What the library refuses, in its own words and in its own names.
fn refusal(error: impl Display + std::fmt::Debug) -> Failure {
    Failure::refused(format!("{error} ({error:?})"))
}

impl From<MlsError> for Failure {
    fn from(error: MlsError) -> Self {
        refusal(error)
    }
}

impl From<ExtensionError> for Failure {
    fn from(error: ExtensionError) -> Self {
        refusal(error)
    }
}

impl From<mls_rs_codec::Error> for Failure {
    fn from(error: mls_rs_codec::Error) -> Self {
        refusal(error)
    }
}
