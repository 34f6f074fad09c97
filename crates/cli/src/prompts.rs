//! The ways to ask a person something on the terminal.

use bowline::form::Field;
use inquire::list_option::ListOption;
use inquire::validator::Validation;
use inquire::{Confirm, InquireError, MultiSelect, Password, Select, Text};
use serde_json::Value;

/// Asks, and blocks until there is an answer. All text that it is given is harmless already.
pub(crate) trait Prompts {
    /// A line of text, which the field accepts.
    fn line(&mut self, field: &Field, label: &str, help: Option<&str>, start: &str) -> Result<String, InquireError>;

    /// A line of text, whatever it is.
    fn text(&mut self, label: &str, help: Option<&str>, start: &str) -> Result<String, InquireError>;

    /// Yes or no.
    fn yes(&mut self, label: &str, help: Option<&str>, start: Option<bool>) -> Result<bool, InquireError>;

    /// The place of one of several titles.
    fn one(&mut self, label: &str, help: Option<&str>, titles: &[String], start: usize) -> Result<usize, InquireError>;

    /// The places of some of several titles, as many as the field accepts.
    fn some(
        &mut self,
        field: &Field,
        label: &str,
        help: Option<&str>,
        titles: &[String],
        start: &[usize],
    ) -> Result<Vec<usize>, InquireError>;
}

/// A text that is not shown as it is typed; none where there is no terminal.
pub(crate) fn secret(label: &str) -> Option<Result<String, InquireError>> {
    crate::elicit::is_interactive().then(|| Password::new(label).without_confirmation().prompt())
}

/// The terminal itself.
#[derive(Debug)]
pub(crate) struct Inquire;

impl Prompts for Inquire {
    fn line(&mut self, field: &Field, label: &str, help: Option<&str>, start: &str) -> Result<String, InquireError> {
        let rule = field.clone();
        let mut prompt = Text::new(label).with_initial_value(start);
        prompt.help_message = help;
        prompt.with_validator(move |text: &str| Ok(verdict(rule.parse(text)))).prompt()
    }

    fn text(&mut self, label: &str, help: Option<&str>, start: &str) -> Result<String, InquireError> {
        let mut prompt = Text::new(label).with_initial_value(start);
        prompt.help_message = help;
        prompt.prompt()
    }

    fn yes(&mut self, label: &str, help: Option<&str>, start: Option<bool>) -> Result<bool, InquireError> {
        let mut prompt = Confirm::new(label).with_placeholder("y/n");
        prompt.default = start;
        prompt.help_message = help;
        prompt.prompt()
    }

    fn one(&mut self, label: &str, help: Option<&str>, titles: &[String], start: usize) -> Result<usize, InquireError> {
        let mut prompt = Select::new(label, titles.to_vec()).with_starting_cursor(start);
        if let Some(help) = help {
            prompt = prompt.with_help_message(help);
        }
        prompt.raw_prompt().map(|picked| picked.index)
    }

    fn some(
        &mut self,
        field: &Field,
        label: &str,
        help: Option<&str>,
        titles: &[String],
        start: &[usize],
    ) -> Result<Vec<usize>, InquireError> {
        let rule = field.clone();
        let counted = move |picked: &[ListOption<&String>]| {
            let values = picked.iter().filter_map(|picked| rule.choices().get(picked.index));
            let values: Vec<Value> = values.map(|choice| choice.value.as_str().into()).collect();
            // An optional field may be left out whole.
            if values.is_empty() && !rule.required {
                return Ok(Validation::Valid);
            }
            Ok(verdict(rule.check(values.into())))
        };
        let mut prompt = MultiSelect::new(label, titles.to_vec()).with_default(start);
        if let Some(help) = help {
            prompt = prompt.with_help_message(help);
        }
        let picked = prompt.with_validator(counted).raw_prompt()?;
        Ok(picked.iter().map(|picked| picked.index).collect())
    }
}

fn verdict<T>(checked: Result<T, bowline::form::FormError>) -> Validation {
    match checked {
        Ok(_) => Validation::Valid,
        Err(error) => {
            let wanted = error.wanted.unwrap_or_else(|| error.field.unwrap_or_default());
            Validation::Invalid(format!("{}, please", crate::sanitize::line(&wanted)).into())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// What a person does at a prompt.
    #[derive(Debug)]
    pub(crate) enum Said {
        Line(&'static str),
        Yes(bool),
        One(usize),
        Some(Vec<usize>),
        Escape,
        CtrlC,
    }

    /// A person who follows a script.
    #[derive(Debug)]
    pub(crate) struct Scripted {
        said: VecDeque<Said>,
        /// The prompts, with what stood there and what could be chosen.
        pub(crate) asked: Vec<String>,
    }

    impl Scripted {
        pub(crate) fn new(said: Vec<Said>) -> Self {
            Self { said: said.into(), asked: Vec::new() }
        }

        fn next(&mut self, label: &str, start: &str, titles: &[String]) -> Result<Said, InquireError> {
            self.asked.push(format!("{label} [{start}] {}", titles.join("|")));
            match self.said.pop_front().unwrap_or_else(|| panic!("nobody answers {label}")) {
                Said::Escape => Err(InquireError::OperationCanceled),
                Said::CtrlC => Err(InquireError::OperationInterrupted),
                said => Ok(said),
            }
        }
    }

    impl Drop for Scripted {
        fn drop(&mut self) {
            assert!(self.said.is_empty() || std::thread::panicking(), "never asked: {:?}", self.said);
        }
    }

    impl Prompts for Scripted {
        fn line(&mut self, _: &Field, label: &str, help: Option<&str>, start: &str) -> Result<String, InquireError> {
            self.text(label, help, start)
        }

        fn text(&mut self, label: &str, _: Option<&str>, start: &str) -> Result<String, InquireError> {
            match self.next(label, start, &[])? {
                Said::Line(text) => Ok(text.to_owned()),
                other => panic!("{label}: {other:?}"),
            }
        }

        fn yes(&mut self, label: &str, _: Option<&str>, start: Option<bool>) -> Result<bool, InquireError> {
            match self.next(label, &start.map_or_else(String::new, |start| start.to_string()), &[])? {
                Said::Yes(yes) => Ok(yes),
                other => panic!("{label}: {other:?}"),
            }
        }

        fn one(
            &mut self,
            label: &str,
            _: Option<&str>,
            titles: &[String],
            start: usize,
        ) -> Result<usize, InquireError> {
            match self.next(label, &start.to_string(), titles)? {
                Said::One(n) => Ok(n),
                other => panic!("{label}: {other:?}"),
            }
        }

        fn some(
            &mut self,
            _: &Field,
            label: &str,
            _: Option<&str>,
            titles: &[String],
            start: &[usize],
        ) -> Result<Vec<usize>, InquireError> {
            let start: Vec<String> = start.iter().map(ToString::to_string).collect();
            match self.next(label, &start.join(","), titles)? {
                Said::Some(picked) => Ok(picked),
                other => panic!("{label}: {other:?}"),
            }
        }
    }

    #[test]
    fn d_06_a_prompt_says_what_the_field_wants() {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1}},"required":["n"]}"#;
        let form = bowline::form::Form::new(&serde_json::from_str(schema).unwrap()).unwrap();
        let wanted = Validation::Invalid("a whole number of at least 1, please".into());
        assert_eq!(verdict(form.fields()[0].parse("0")), wanted);
        assert!(matches!(verdict(form.fields()[0].parse("1")), Validation::Valid));
    }
}
