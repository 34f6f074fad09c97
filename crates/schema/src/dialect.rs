//! The dialects of JSON Schema that are supported.

use bowline_protocol::excerpt;
use serde_json::Value;

use crate::error::SchemaError;

/// A dialect of JSON Schema, as `$schema` names it.
///
/// These are all that are supported; 2020-12 is the one of schemas without `$schema` (basic/index). `format`,
/// `contentEncoding` and `contentMediaType` are annotations in each of them: they are not checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// `http://json-schema.org/draft-04/schema`
    Draft4,
    /// `http://json-schema.org/draft-06/schema`
    Draft6,
    /// `http://json-schema.org/draft-07/schema`
    Draft7,
    /// `https://json-schema.org/draft/2019-09/schema`
    Draft2019_09,
    /// `https://json-schema.org/draft/2020-12/schema`
    #[default]
    Draft2020_12,
}

impl Dialect {
    /// All that are supported.
    pub const ALL: [Self; 5] = [Self::Draft4, Self::Draft6, Self::Draft7, Self::Draft2019_09, Self::Draft2020_12];

    /// The URI that `$schema` has.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Draft4 => "http://json-schema.org/draft-04/schema#",
            Self::Draft6 => "http://json-schema.org/draft-06/schema#",
            Self::Draft7 => "http://json-schema.org/draft-07/schema#",
            Self::Draft2019_09 => "https://json-schema.org/draft/2019-09/schema",
            Self::Draft2020_12 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The dialect that a value of `$schema` names, with or without the empty fragment, over http or https: both are
    /// seen, and neither is ever fetched.
    pub(crate) fn named(value: &Value) -> Result<Self, SchemaError> {
        let unsupported = |text: &str| SchemaError::UnsupportedDialect(excerpt(text, 200));
        let Value::String(uri) = value else { return Err(unsupported(&value.to_string())) };
        let bare = |uri: &str| {
            let uri = uri.strip_suffix('#').unwrap_or(uri);
            uri.split_once("://").map(|(_, rest)| rest.to_owned())
        };
        let known = bare(uri).filter(|_| uri.starts_with("http"));
        Self::ALL
            .into_iter()
            .find(|dialect| known.is_some() && bare(dialect.uri()) == known)
            .ok_or_else(|| unsupported(uri))
    }

    /// Whether all that stands beside a `$ref` is ignored.
    pub(crate) fn ref_stands_alone(self) -> bool {
        self < Self::Draft2019_09
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn js_02_dialects_are_told_by_their_uri() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::named(&json!(dialect.uri())), Ok(dialect));
        }
        assert_eq!(Dialect::named(&json!("https://json-schema.org/draft-07/schema")), Ok(Dialect::Draft7));
        for odd in
            [json!("x:y"), json!(""), json!("draft-07"), json!("ftp://json-schema.org/draft-07/schema"), json!(7)]
        {
            let error = Dialect::named(&odd).unwrap_err();
            assert!(error.to_string().contains(odd.as_str().unwrap_or("7")), "{error}");
        }
    }
}
