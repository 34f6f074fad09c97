//! The index: tools in, hits out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use bowline_protocol::Tool;

use super::hit::{SearchField, SearchHit};
use super::query::SearchQuery;
use super::record::{SearchRecord, ToolTexts};
use super::terms::{Doc, Posting, TermId, Terms, cut};
use super::tokens::{Word, says_nothing, words};

/// How many words of a part of a tool count.
const MAX_WORDS: usize = 512;
/// How many words of its tools a server has in the index at most, those of each tool counted anew.
const MAX_SERVER_WORDS: usize = 500_000;
/// How many words of a question count.
const MAX_QUERY_WORDS: usize = 32;
/// For how many words of a question that no tool has near ones are looked for.
const MAX_NEAR_WORDS: usize = 4;
/// How much of a server's name is searched, in bytes.
const MAX_SERVER: usize = 256;
/// How long a summary is, in bytes.
const SUMMARY: usize = 300;
/// How soon another occurrence of a word counts little more (the k1 of BM25).
const SATURATION: f32 = 1.2;
/// How much the length of a text takes from each of its words (the b of BM25).
const LENGTH: f32 = 0.6;
/// What a word counts that only begins as was asked, and one that is nearly what was asked.
const COMPLETION: f32 = 0.7;
const NEAR: f32 = 0.6;
/// What a word counts that stands for the one that was asked.
const OTHER: f32 = 0.5;
/// How much more a tool counts whose name is just what was asked.
const WHOLE_NAME: f32 = 1.4;

/// An index over names, titles, descriptions and parameters of the tools of many servers.
///
/// Hits are ranked by BM25 over weighted fields. The index holds no more of a tool than the beginning of its
/// description and the words that it has; it is changed in place, at a cost that depends on the tools of the server
/// that changes alone. All of it is bounded, whatever servers say: 500,000 words of the tools of each, of which every
/// tool has its share; beyond that what is said of parameters is left out first, then descriptions, names last. The order
/// of hits depends only on what is in it.
///
/// ```
/// use bowline_hub::{SearchIndex, SearchQuery};
/// use bowline_protocol::{RawJson, Tool};
///
/// let tool = |name: &str, about: &str| Tool::new(name, RawJson::EMPTY_OBJECT).with_description(about);
/// let mut index = SearchIndex::new();
/// index.replace("github", &[tool("create_issue", "Opens an issue in a repository")]);
/// index.replace("disk", &[tool("read_file", "Reads a file"), tool("write_file", "Writes a file")]);
///
/// let hits = index.search(&SearchQuery::new("open issues"));
/// assert_eq!((&*hits[0].server, &*hits[0].tool), ("github", "create_issue"));
/// assert_eq!(index.search(&SearchQuery::glob("*file")).len(), 2);
/// ```
#[derive(Default)]
pub struct SearchIndex {
    servers: BTreeMap<Arc<str>, Server>,
    /// By number; none where the tool has gone.
    docs: Vec<Option<Entry>>,
    live: usize,
    terms: Terms,
}

#[derive(Default)]
struct Server {
    docs: Vec<Doc>,
    groups: BTreeSet<String>,
}

struct Entry {
    server: Arc<str>,
    tool: Arc<str>,
    title: Option<Arc<str>>,
    summary: Option<Arc<str>>,
    hints: u8,
    /// How many words the name has.
    name_words: u16,
    terms: Box<[TermId]>,
}

impl SearchIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in the tools of a server, in place of those that it had; gives what went in, which may be kept.
    pub fn replace(&mut self, server: &str, tools: &[Tool]) -> SearchRecord {
        let record = SearchRecord::new(server, tools);
        self.insert(&record);
        record
    }

    /// Puts in the tools of a record, in place of those that its server had.
    pub fn insert(&mut self, record: &SearchRecord) {
        let groups = self.take(record.server()).unwrap_or_default();
        let server: Arc<str> = record.server().into();
        let mut left = MAX_SERVER_WORDS;
        let shares = (1..=record.tools.len()).rev();
        let tools = record.tools.iter().zip(shares).map(|(tool, tools)| {
            let doc = self.add(&server, tool, left / tools);
            left -= self.docs.get(doc as usize).and_then(Option::as_ref).map_or(0, |entry| entry.terms.len());
            doc
        });
        let docs = tools.collect();
        self.servers.insert(server, Server { docs, groups });
        self.tidy();
    }

    /// Takes out the tools of a server, and its groups; tells whether it was there.
    pub fn remove(&mut self, server: &str) -> bool {
        let was = self.take(server).is_some();
        self.tidy();
        was
    }

    /// Says which groups a server is in; they stay when its tools are replaced.
    pub fn set_groups(&mut self, server: &str, groups: impl IntoIterator<Item = impl Into<String>>) {
        let groups = groups.into_iter().map(Into::into).collect();
        self.servers.entry(server.into()).or_default().groups = groups;
    }

    /// How many tools are in it.
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Tells whether no tool is in it.
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Finds tools, the best first; of those that are as good, by server and name.
    pub fn search(&self, query: &SearchQuery) -> Vec<SearchHit> {
        match &query.text {
            Some(text) => self.by_words(text, query),
            None => self.by_name(query),
        }
    }

    /// Adds a tool with at most so many words.
    fn add(&mut self, server: &Arc<str>, tool: &ToolTexts, most: usize) -> Doc {
        let doc = self.docs.len() as Doc;
        let mut found: HashMap<String, (f32, u8)> = HashMap::new();
        let mut note = |field: SearchField, text: &str| {
            let words = words(text, MAX_WORDS);
            let usual = field.usual_words();
            let length = 1.0 - LENGTH + LENGTH * (words.len() as f32 / usual);
            let weight = field.weight() / length.max(0.5);
            for word in words {
                if found.len() >= most && !found.contains_key(&word.text) {
                    continue;
                }
                let (sum, fields) = found.entry(word.text).or_default();
                *sum += weight;
                *fields |= field.bit();
            }
        };
        // What comes last is left out first.
        note(SearchField::Name, &tool.name);
        note(SearchField::Server, cut(server, MAX_SERVER));
        note(SearchField::Title, tool.title.as_deref().unwrap_or_default());
        let (names, said): (Vec<&str>, Vec<&str>) =
            tool.parameters.iter().map(|(name, said)| (name.as_str(), said.as_str())).unzip();
        note(SearchField::Parameter, &names.join(" "));
        note(SearchField::Description, &tool.description);
        note(SearchField::ParameterDescription, &said.join(" "));
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let terms = found
            .into_iter()
            .map(|(word, (weight, fields))| self.terms.add(&word, Posting { doc, weight, fields }))
            .collect();
        let summary = Some(cut(&tool.description, SUMMARY)).filter(|summary| !summary.is_empty());
        self.docs.push(Some(Entry {
            server: Arc::clone(server),
            tool: tool.name.as_str().into(),
            title: tool.title.as_deref().map(Into::into),
            summary: summary.map(Into::into),
            hints: tool.hints,
            name_words: words(&tool.name, MAX_WORDS).iter().filter(|word| !word.is_whole).count() as u16,
            terms,
        }));
        self.live += 1;
        doc
    }

    /// Takes the tools of a server out; gives its groups.
    fn take(&mut self, server: &str) -> Option<BTreeSet<String>> {
        let Server { docs, groups } = self.servers.remove(server)?;
        let gone: Vec<Entry> = docs.iter().filter_map(|doc| self.docs.get_mut(*doc as usize)?.take()).collect();
        self.live -= gone.len();
        let docs = &self.docs;
        for term in gone.iter().flat_map(|entry| &entry.terms) {
            self.terms.remove(*term, |doc| docs.get(doc as usize).is_some_and(Option::is_some));
        }
        Some(groups)
    }

    /// Numbers the tools anew once most numbers are of tools that have gone: that costs as much as all of them did.
    fn tidy(&mut self) {
        if self.docs.len() <= 2 * self.live + 1024 {
            return;
        }
        let mut next = 0;
        let new: Vec<Option<Doc>> = self
            .docs
            .iter()
            .map(|entry| {
                entry.as_ref().map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        self.terms.renumber(&new);
        self.docs.retain(Option::is_some);
        for doc in self.servers.values_mut().flat_map(|server| &mut server.docs) {
            if let Some(new) = new.get(*doc as usize).copied().flatten() {
                *doc = new;
            }
        }
    }

    fn by_name(&self, query: &SearchQuery) -> Vec<SearchHit> {
        let Some(filter) = Filter::of(self, query) else { return Vec::new() };
        let mut found = Vec::new();
        for server in self.servers.values() {
            let entries = server.docs.iter().filter_map(|doc| self.docs.get(*doc as usize)?.as_ref());
            let mut entries: Vec<&Entry> = entries.filter(|entry| filter.lets(entry)).collect();
            entries.sort_unstable_by_key(|entry| &entry.tool);
            found.extend(entries.into_iter().take(query.limit - found.len()).map(|entry| entry.hit(1.0, 0)));
            if found.len() == query.limit {
                break;
            }
        }
        found
    }

    fn by_words(&self, text: &str, query: &SearchQuery) -> Vec<SearchHit> {
        let Some(filter) = Filter::of(self, query) else { return Vec::new() };
        let asked = self.asked(text);
        let count = asked.iter().filter(|word| !word.is_whole).count();
        let mut scores = Scores::new(self.docs.len());
        let last = asked.len().saturating_sub(1);
        let mut unknown = MAX_NEAR_WORDS;
        for (n, word) in asked.iter().enumerate() {
            let others = query.others.get(&word.text).map_or(&[][..], Vec::as_slice);
            self.score(&word.text, n == last, others, &mut unknown, &mut scores);
        }
        let mut found: Vec<(f32, u8, &Entry)> = scores
            .found()
            .filter_map(|(doc, sums)| {
                let entry = self.docs.get(doc as usize)?.as_ref()?;
                filter.lets(entry).then(|| (sums.rank(entry, count), sums.fields, entry))
            })
            .collect();
        let order = |(score, _, one): &(f32, u8, &Entry), (other_score, _, other): &(f32, u8, &Entry)| {
            let by_name = || one.server.cmp(&other.server).then_with(|| one.tool.cmp(&other.tool));
            other_score.total_cmp(score).then_with(by_name)
        };
        if found.len() > query.limit && query.limit > 0 {
            found.select_nth_unstable_by(query.limit - 1, order);
        }
        found.truncate(query.limit);
        found.sort_unstable_by(order);
        found.into_iter().map(|(score, fields, entry)| entry.hit(score, fields)).collect()
    }

    /// The words of a question, each once, without those that say nothing unless there are no others; words written
    /// together are also asked for as a whole where a tool has them so.
    fn asked(&self, text: &str) -> Vec<Word> {
        let mut asked: Vec<Word> = Vec::new();
        for word in words(text, MAX_WORDS) {
            let known = !word.is_whole || self.terms.exact(&word.text).is_some();
            if known && asked.iter().all(|other| other.text != word.text) {
                asked.push(word);
            }
        }
        if asked.iter().any(|word| !says_nothing(&word.text)) {
            asked.retain(|word| !says_nothing(&word.text));
        }
        asked.truncate(MAX_QUERY_WORDS);
        asked
    }

    /// Adds what a word of the question counts in each tool.
    fn score(&self, word: &str, is_last: bool, others: &[String], unknown: &mut usize, scores: &mut Scores) {
        let exact = self.terms.exact(word);
        let mut any = exact.is_some();
        let mut terms: Vec<(TermId, f32)> = exact.map(|id| (id, self.rarity(id))).into_iter().collect();
        // Another word counts no more for being rarer than the one that was asked for.
        let most = exact.map_or(f32::MAX, |id| self.rarity(id));
        for id in others.iter().filter_map(|other| self.terms.exact(other)) {
            any = true;
            terms.push((id, self.rarity(id).min(most) * OTHER));
        }
        if is_last && word.len() > 1 {
            let longer = self.terms.completions(word);
            any |= !longer.is_empty();
            terms.extend(longer.into_iter().map(|id| (id, self.rarity(id).min(most) * COMPLETION)));
        }
        if !any && *unknown > 0 {
            *unknown -= 1;
            let near = self.terms.near(word);
            terms.extend(near.into_iter().map(|(id, distance)| (id, self.rarity(id) * NEAR / distance.max(1) as f32)));
        }
        for (id, factor) in terms {
            for posting in self.terms.postings(id) {
                let saturated = posting.weight * (SATURATION + 1.0) / (posting.weight + SATURATION);
                scores.note(posting, factor * saturated);
            }
        }
        scores.next_word();
    }

    /// How much a word tells tools apart (the IDF of BM25).
    fn rarity(&self, id: TermId) -> f32 {
        let (all, with) = (self.live as f32, self.terms.count(id) as f32);
        (1.0 + (all - with + 0.5).max(0.0) / (with + 0.5)).ln()
    }
}

impl fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchIndex").field("servers", &self.servers.len()).field("tools", &self.live).finish()
    }
}

impl Entry {
    fn hit(&self, score: f32, fields: u8) -> SearchHit {
        SearchHit {
            server: Arc::clone(&self.server),
            tool: Arc::clone(&self.tool),
            title: self.title.clone(),
            summary: self.summary.clone(),
            score,
            fields,
        }
    }
}

/// What the tools have to be besides what the words say.
struct Filter<'a> {
    query: &'a SearchQuery,
    /// None where all servers do.
    servers: Option<BTreeSet<&'a str>>,
}

impl<'a> Filter<'a> {
    /// None where no server fits.
    fn of(index: &'a SearchIndex, query: &'a SearchQuery) -> Option<Self> {
        if query.servers.is_empty() && query.groups.is_empty() {
            return Some(Self { query, servers: None });
        }
        let fits = |name: &str, server: &Server| {
            (query.servers.is_empty() || query.servers.contains(name))
                && (query.groups.is_empty() || !query.groups.is_disjoint(&server.groups))
        };
        let servers = index.servers.iter().filter(|(name, server)| fits(name, server));
        let servers: BTreeSet<&str> = servers.map(|(name, _)| &**name).collect();
        (!servers.is_empty()).then_some(Self { query, servers: Some(servers) })
    }

    fn lets(&self, entry: &Entry) -> bool {
        let hints = entry.hints & self.query.hints == self.query.hints;
        let server = self.servers.as_ref().is_none_or(|servers| servers.contains(&*entry.server));
        hints && server && self.query.glob.as_ref().is_none_or(|glob| glob.fits_tool(&entry.server, &entry.tool))
    }
}

/// What the words of a question count so far, for each tool.
struct Scores {
    sums: Vec<Sums>,
    /// The tools that have any of the words.
    touched: Vec<Doc>,
    /// The tools that have the word that is looked at.
    of_word: Vec<Doc>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    score: f32,
    /// What the word that is looked at counts.
    word: f32,
    words: u8,
    /// How many words the name has.
    in_name: u8,
    fields: u8,
    word_in_name: bool,
}

impl Scores {
    fn new(docs: usize) -> Self {
        Self { sums: vec![Sums::default(); docs], touched: Vec::new(), of_word: Vec::new() }
    }

    /// A tool has the word, or one that stands for it; what counts most of those counts.
    fn note(&mut self, posting: &Posting, counts: f32) {
        let Some(sums) = self.sums.get_mut(posting.doc as usize) else { return };
        if sums.word == 0.0 {
            self.of_word.push(posting.doc);
        }
        sums.word = sums.word.max(counts);
        sums.fields |= posting.fields;
        sums.word_in_name |= posting.fields & SearchField::Name.bit() != 0;
    }

    fn next_word(&mut self) {
        for doc in self.of_word.drain(..) {
            let Some(sums) = self.sums.get_mut(doc as usize) else { continue };
            if sums.words == 0 {
                self.touched.push(doc);
            }
            sums.score += std::mem::take(&mut sums.word);
            sums.words += 1;
            sums.in_name += u8::from(std::mem::take(&mut sums.word_in_name));
        }
    }

    fn found(&self) -> impl Iterator<Item = (Doc, Sums)> {
        self.touched.iter().filter_map(|doc| Some((*doc, *self.sums.get(*doc as usize)?)))
    }
}

impl Sums {
    /// Tools that have more of the words count more, and most where the name is just them.
    fn rank(&self, entry: &Entry, asked: usize) -> f32 {
        let share = (f32::from(self.words) / asked.max(1) as f32).min(1.0);
        let whole = usize::from(self.in_name) >= asked && usize::from(entry.name_words) == asked;
        self.score * (0.4 + 0.6 * share) * if whole { WHOLE_NAME } else { 1.0 }
    }
}

#[cfg(test)]
mod tests;
