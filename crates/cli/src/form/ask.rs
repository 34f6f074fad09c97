//! A form on the terminal.

use inquire::list_option::ListOption;
use inquire::validator::Validation;
use inquire::{Confirm, InquireError, MultiSelect, Select, Text};
use serde_json::{Map, Value};

use super::{Choice, Field, Form, Kind};
use crate::sanitize;

/// What a person did with a form.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// Filled in, looked over and sent.
    Accept(Map<String, Value>),
    /// Said no.
    Decline,
    /// Went away without an answer.
    Cancel,
    /// Pressed Ctrl-C: the whole run is to end.
    Interrupted,
}

const SEND: &str = "send it";
const CHANGE: &str = "change it";
const DECLINE: &str = "decline";
const CANCEL: &str = "cancel";

/// Asks each field in turn, shows the answers, and sends nothing before the person said so. Blocks.
///
/// `show` prints one line.
pub(crate) fn ask(form: &Form, show: impl Fn(&str)) -> Answer {
    converse(form, show).unwrap_or_else(|stop| match stop {
        InquireError::OperationInterrupted => Answer::Interrupted,
        _ => Answer::Cancel,
    })
}

fn converse(form: &Form, show: impl Fn(&str)) -> Result<Answer, InquireError> {
    let mut filled = Map::new();
    loop {
        for field in &form.fields {
            let earlier = filled.get(&field.name).or(field.default.as_ref()).cloned();
            match ask_field(field, earlier.as_ref())? {
                Some(value) => filled.insert(field.name.clone(), value),
                None => filled.remove(&field.name),
            };
        }
        for field in &form.fields {
            let value = filled.get(&field.name).map_or_else(|| "(nothing)".to_owned(), ToString::to_string);
            show(&format!("  {}: {}", field.label, sanitize::line(&value)));
        }
        let mut options = vec![SEND, CHANGE, DECLINE, CANCEL];
        options.retain(|option| *option != CHANGE || !form.fields.is_empty());
        match Select::new("Send this to the server?", options).prompt()? {
            SEND => return Ok(Answer::Accept(filled)),
            DECLINE => return Ok(Answer::Decline),
            CANCEL => return Ok(Answer::Cancel),
            _ => {}
        }
    }
}

/// One field; none where an optional one was left out. Escape skips an optional field and cancels at a required one.
fn ask_field(field: &Field, earlier: Option<&Value>) -> Result<Option<Value>, InquireError> {
    let label = if field.required { field.label.clone() } else { format!("{} (optional)", field.label) };
    let answer = match &field.kind {
        Kind::Bool => ask_bool(field, &label, earlier),
        Kind::One(choices) => ask_one(field, &label, choices, earlier),
        Kind::Many { choices, .. } => ask_many(field, &label, choices, earlier),
        Kind::Text { .. } | Kind::Number { .. } => ask_text(field, &label, earlier),
    };
    match answer {
        Err(InquireError::OperationCanceled) if !field.required => Ok(None),
        answer => answer,
    }
}

fn ask_bool(field: &Field, label: &str, earlier: Option<&Value>) -> Result<Option<Value>, InquireError> {
    let mut prompt = Confirm::new(label).with_placeholder("y/n");
    prompt.default = earlier.and_then(Value::as_bool);
    prompt.help_message = field.description.as_deref();
    prompt.prompt().map(|yes| Some(yes.into()))
}

fn ask_one(
    field: &Field,
    label: &str,
    choices: &[Choice],
    earlier: Option<&Value>,
) -> Result<Option<Value>, InquireError> {
    let start = places(choices, earlier).first().copied().unwrap_or(0);
    let mut prompt = Select::new(label, titles(choices)).with_starting_cursor(start);
    if let Some(help) = &field.description {
        prompt = prompt.with_help_message(help);
    }
    let picked = prompt.raw_prompt()?;
    Ok(choices.get(picked.index).map(|choice| choice.value.as_str().into()))
}

fn ask_many(
    field: &Field,
    label: &str,
    choices: &[Choice],
    earlier: Option<&Value>,
) -> Result<Option<Value>, InquireError> {
    let taken = places(choices, earlier);
    let rule = field.clone();
    let counted = move |picked: &[ListOption<&&str>]| Ok(verdict(rule.check_count(picked.len())));
    let mut prompt = MultiSelect::new(label, titles(choices)).with_default(&taken);
    if let Some(help) = &field.description {
        prompt = prompt.with_help_message(help);
    }
    // The validator sees the titles as they are listed, and only their number counts.
    let picked = prompt.with_validator(counted).raw_prompt()?;
    let values: Vec<Value> = picked
        .iter()
        .filter_map(|picked| choices.get(picked.index))
        .map(|choice| choice.value.as_str().into())
        .collect();
    Ok((field.required || !values.is_empty()).then(|| values.into()))
}

fn ask_text(field: &Field, label: &str, earlier: Option<&Value>) -> Result<Option<Value>, InquireError> {
    let start = match earlier {
        Some(Value::String(text)) => sanitize::line(text),
        Some(value @ Value::Number(_)) => value.to_string(),
        _ => String::new(),
    };
    let rule = field.clone();
    let mut prompt = Text::new(label).with_initial_value(&start);
    if let Some(help) = &field.description {
        prompt = prompt.with_help_message(help);
    }
    let typed = prompt.with_validator(move |text: &str| Ok(verdict(rule.check(text)))).prompt()?;
    // Checked by the validator: what it lets through has a value.
    Ok(field.check(&typed).ok().flatten())
}

fn verdict<T>(checked: Result<T, String>) -> Validation {
    checked.map_or_else(|words| Validation::Invalid(words.into()), |_| Validation::Valid)
}

fn titles(choices: &[Choice]) -> Vec<&str> {
    choices.iter().map(|choice| choice.title.as_str()).collect()
}

/// Where the chosen values stand in the list.
fn places(choices: &[Choice], chosen: Option<&Value>) -> Vec<usize> {
    let is_chosen = |choice: &Choice| match chosen {
        Some(Value::Array(values)) => values.iter().any(|value| *value == choice.value),
        Some(value) => *value == choice.value,
        None => false,
    };
    choices.iter().enumerate().filter(|(_, choice)| is_chosen(choice)).map(|(n, _)| n).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn d_08_defaults_are_found_among_the_choices() {
        let choices = ["a", "b", "c"].map(|value| Choice { value: value.into(), title: value.to_uppercase() });
        assert_eq!(places(&choices, Some(&json!("b"))), [1]);
        assert_eq!(places(&choices, Some(&json!(["c", "a", "x"]))), [0, 2]);
        assert_eq!(places(&choices, None), [0usize; 0]);
    }
}
