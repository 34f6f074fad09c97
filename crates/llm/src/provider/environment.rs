//! The model that the environment names.

use crate::{Format, HttpModel, HttpModelBuilder, ModelError};

impl HttpModel {
    /// Settings for the model that variables name: `variable` is `FORMAT/NAME`, such as `openai/gpt-5`, and what begins with
    /// its name and ends with `_URL` and `_KEY` is an address other than the provider's own, and the key. Nothing where
    /// `variable` is not set, or empty.
    ///
    /// ```
    /// use bowline_llm::HttpModel;
    ///
    /// // MODEL=anthropic/claude-sonnet-4-5 MODEL_KEY=…
    /// let model = HttpModel::from_env("MODEL")?.map(|builder| builder.build()).transpose()?;
    /// println!("{}", if model.is_some() { "a model is there" } else { "set MODEL" });
    /// # Ok::<(), bowline_llm::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelErrorKind::Config`](crate::ModelErrorKind::Config) where the variable is not of this form, or its first word no
    /// [`Format`].
    pub fn from_env(variable: &str) -> Result<Option<HttpModelBuilder>, ModelError> {
        named_by(variable, |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
    }
}

fn named_by(variable: &str, value: impl Fn(&str) -> Option<String>) -> Result<Option<HttpModelBuilder>, ModelError> {
    let Some(model) = value(variable) else { return Ok(None) };
    let Some((format, name)) = model.trim().split_once('/').filter(|(_, name)| !name.is_empty()) else {
        return Err(ModelError::config(format!("{variable} is not FORMAT/NAME, such as openai/gpt-5")));
    };
    let format: Format = format.parse().map_err(|error| ModelError::config(format!("{variable}: {error}")))?;
    let mut builder = HttpModel::builder(format, name);
    if let Some(url) = value(&format!("{variable}_URL")) {
        builder = builder.base_url(url);
    }
    if let Some(key) = value(&format!("{variable}_KEY")) {
        builder = builder.key(key);
    }
    Ok(Some(builder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(variables: &[(&str, &str)]) -> Result<Option<HttpModelBuilder>, ModelError> {
        named_by("MODEL", |name| variables.iter().find(|(its, _)| *its == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_model_is_named_by_its_format_and_what_stands_behind_the_first_slash() {
        assert!(named(&[("MODEL_KEY", "k")]).unwrap().is_none());
        let variables = [("MODEL", "ollama/library/x:7b"), ("MODEL_URL", "http://127.0.0.1:1"), ("MODEL_KEY", "k")];
        let model = named(&variables).unwrap().unwrap().build().unwrap();
        assert_eq!((&*model.target().model, model.target().format), ("library/x:7b", Format::Ollama));
        for (model, told) in
            [("gpt-5", "MODEL is not FORMAT/NAME"), ("openai/", "is not FORMAT/NAME"), ("x/y", "MODEL: ")]
        {
            let error = named(&[("MODEL", model)]).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(told), "{model}: {error}");
        }
    }
}
