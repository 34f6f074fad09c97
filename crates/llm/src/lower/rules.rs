//! What each provider takes of JSON Schema.
//!
//! From their published type definitions and documentation; where those are silent, what their users were refused for.

/// Which provider, and which of its modes, a schema is lowered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchemaTarget {
    /// Anthropic, also behind Bedrock: any JSON Schema but unions at the root.
    Anthropic,
    /// The same, held to the schema by the provider.
    AnthropicStrict,
    /// OpenAI and what is compatible with it, Mistral included.
    OpenAi,
    /// The same, held to the schema by the provider.
    OpenAiStrict,
    /// Gemini's `parametersJsonSchema`.
    Gemini,
    /// Gemini's older `parameters`: a part of OpenAPI 3.0, with types in capitals.
    GeminiOpenApi,
    /// Amazon's Nova models behind Bedrock: nothing at the root but `type`, `properties` and `required`.
    Nova,
    /// Ollama, which hands the model's template a few keywords.
    Ollama,
}

/// What is done to schemas for one target.
#[derive(Debug)]
pub(super) struct Rules {
    /// The keywords that stay; all that are known where there is no list.
    pub(super) stay: Option<fn(&str) -> bool>,
    /// Whether references stay, with what they refer to.
    pub(super) refs: bool,
    /// Whether every array has to say what its items are.
    pub(super) wants_items: bool,
    /// Whether several types may stand in `type`, beside null.
    pub(super) type_lists: bool,
    /// What the keys of properties may be.
    pub(super) keys: Keys,
    pub(super) strict: Strict,
    /// Types in capitals, `nullable`, and enumerations of texts alone.
    pub(super) open_api: bool,
    /// The formats of texts that stay; all where there is no list.
    pub(super) formats: Option<&'static [&'static str]>,
    /// Whether the root may have a description and the like.
    pub(super) bare_root: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strict {
    No,
    /// Every object is closed.
    Closed,
    /// The same, and every property is required.
    ClosedAndFull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Any,
    /// Letters, digits, `_`, `.` and `-`, up to 64.
    Dotted,
    /// A letter or `_`, then letters, digits and `_`, up to 64.
    Identifier,
}

impl Keys {
    pub(super) fn takes(self, key: &str) -> bool {
        let fits = |other: &[u8]| {
            !key.is_empty() && key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || other.contains(&b))
        };
        match self {
            Self::Any => true,
            Self::Dotted => fits(b"_.-"),
            Self::Identifier => fits(b"_") && !key.starts_with(|c: char| c.is_ascii_digit()),
        }
    }
}

const ALL: Rules = Rules {
    stay: None,
    refs: true,
    wants_items: false,
    type_lists: true,
    keys: Keys::Dotted,
    strict: Strict::No,
    open_api: false,
    formats: None,
    bare_root: false,
};

/// The keywords that both of the strict modes take.
fn is_in_strict(keyword: &str) -> bool {
    matches!(
        keyword,
        "type"
            | "title"
            | "description"
            | "properties"
            | "required"
            | "additionalProperties"
            | "items"
            | "enum"
            | "const"
            | "anyOf"
            | "format"
            | "pattern"
            | "minItems"
    )
}

/// The keywords that Gemini takes in both of its ways.
fn is_in_gemini(keyword: &str) -> bool {
    matches!(
        keyword,
        "type"
            | "title"
            | "description"
            | "properties"
            | "required"
            | "items"
            | "enum"
            | "anyOf"
            | "format"
            | "minimum"
            | "maximum"
            | "minItems"
            | "maxItems"
    )
}

const ANTHROPIC_STRICT: Rules = Rules {
    stay: Some(|keyword| is_in_strict(keyword) || keyword == "default"),
    // `allOf` is put together: its branches, each closed, would shut each other out.
    // Only so is a recursion found, which it does not take.
    refs: false,
    strict: Strict::Closed,
    formats: Some(&["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]),
    ..ALL
};

const OPEN_AI: Rules = Rules { wants_items: true, keys: Keys::Any, ..ALL };

const OPEN_AI_STRICT: Rules = Rules {
    stay: Some(|keyword| {
        is_in_strict(keyword)
            || matches!(
                keyword,
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "maxItems"
            )
    }),
    strict: Strict::ClosedAndFull,
    formats: Some(&["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]),
    ..OPEN_AI
};

const GEMINI: Rules = Rules {
    stay: Some(|keyword| is_in_gemini(keyword) || matches!(keyword, "additionalProperties" | "prefixItems")),
    refs: false,
    wants_items: true,
    type_lists: false,
    keys: Keys::Identifier,
    formats: Some(&["date-time", "date", "time"]),
    ..ALL
};

const GEMINI_OPEN_API: Rules = Rules {
    stay: Some(|keyword| {
        is_in_gemini(keyword)
            || matches!(keyword, "minProperties" | "maxProperties" | "minLength" | "maxLength" | "pattern" | "default")
    }),
    open_api: true,
    formats: Some(&["date-time", "enum", "int32", "int64", "float", "double"]),
    ..GEMINI
};

const NOVA: Rules = Rules { refs: false, wants_items: true, bare_root: true, ..ALL };

const OLLAMA: Rules = Rules {
    stay: Some(|keyword| {
        matches!(keyword, "type" | "description" | "properties" | "required" | "items" | "enum" | "anyOf")
    }),
    refs: false,
    keys: Keys::Any,
    ..ALL
};

impl SchemaTarget {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Anthropic,
        Self::AnthropicStrict,
        Self::OpenAi,
        Self::OpenAiStrict,
        Self::Gemini,
        Self::GeminiOpenApi,
        Self::Nova,
        Self::Ollama,
    ];

    pub(super) const fn rules(self) -> &'static Rules {
        match self {
            Self::Anthropic => &ALL,
            Self::AnthropicStrict => &ANTHROPIC_STRICT,
            Self::OpenAi => &OPEN_AI,
            Self::OpenAiStrict => &OPEN_AI_STRICT,
            Self::Gemini => &GEMINI,
            Self::GeminiOpenApi => &GEMINI_OPEN_API,
            Self::Nova => &NOVA,
            Self::Ollama => &OLLAMA,
        }
    }
}

impl Rules {
    pub(super) fn keeps(&self, keyword: &str) -> bool {
        self.stay.is_none_or(|stays| stays(keyword))
    }

    /// Whether a format of texts stays.
    pub(super) fn takes_format(&self, name: &str) -> bool {
        self.keeps("format") && self.formats.is_none_or(|formats| formats.contains(&name))
    }
}
