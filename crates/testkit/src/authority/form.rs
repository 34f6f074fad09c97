//! The parameters of a query or of a form.

use url::form_urlencoded;

use super::refusal::Refusal;

/// Parameters in their order.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The query of a path.
    pub(super) fn query(path: &str) -> Self {
        Self::read(path.split_once('?').map_or("", |(_, query)| query).as_bytes())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter; empty where it lacks.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        let value = self.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::new("invalid_request", format!("`{name}` is missing")))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The scopes of a text with spaces between them.
pub(super) fn scopes(text: &str) -> Vec<String> {
    text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}
