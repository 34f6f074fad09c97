#![doc = include_str!("../README.md")]

mod data;
mod dialect;
mod documents;
mod engine;
mod error;
mod limits;
mod prepare;
mod validator;
mod violations;

pub use dialect::Dialect;
pub use documents::Documents;
pub use error::{CheckError, SchemaError};
pub use limits::Limits;
pub use validator::Validator;
pub use violations::{Violation, Violations};
