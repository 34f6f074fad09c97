//! A form on the terminal.

use bowline::form::{Field, FieldKind, Form};
use bowline::protocol::Extra;
use inquire::InquireError;
use serde_json::Value;

use crate::prompts::Prompts;
use crate::sanitize;

/// What a person did with a form.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// Filled in, looked over and sent.
    Accept(Extra),
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
pub(crate) fn ask(form: Form, prompts: &mut impl Prompts, show: impl Fn(&str)) -> Answer {
    converse(form, prompts, show).unwrap_or_else(|stop| match stop {
        InquireError::OperationInterrupted => Answer::Interrupted,
        _ => Answer::Cancel,
    })
}

fn converse(mut form: Form, prompts: &mut impl Prompts, show: impl Fn(&str)) -> Result<Answer, InquireError> {
    loop {
        for field in form.fields().to_vec() {
            while let Err(words) = ask_field(&mut form, &field, prompts)? {
                show(&format!("  {}, please", sanitize::line(&words)));
            }
        }
        for field in form.fields() {
            let value = form.value(&field.name).map_or_else(|| "(nothing)".to_owned(), ToString::to_string);
            show(&format!("  {}: {}", label(field), sanitize::line(&value)));
        }
        let options: Vec<String> = [SEND, CHANGE, DECLINE, CANCEL]
            .into_iter()
            .filter(|option| *option != CHANGE || !form.fields().is_empty())
            .map(str::to_owned)
            .collect();
        let picked = prompts.one("Send this to the server?", None, &options, 0)?;
        match options.get(picked).map(String::as_str) {
            Some(SEND) => match form.finish() {
                Ok(content) => return Ok(Answer::Accept(content)),
                Err(error) => show(&format!("  {}", sanitize::line(&error.to_string()))),
            },
            Some(DECLINE) => return Ok(Answer::Decline),
            Some(CHANGE) => {}
            _ => return Ok(Answer::Cancel),
        }
    }
}

/// Asks one field. Escape leaves an optional field out and cancels at a required one. The inner error is what is wanted
/// instead of what was answered.
fn ask_field(form: &mut Form, field: &Field, prompts: &mut impl Prompts) -> Result<Result<(), String>, InquireError> {
    let asked = label(field);
    let asked = if field.required { asked } else { format!("{asked} (optional)") };
    let help = field.description.as_deref().map(|text| sanitize::excerpt(text, 300));
    let help = help.as_deref();
    let earlier = form.value(&field.name).cloned();
    let titles: Vec<String> = field.choices().iter().map(|choice| sanitize::excerpt(&choice.title, 120)).collect();
    let answered = match &field.kind {
        FieldKind::Boolean => {
            prompts.yes(&asked, help, earlier.as_ref().and_then(Value::as_bool)).map(|yes| Some(Value::from(yes)))
        }
        FieldKind::Choice(choices) => {
            let start = places(field, earlier.as_ref()).first().copied().unwrap_or(0);
            let picked = prompts.one(&asked, help, &titles, start);
            picked.map(|n| choices.get(n).map(|choice| Value::from(choice.value.as_str())))
        }
        FieldKind::Choices { choices, .. } => {
            let picked = prompts.some(field, &asked, help, &titles, &places(field, earlier.as_ref()));
            picked.map(|picked| {
                let chosen = picked.into_iter().filter_map(|n| choices.get(n)).map(|choice| choice.value.as_str());
                let values: Vec<Value> = chosen.map(Value::from).collect();
                (field.required || !values.is_empty()).then(|| Value::from(values))
            })
        }
        _ => {
            let start = match &earlier {
                Some(Value::String(text)) => sanitize::line(text),
                Some(value) => value.to_string(),
                None => String::new(),
            };
            match prompts.line(field, &asked, help, &start) {
                Ok(typed) => return Ok(form.set_text(&field.name, &typed).map_err(|e| e.wanted.unwrap_or_default())),
                Err(error) => Err(error),
            }
        }
    };
    let set = match answered {
        Ok(Some(value)) => form.set(&field.name, value),
        Ok(None) => form.leave_out(&field.name),
        Err(InquireError::OperationCanceled) if !field.required => form.leave_out(&field.name),
        Err(error) => return Err(error),
    };
    Ok(set.map_err(|error| error.wanted.clone().unwrap_or_else(|| error.to_string())))
}

fn label(field: &Field) -> String {
    sanitize::excerpt(field.label(), 80)
}

/// Where the chosen values stand among the choices.
fn places(field: &Field, chosen: Option<&Value>) -> Vec<usize> {
    let is_chosen = |value: &String| match chosen {
        Some(Value::Array(values)) => values.iter().any(|chosen| chosen == value),
        Some(chosen) => chosen == value,
        None => false,
    };
    field.choices().iter().enumerate().filter(|(_, choice)| is_chosen(&choice.value)).map(|(n, _)| n).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;
    use crate::prompts::tests::{Said, Scripted};

    /// Fills in a form by a script; gives the answer, what was shown, and what was asked with its start.
    fn fill(schema: &Value, said: Vec<Said>) -> (Answer, Vec<String>, Vec<String>) {
        let form = Form::new(&serde_json::from_value(schema.clone()).unwrap()).unwrap();
        let (mut prompts, shown) = (Scripted::new(said), RefCell::new(Vec::<String>::new()));
        let answer = ask(form, &mut prompts, |line: &str| RefCell::borrow_mut(&shown).push(line.to_owned()));
        (answer, shown.into_inner(), std::mem::take(&mut prompts.asked))
    }

    fn every_kind() -> Value {
        json!({"type": "object", "required": ["name", "terms"], "properties": {
            "name": {"type": "string", "title": "Na\u{1b}[31mme", "minLength": 2},
            "age": {"type": "integer", "default": 30},
            "ratio": {"type": "number"},
            "terms": {"type": "boolean", "default": true},
            "colour": {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"], "default": "g"},
            "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}]},
            "tags": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]},
                "default": ["b"]},
        }})
    }

    #[test]
    fn d_05_every_kind_is_asked_and_the_answers_are_shown_before_they_are_sent() {
        let (answer, shown, asked) = fill(
            &every_kind(),
            vec![
                Said::Line("A"),
                Said::Line("Ada"),
                Said::Line("42"),
                Said::Line("0.5"),
                Said::Yes(false),
                Said::One(0),
                Said::One(0),
                Said::Some(vec![0, 1]),
                Said::One(0),
            ],
        );
        let content = json!({
            "name": "Ada", "age": 42, "ratio": 0.5, "terms": false, "colour": "r", "size": "s", "tags": ["a", "b"],
        });
        assert_eq!(answer, Answer::Accept(content.as_object().unwrap().clone()));
        assert_eq!(shown[0], "  text of at least 2 characters, please");
        assert!(shown.contains(&"  Name: \"Ada\"".to_owned()) && shown.contains(&"  tags: [\"a\",\"b\"]".to_owned()));
        assert_eq!(asked[0], "Name [] ", "the escape sequence is gone");
        assert_eq!(asked.last().unwrap(), "Send this to the server? [0] send it|change it|decline|cancel");
    }

    #[test]
    fn d_08_defaults_stand_in_the_fields_and_escape_leaves_an_optional_one_out() {
        let (answer, shown, asked) = fill(
            &every_kind(),
            vec![
                Said::Line("Ada"),
                Said::Line(""),
                Said::Escape,
                Said::Yes(true),
                Said::Escape,
                Said::Escape,
                Said::Some(vec![]),
                Said::One(0),
            ],
        );
        let content = json!({"name": "Ada", "terms": true});
        assert_eq!(answer, Answer::Accept(content.as_object().unwrap().clone()), "a cleared default is not sent");
        assert_eq!(asked[1], "age (optional) [30] ");
        assert_eq!(asked[3], "terms [true] ");
        assert_eq!(asked[4], "colour (optional) [1] Red|Green");
        assert_eq!(asked[6], "tags (optional) [1] A|B");
        assert!(shown.contains(&"  age: (nothing)".to_owned()), "{shown:?}");
    }

    #[test]
    fn d_05_answers_can_be_changed_before_they_are_sent() {
        let schema = json!({"properties": {"name": {"type": "string"}}});
        let said = vec![Said::Line("Ada"), Said::One(1), Said::Line("Eve"), Said::One(0)];
        let (answer, _, asked) = fill(&schema, said);
        assert_eq!(answer, Answer::Accept(json!({"name": "Eve"}).as_object().unwrap().clone()));
        assert_eq!(asked[2], "name (optional) [Ada] ", "the earlier answer stands there");
    }

    #[test]
    fn d_04_a_form_can_be_declined_and_cancelled() {
        let schema = json!({"properties": {"n": {"type": "string"}}, "required": ["n"]});
        assert_eq!(fill(&schema, vec![Said::Line("x"), Said::One(2)]).0, Answer::Decline);
        assert_eq!(fill(&schema, vec![Said::Line("x"), Said::One(3)]).0, Answer::Cancel);
        assert_eq!(fill(&schema, vec![Said::Escape]).0, Answer::Cancel);
        assert_eq!(fill(&schema, vec![Said::CtrlC]).0, Answer::Interrupted);
        // A form without fields is a question to be answered with yes or no.
        let (answer, _, asked) = fill(&json!({"properties": {}}), vec![Said::One(0)]);
        assert_eq!(answer, Answer::Accept(Extra::new()));
        assert_eq!(asked, ["Send this to the server? [0] send it|decline|cancel"]);
    }
}
