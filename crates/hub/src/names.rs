//! Names that models accept, for what servers call as they like. Without I/O.
//!
//! An exposed name is `<member><separator><tool>`. The member's part is made from the names of all members, and the
//! tool's part from the names of all tools of its member, so neither depends on who connected first. The member's part
//! never holds the separator, nor ends so that it would begin earlier: the first separator of an exposed name is the one
//! after it, and the two parts are looked up in a table each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bowline_client::Error;
use bowline_protocol::hex;
use sha2::{Digest as _, Sha256};

/// How long the member's part may be.
const MEMBER_PART: usize = 32;
/// How many characters of a hash tell two names apart, with the `_` before them.
const HASH: usize = 9;

/// How tools and prompts of many servers are named: `<member>__<tool>`, at most 64 characters.
///
/// That is what every model's provider takes: ASCII letters, digits, `_` and `-`, with a letter or `_` at the start.
/// Other characters become `_`. A name that is too long is cut, and ends with a hash of what it was; so do names that
/// would otherwise be the same, but for one that needed no change.
///
/// ```
/// use bowline_hub::Naming;
///
/// let naming = Naming::default().with_separator("-")?;
/// assert_eq!(naming.separator(), "-");
/// assert!(Naming::default().with_separator("::").is_err());
/// # Ok::<(), bowline_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    separator: String,
    max_len: usize,
}

impl Default for Naming {
    fn default() -> Self {
        Self { separator: "__".to_owned(), max_len: 64 }
    }
}

impl Naming {
    /// Sets what stands between the member and its tool. Default: `__`.
    ///
    /// # Errors
    /// `Config` where it is not 1 to 4 letters, digits, `_` or `-`.
    pub fn with_separator(mut self, separator: impl Into<String>) -> Result<Self, Error> {
        let separator = separator.into();
        if separator.is_empty() || separator.len() > 4 || !separator.chars().all(is_fit) {
            let what = bowline_protocol::excerpt(&separator, 20);
            return Err(Error::config(format!(
                "\"{what}\" cannot stand between names; set 1 to 4 letters, digits, \"_\" or \"-\""
            )));
        }
        self.separator = separator;
        Ok(self)
    }

    /// Sets how long a name may be. Default: 64. Between 56 and 128.
    #[must_use]
    pub fn with_max_len(mut self, max_len: usize) -> Self {
        // Below that there is no room for both parts with a hash each.
        self.max_len = max_len.clamp(56, 128);
        self
    }

    /// What stands between the member and its tool.
    pub fn separator(&self) -> &str {
        &self.separator
    }

    /// How long a name may be.
    pub const fn max_len(&self) -> usize {
        self.max_len
    }

    /// The two parts of an exposed name.
    pub(crate) fn split<'n>(&self, exposed: &'n str) -> Option<(&'n str, &'n str)> {
        exposed.split_once(self.separator.as_str())
    }

    /// What a member's part may be at best, from its name alone.
    fn member_part(&self, name: &str) -> String {
        let mut part = fit(name);
        if part.len() > MEMBER_PART {
            part = cut(&part, MEMBER_PART, &[name]);
        }
        self.without_separator(part)
    }

    /// Takes out what would make the separator begin before the end.
    fn without_separator(&self, mut part: String) -> String {
        while let Some(at) = format!("{part}{}", self.separator).find(&self.separator)
            && at < part.len()
        {
            part.remove(at);
        }
        if !begins_well(&part) {
            // One that is not in the separator, so that none begins with it; that has four letters at most.
            part.insert(0, "smxqz".chars().find(|c| !self.separator.contains(*c)).unwrap_or('s'));
        }
        part
    }

    /// A member's part that tells it from others of the same.
    fn hashed_member_part(&self, name: &str, n: u32) -> String {
        self.without_separator(cut(&fit(name), MEMBER_PART, &[name, &n.to_string()]))
    }

    /// The exposed names of all tools of a member, in the order in which they came. The names differ from one another
    /// as long as the tools' own do.
    pub(crate) fn exposed<'t>(&self, part: &str, member: &str, tools: impl Iterator<Item = &'t str>) -> Vec<Arc<str>> {
        self.apart(&format!("{part}{}", self.separator), member, tools, |tool| tool.chars().map(fit_char).collect())
    }

    /// Names that models accept, for names of any kind, in the order in which those came: the same where they are
    /// accepted as they are. They differ from one another as long as the names do.
    ///
    /// ```
    /// let names = bowline_hub::Naming::default().accepted(["mail__send", "calendar.list", "calendar/list"]);
    /// assert_eq!(&*names[0], "mail__send");
    /// assert!(names[1].starts_with("calendar_list_") && names[1] != names[2]);
    /// ```
    pub fn accepted<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<Arc<str>> {
        let names: Vec<&str> = names.into_iter().collect();
        let is_accepted = |name: &&str| name.len() <= self.max_len && begins_well(name) && name.chars().all(is_fit);
        if names.iter().all(is_accepted) {
            // Most often; then there is nothing to tell apart.
            return names.into_iter().map(Arc::from).collect();
        }
        self.apart("", "", names.into_iter(), fit)
    }

    /// Names behind a head, fitted, and told apart by a hash where they would be the same.
    fn apart<'t>(
        &self,
        head: &str,
        member: &str,
        tools: impl Iterator<Item = &'t str>,
        fit: impl Fn(&str) -> String,
    ) -> Vec<Arc<str>> {
        let room = self.max_len.saturating_sub(head.len());
        let tools: Vec<&str> = tools.collect();
        let mut wanted = HashMap::<String, u32>::with_capacity(tools.len());
        let first: Vec<(String, bool)> = tools
            .iter()
            .map(|tool| {
                let fitted = fit(tool);
                let is_clean = fitted == **tool && !fitted.is_empty() && fitted.len() <= room;
                let name = if fitted.len() > room { cut(&fitted, room, &[member, tool]) } else { fitted };
                (name, is_clean)
            })
            .collect();
        let mut taken: HashSet<String> = HashSet::with_capacity(tools.len());
        for (name, is_clean) in &first {
            *wanted.entry(name.clone()).or_default() += 1;
            if *is_clean {
                taken.insert(name.clone());
            }
        }
        let mut names: Vec<Option<String>> = vec![None; tools.len()];
        let mut clashes = BTreeMap::new();
        for (n, (name, is_clean)) in first.into_iter().enumerate() {
            let is_alone = wanted.get(&name) == Some(&1) && !name.is_empty();
            if is_clean || is_alone {
                taken.insert(name.clone());
                if let Some(slot) = names.get_mut(n) {
                    *slot = Some(name);
                }
            } else {
                clashes.insert(tools.get(n).copied().unwrap_or_default(), (n, name));
            }
        }
        // In the order of the tools' own names, so that it does not matter in which order they came.
        for (tool, (n, fitted)) in clashes {
            let name = (0_u32..)
                .map(|turn| cut(&fitted, room, &[member, tool, &turn.to_string()]))
                .find(|name| !taken.contains(name))
                .unwrap_or_default();
            taken.insert(name.clone());
            if let Some(slot) = names.get_mut(n) {
                *slot = Some(name);
            }
        }
        names.into_iter().map(|name| format!("{head}{}", name.unwrap_or_default()).into()).collect()
    }
}

const fn is_fit(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

const fn fit_char(c: char) -> char {
    if is_fit(c) { c } else { '_' }
}

fn begins_well(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// The name with allowed characters alone, and a letter or `_` at the start.
fn fit(name: &str) -> String {
    let mut fitted: String = name.chars().map(fit_char).collect();
    if !begins_well(&fitted) {
        fitted.insert(0, '_');
    }
    fitted
}

/// A fitted name cut to `max` bytes, the last of which are a hash of the originals.
fn cut(fitted: &str, max: usize, originals: &[&str]) -> String {
    let mut hash = Sha256::new();
    for original in originals {
        hash.update(original.len().to_le_bytes());
        hash.update(original.as_bytes());
    }
    let digest = hash.finalize();
    let mut name = fitted.get(..fitted.len().min(max.saturating_sub(HASH))).unwrap_or_default().to_owned();
    name.push('_');
    name.push_str(&hex(digest.get(..4).unwrap_or(&digest)));
    name
}

/// The members' parts of exposed names, and whose they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    naming: Naming,
    of: HashMap<Arc<str>, Arc<str>>,
    whose: HashMap<Arc<str>, Arc<str>>,
    /// How many members would have this part by themselves.
    wanted: HashMap<String, u32>,
}

impl Parts {
    pub(crate) fn new(naming: Naming, members: impl Iterator<Item = Arc<str>>) -> Self {
        let mut this = Self { naming, ..Self::default() };
        this.make(&members.collect());
        this
    }

    /// The part of a member.
    pub(crate) fn of(&self, member: &str) -> Option<&Arc<str>> {
        self.of.get(member)
    }

    /// Whose part it is.
    pub(crate) fn whose(&self, part: &str) -> Option<&Arc<str>> {
        self.whose.get(part)
    }

    /// Adds a member. `true` where the parts of others changed with it.
    pub(crate) fn add(&mut self, member: &Arc<str>) -> bool {
        let part = self.naming.member_part(member);
        if !self.wanted.contains_key(&part) && !self.whose.contains_key(part.as_str()) {
            self.wanted.insert(part.clone(), 1);
            self.put(member, part.into());
            return false;
        }
        let mut members: BTreeSet<_> = self.of.keys().cloned().collect();
        members.insert(Arc::clone(member));
        self.make(&members);
        true
    }

    /// Takes a member away. `true` where the parts of others changed with it.
    pub(crate) fn remove(&mut self, member: &str) -> bool {
        let Some(part) = self.of.remove(member) else { return false };
        self.whose.remove(&part);
        let own = self.naming.member_part(member);
        if self.wanted.get(&own) == Some(&1) {
            self.wanted.remove(&own);
            return false;
        }
        let rest = self.of.keys().cloned().collect();
        self.make(&rest);
        true
    }

    fn put(&mut self, member: &Arc<str>, part: Arc<str>) {
        self.of.insert(Arc::clone(member), Arc::clone(&part));
        self.whose.insert(part, Arc::clone(member));
    }

    fn make(&mut self, members: &BTreeSet<Arc<str>>) {
        self.of.clear();
        self.whose.clear();
        self.wanted.clear();
        let mut clashes = Vec::new();
        let parts: Vec<_> = members.iter().map(|member| self.naming.member_part(member)).collect();
        for part in &parts {
            *self.wanted.entry(part.clone()).or_default() += 1;
        }
        for (member, part) in members.iter().zip(parts) {
            if self.wanted.get(&part) == Some(&1) || **member == *part {
                self.put(member, part.into());
            } else {
                clashes.push(member);
            }
        }
        for member in clashes {
            let part = (0..).map(|turn| self.naming.hashed_member_part(member, turn));
            let part = part.into_iter().find(|part| !self.whose.contains_key(part.as_str())).unwrap_or_default();
            self.put(member, part.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(naming: &Naming, members: &[&str]) -> Parts {
        Parts::new(naming.clone(), members.iter().map(|member| Arc::from(*member)))
    }

    fn exposed(naming: &Naming, parts: &Parts, member: &str, tools: &[&str]) -> Vec<String> {
        let part = parts.of(member).unwrap();
        naming.exposed(part, member, tools.iter().copied()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_that_need_no_change_are_member_and_tool() {
        let naming = Naming::default();
        let parts = parts(&naming, &["mail", "my.files", "9 lives"]);
        assert_eq!(exposed(&naming, &parts, "mail", &["send", "list-all"]), ["mail__send", "mail__list-all"]);
        assert_eq!(exposed(&naming, &parts, "my.files", &["dir/read"]), ["my_files__dir_read"]);
        assert_eq!(exposed(&naming, &parts, "9 lives", &["x"]), ["_9_lives__x"]);
    }

    #[test]
    fn of_names_that_would_be_the_same_the_one_without_change_stays() {
        let naming = Naming::default();
        let both = parts(&naming, &["my.files", "my_files"]);
        assert_eq!(both.of("my_files").unwrap().as_ref(), "my_files");
        assert_ne!(both.of("my.files").unwrap().as_ref(), "my_files");
        let names = exposed(&naming, &both, "my_files", &["a.b", "a_b", "a/b"]);
        assert_eq!(names[1], "my_files__a_b");
        assert!(names[0] != names[2] && names[0].starts_with("my_files__a_b_"), "{names:?}");
    }

    #[test]
    fn a_member_with_the_separator_in_its_name_takes_no_call_of_another() {
        let naming = Naming::default();
        let parts = parts(&naming, &["a", "a__b", "a_"]);
        let (one, two) = (exposed(&naming, &parts, "a", &["b__c", "_c"]), exposed(&naming, &parts, "a__b", &["c"]));
        let three = exposed(&naming, &parts, "a_", &["c"]);
        let all: HashSet<&String> = one.iter().chain(&two).chain(&three).collect();
        assert_eq!(all.len(), 4, "{all:?}");
        for (name, member) in one.iter().map(|n| (n, "a")).chain([(&two[0], "a__b"), (&three[0], "a_")]) {
            assert_eq!(parts.whose(naming.split(name).unwrap().0).unwrap().as_ref(), member);
        }
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[ab_.]{0,4}",
            1 => "[a-z_.\\-/ ]{20,90}",
            1 => "\\PC{0,12}",
        ]
    }

    fn names(most: usize) -> impl Strategy<Value = Vec<String>> {
        prop::collection::hash_set(name(), 1..most).prop_map(|names| names.into_iter().collect())
    }

    proptest! {
        #[test]
        fn names_are_fit_unique_reversible_and_the_same_in_any_order(
            members in names(8), tools in names(12), separator in prop_oneof![Just("__"), Just("_"), Just("-"), Just("aa"), Just("s")]
        ) {
            let naming = Naming::default().with_separator(separator).unwrap();
            let forward = Parts::new(naming.clone(), members.iter().map(|m| Arc::from(m.as_str())));
            let mut by_one = Parts::new(naming.clone(), std::iter::empty());
            for member in members.iter().rev() {
                by_one.add(&Arc::from(member.as_str()));
            }
            let mut seen = HashSet::new();
            for member in &members {
                let part = forward.of(member).unwrap();
                prop_assert_eq!(Some(part), by_one.of(member));
                let there = naming.exposed(part, member, tools.iter().map(String::as_str));
                let mut back = naming.exposed(part, member, tools.iter().rev().map(String::as_str));
                back.reverse();
                prop_assert_eq!(&there, &back);
                for name in there {
                    prop_assert!(name.len() <= 64 && name.chars().all(is_fit), "{}", name);
                    prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'), "{}", name);
                    let (part, _) = naming.split(&name).unwrap();
                    prop_assert_eq!(forward.whose(part).map(|m| m.as_ref()), Some(member.as_str()));
                    prop_assert!(seen.insert(name));
                }
            }
        }

        #[test]
        fn accepted_names_are_fit_and_unique_and_the_same_in_any_order(names in names(12), max in 56_usize..=128) {
            let naming = Naming::default().with_max_len(max);
            let there = naming.accepted(names.iter().map(String::as_str));
            let mut back = naming.accepted(names.iter().rev().map(String::as_str));
            back.reverse();
            prop_assert_eq!(&there, &back);
            prop_assert_eq!(there.iter().collect::<HashSet<_>>().len(), names.len());
            for (name, accepted) in names.iter().zip(&there) {
                prop_assert!(accepted.len() <= max && accepted.chars().all(is_fit), "{}", accepted);
                prop_assert!(accepted.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'), "{}", accepted);
                let is_fine = fit(name) == *name && name.len() <= max;
                prop_assert!(!is_fine || **accepted == **name, "{} became {}", name, accepted);
            }
        }

        #[test]
        fn adding_and_removing_comes_to_the_same_as_beginning_anew(members in names(8), gone in 0_usize..8) {
            let naming = Naming::default();
            let mut parts = Parts::new(naming.clone(), members.iter().map(|m| Arc::from(m.as_str())));
            let gone = &members[gone % members.len()];
            parts.remove(gone);
            let rest = members.iter().filter(|m| *m != gone);
            let anew = Parts::new(naming, rest.clone().map(|m| Arc::from(m.as_str())));
            for member in rest {
                prop_assert_eq!(parts.of(member), anew.of(member));
            }
        }
    }
}
