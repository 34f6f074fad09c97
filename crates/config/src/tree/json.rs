//! JSON, with comments and trailing commas where the host takes them.

use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{MAX_DEPTH, Member, Node, Value, too_deep};
use crate::place::Source;
use crate::problem::Problem;

/// What is taken beside plain JSON: comments and trailing commas, or nothing.
const fn options(lenient: bool) -> ParseOptions {
    ParseOptions {
        allow_comments: lenient,
        allow_trailing_commas: lenient,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

pub(super) fn parse(source: &Source<'_>, lenient: bool) -> Result<Node, Problem> {
    let parsed = parse_to_ast(source.text, &CollectOptions::default(), &options(lenient))
        .map_err(|error| syntax(source, &error))?;
    match parsed.value {
        Some(ast) => node(source, ast, 0),
        // Comments alone are a file without servers; what is blank is more likely about to be written.
        None if lenient && !source.text.trim().is_empty() => {
            Ok(Node { span: 0..source.text.len(), value: Value::Map(Vec::new()) })
        }
        None => Err(Problem::error(source.place(0), "the file is empty; it needs at least `{}`")),
    }
}

fn syntax(source: &Source<'_>, error: &ParseError) -> Problem {
    let message = match error.kind() {
        ParseErrorKind::CommentsNotAllowed => {
            "a comment, which this host does not take in its file: it would read none of it".to_owned()
        }
        ParseErrorKind::TrailingCommasNotAllowed => {
            "a comma before the closing bracket, which this host does not take: leave it out".to_owned()
        }
        ParseErrorKind::NestingDepthExceeded => return too_deep(source, error.range().start),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(char::to_lowercase).into_iter().flatten();
            let mut message = format!("no valid json: {}", first.chain(letters).collect::<String>());
            if let Some(expected) = expected(other) {
                message.push_str("; expected ");
                message.push_str(expected);
            }
            message
        }
    };
    Problem::error(source.place(error.range().start), message)
}

/// What should be there, where the library says only what is.
const fn expected(kind: &ParseErrorKind) -> Option<&'static str> {
    match kind {
        ParseErrorKind::UnexpectedTokenInObject => Some("a key in double quotes, or `}`"),
        ParseErrorKind::UnexpectedCloseBrace
        | ParseErrorKind::UnexpectedCloseBracket
        | ParseErrorKind::UnexpectedColon
        | ParseErrorKind::UnexpectedComma
        | ParseErrorKind::UnexpectedToken
        | ParseErrorKind::UnexpectedWord
        | ParseErrorKind::ExpectedObjectValue => {
            Some("a value: `{`, `[`, a text in double quotes, a number, true, false or null")
        }
        ParseErrorKind::SingleQuotedStringsNotAllowed | ParseErrorKind::ExpectedStringObjectProperty => {
            Some("double quotes")
        }
        ParseErrorKind::UnterminatedArray => Some("`,` or `]`"),
        ParseErrorKind::UnterminatedObject => Some("`,` or `}`"),
        ParseErrorKind::UnterminatedCommentBlock => Some("`*/`"),
        ParseErrorKind::MultipleRootJsonValues => Some("nothing behind the first value"),
        _ => None,
    }
}

fn node(source: &Source<'_>, ast: Ast<'_>, depth: usize) -> Result<Node, Problem> {
    let span = ast.range();
    let span = span.start..span.end;
    if depth > MAX_DEPTH {
        return Err(too_deep(source, span.start));
    }
    let value = match ast {
        Ast::NullKeyword(_) => Value::Null,
        Ast::BooleanLit(bool) => Value::Bool(bool.value),
        Ast::NumberLit(number) => Value::Number(number.value.to_owned()),
        Ast::StringLit(text) => Value::Text(text.value.into_owned()),
        Ast::Array(array) => {
            let items = array.elements.into_iter().map(|item| node(source, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Ast::Object(object) => {
            let member = |property: jsonc_parser::ast::ObjectProp<'_>| {
                let key_span = property.name.range();
                let key = match property.name {
                    ObjectPropName::String(text) => text.value.into_owned(),
                    ObjectPropName::Word(word) => word.value.to_owned(),
                };
                let node = node(source, property.value, depth + 1)?;
                Ok(Member { key, key_span: key_span.start..key_span.end, node })
            };
            Value::Map(object.properties.into_iter().map(member).collect::<Result<_, _>>()?)
        }
    };
    Ok(Node { span, value })
}
