//! What is wrong with a form, or with what was filled in.

use bowline_protocol::excerpt;

use super::field::Field;

/// Why a form cannot be asked for, or a field not have a value. `Display` names the field and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct FormError {
    /// The name of the field; none where the whole form is meant.
    pub field: Option<String>,
    /// What the field must be, such as `a whole number of at least 18`; none where the schema itself is wrong.
    pub wanted: Option<String>,
    message: String,
}

impl FormError {
    /// The schema has a field that no form can have.
    pub(super) fn schema(field: &str, what: &str) -> Self {
        let message = format!("field \"{}\" {what}", excerpt(field, 80));
        Self { field: Some(field.to_owned()), wanted: None, message }
    }

    /// The schema as a whole is none of a form.
    pub(super) fn whole(what: impl Into<String>) -> Self {
        Self { field: None, wanted: None, message: what.into() }
    }

    /// A value that does not fit its field.
    pub(super) fn value(field: &Field, wanted: impl Into<String>) -> Self {
        Self::named(&field.name, wanted.into())
    }

    pub(super) fn named(field: &str, wanted: String) -> Self {
        let message = format!("field \"{}\" must be {wanted}", excerpt(field, 80));
        Self { field: Some(field.to_owned()), wanted: Some(wanted), message }
    }

    pub(super) fn unknown(field: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            wanted: None,
            message: format!("the form has no field \"{}\"", excerpt(field, 80)),
        }
    }
}
