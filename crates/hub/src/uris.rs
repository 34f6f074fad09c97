//! Whose resource a URI is. Without I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The URIs and templates of all members.
#[derive(Debug, Default)]
pub(crate) struct Uris {
    /// Whose each URI is: of more than one member, the first by name.
    of: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// What each member brought.
    brought: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    templates: BTreeMap<Arc<str>, Vec<Pattern>>,
}

impl Uris {
    /// Takes the URIs of a member in the place of those that it had.
    pub(crate) fn replace(&mut self, member: &Arc<str>, uris: Vec<Arc<str>>) {
        self.forget_uris(member);
        for uri in &uris {
            let owners = self.of.entry(Arc::clone(uri)).or_default();
            if let Err(at) = owners.binary_search(member) {
                owners.insert(at, Arc::clone(member));
            }
        }
        self.brought.insert(Arc::clone(member), uris);
    }

    /// Takes the templates of a member in the place of those that it had.
    pub(crate) fn replace_templates<'t>(&mut self, member: &Arc<str>, templates: impl Iterator<Item = &'t str>) {
        self.templates.insert(Arc::clone(member), templates.filter_map(Pattern::of).collect());
    }

    /// Forgets a member.
    pub(crate) fn remove(&mut self, member: &str) {
        self.forget_uris(member);
        self.templates.remove(member);
    }

    /// Whose it is: by a URI that is listed, or else by the template that has the most text in common with it. Of several
    /// members the first by name.
    pub(crate) fn whose(&self, uri: &str) -> Option<&Arc<str>> {
        self.lists(uri).or_else(|| self.closest_template(uri))
    }

    /// Who lists it: of several members the first by name.
    pub(crate) fn lists(&self, uri: &str) -> Option<&Arc<str>> {
        self.of.get(uri)?.first()
    }

    fn closest_template(&self, uri: &str) -> Option<&Arc<str>> {
        let fitting = self.templates.iter().flat_map(|(member, patterns)| {
            patterns.iter().filter(|pattern| pattern.fits(uri)).map(move |pattern| (pattern.weight, member))
        });
        // Of equals the first stays.
        fitting.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, member)| member)
    }

    fn forget_uris(&mut self, member: &str) {
        for uri in self.brought.remove(member).unwrap_or_default() {
            if let Some(owners) = self.of.get_mut(&uri) {
                owners.retain(|owner| **owner != *member);
                if owners.is_empty() {
                    self.of.remove(&uri);
                }
            }
        }
    }
}

/// The literal texts of a URI template; between them may be anything.
#[derive(Debug)]
struct Pattern {
    texts: Vec<String>,
    /// How much text there is.
    weight: usize,
}

impl Pattern {
    /// None for a template without any text of its own, which would fit everything, and one that is broken.
    fn of(template: &str) -> Option<Self> {
        let mut texts = Vec::new();
        let mut rest = template;
        while let Some((text, behind)) = rest.split_once('{') {
            texts.push(text.to_owned());
            (_, rest) = behind.split_once('}')?;
        }
        texts.push(rest.to_owned());
        let weight = texts.iter().map(String::len).sum();
        (weight > 0).then_some(Self { texts, weight })
    }

    fn fits(&self, uri: &str) -> bool {
        let [first, middle @ .., last] = self.texts.as_slice() else {
            return self.texts.first().is_some_and(|text| text == uri);
        };
        let Some(mut rest) = uri.strip_prefix(first.as_str()) else { return false };
        for text in middle {
            let Some((_, behind)) = rest.split_once(text.as_str()) else { return false };
            rest = behind;
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn a_listed_uri_wins_over_templates_and_the_closer_template_over_others() {
        let mut uris = Uris::default();
        let (a, b, c) = (member("a"), member("b"), member("c"));
        uris.replace(&b, vec!["note://1".into()]);
        uris.replace(&a, vec!["note://1".into(), "note://2".into()]);
        uris.replace_templates(&b, ["note://{id}", "{+any}"].into_iter());
        uris.replace_templates(&c, ["note://{id}/attachments/{n}", "broken://{"].into_iter());
        assert_eq!(uris.whose("note://1"), Some(&a));
        assert_eq!(uris.whose("note://9"), Some(&b));
        assert_eq!(uris.whose("note://9/attachments/2"), Some(&c));
        assert_eq!(uris.whose("other://9"), None);
        uris.remove("a");
        assert_eq!(uris.whose("note://1"), Some(&b));
        assert_eq!(uris.whose("note://2"), Some(&b));
        uris.remove("b");
        assert_eq!(uris.whose("note://1"), None);
        assert!(uris.of.is_empty() && uris.brought.is_empty());
    }
}
