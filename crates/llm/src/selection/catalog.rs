//! All tools of an agent: by name, and searched.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bowline_hub::{SearchIndex, SearchQuery, nearest};
use bowline_protocol::Tool;

use super::embed::{Embedder, Vectors, embed_one, fuse, text_of};
use super::words::others;
use crate::ToolSpec;
use crate::tools::ListedTool;

/// How many hits of the search by words are looked at.
const HITS: usize = 64;
/// Up to how many names of servers are told.
const MOST_NAMES: usize = 120;

/// The tools of one list. It does not change; another list makes another.
#[derive(Debug)]
pub(crate) struct Catalog {
    tools: Vec<ListedTool>,
    specs: Vec<Arc<ToolSpec>>,
    tokens: Vec<u64>,
    by_name: HashMap<Arc<str>, usize>,
    /// By server, and the server's own name.
    by_own_name: HashMap<(Arc<str>, Arc<str>), usize>,
    index: SearchIndex,
    vectors: Option<Vectors>,
}

impl Catalog {
    /// What there is, and what is wrong with the embedder, if anything.
    pub(crate) async fn of(tools: Vec<ListedTool>, embedder: Option<&Arc<dyn Embedder>>) -> (Self, Option<String>) {
        let mut servers: BTreeMap<Arc<str>, Vec<Tool>> = BTreeMap::new();
        let mut this = Self {
            specs: tools.iter().map(|tool| Arc::new(ToolSpec::of(tool.name.as_ref(), &tool.tool))).collect(),
            tokens: Vec::with_capacity(tools.len()),
            by_name: HashMap::with_capacity(tools.len()),
            by_own_name: HashMap::with_capacity(tools.len()),
            index: SearchIndex::new(),
            vectors: None,
            tools,
        };
        this.tokens.extend(this.specs.iter().map(|spec| spec.estimated_tokens()));
        for (at, tool) in this.tools.iter().enumerate() {
            this.by_name.entry(Arc::clone(&tool.name)).or_insert(at);
            let own = (Arc::clone(&tool.server), Arc::from(tool.tool.name.as_str()));
            this.by_own_name.entry(own).or_insert(at);
            servers.entry(Arc::clone(&tool.server)).or_default().push(Tool::clone(&tool.tool));
        }
        for (server, tools) in &servers {
            this.index.replace(server, tools);
        }
        let Some(embedder) = embedder else { return (this, None) };
        let texts = this.specs.iter().map(|spec| text_of(&spec.name, &spec.description)).collect();
        match Vectors::of(embedder, texts).await {
            Ok(vectors) => {
                this.vectors = Some(vectors);
                (this, None)
            }
            Err(error) => (this, Some(error)),
        }
    }

    /// Whether it is of this list.
    pub(crate) fn is_of(&self, tools: &[ListedTool]) -> bool {
        self.tools.len() == tools.len()
            && self.tools.iter().zip(tools).all(|(one, other)| {
                Arc::ptr_eq(&one.tool, &other.tool) && one.name == other.name && one.server == other.server
            })
    }

    pub(crate) fn len(&self) -> usize {
        self.tools.len()
    }

    /// How many tokens the whole list takes.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens.iter().sum()
    }

    pub(crate) fn specs(&self) -> &[Arc<ToolSpec>] {
        &self.specs
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| &*tool.name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&ListedTool> {
        self.by_name.get(name).and_then(|at| self.tools.get(*at))
    }

    pub(crate) fn spec(&self, name: &str) -> Option<(&Arc<ToolSpec>, u64)> {
        let at = *self.by_name.get(name)?;
        Some((self.specs.get(at)?, *self.tokens.get(at)?))
    }

    /// The name that a wrong one most likely stands for.
    pub(crate) fn near(&self, name: &str) -> Option<&str> {
        nearest(name, self.names()).or_else(|| {
            // A model that leaves the server out means the tool all the same.
            let own = self.tools.iter().find(|tool| tool.tool.name == name)?;
            Some(&*own.name)
        })
    }

    /// The servers, and how many tools each has.
    pub(crate) fn servers(&self) -> Vec<(&str, usize)> {
        let mut servers: BTreeMap<&str, usize> = BTreeMap::new();
        for tool in &self.tools {
            *servers.entry(&tool.server).or_default() += 1;
        }
        servers.into_iter().collect()
    }

    /// The servers in a line that a model can read.
    pub(crate) fn told_servers(&self) -> String {
        let servers = self.servers();
        let named = servers.iter().map(|(name, _)| *name).filter(|name| !name.is_empty());
        let mut told = named.take(MOST_NAMES).collect::<Vec<_>>().join(", ");
        if servers.len() > MOST_NAMES {
            told.push_str(&format!(" and {} more", servers.len() - MOST_NAMES));
        }
        told
    }

    /// Tools that fit a question, the best first, and why the embedder did not help, where it did not.
    pub(crate) async fn search(
        &self,
        question: &str,
        server: Option<&str>,
        embedder: Option<&Arc<dyn Embedder>>,
    ) -> (Vec<usize>, Option<String>) {
        let query = SearchQuery::new(question).limit(HITS);
        let mut query = others(question).iter().fold(query, |query, (word, others)| query.or(word, others));
        if let Some(server) = server {
            query = query.server(server);
        }
        let hits = self.index.search(&query);
        let hits = hits.into_iter().filter_map(|hit| self.by_own_name.get(&(hit.server, hit.tool)).copied());
        let by_words: Vec<usize> = hits.collect();
        let (Some(embedder), Some(vectors)) = (embedder, &self.vectors) else { return (by_words, None) };
        match embed_one(embedder, question).await {
            Ok(vector) => {
                let near = vectors.nearest(&vector, HITS);
                let is_meant = |at: &usize| {
                    server.is_none_or(|server| self.tools.get(*at).is_some_and(|tool| &*tool.server == server))
                };
                (fuse(&by_words, &near.into_iter().filter(is_meant).collect::<Vec<_>>()), None)
            }
            Err(error) => (by_words, Some(error)),
        }
    }

    /// All tools of a server, in their order.
    pub(crate) fn of_server(&self, server: &str) -> Vec<usize> {
        (0..self.tools.len()).filter(|at| self.tools.get(*at).is_some_and(|tool| &*tool.server == server)).collect()
    }

    pub(crate) fn at(&self, at: usize) -> Option<&Arc<ToolSpec>> {
        self.specs.get(at)
    }

    /// As many of these as may be shown, in their order, without those that are shown already.
    pub(crate) fn within(&self, ranked: &[usize], shown: &HashSet<&str>, most: usize, tokens: u64) -> Vec<usize> {
        let mut left = tokens;
        let mut taken = Vec::new();
        for at in ranked {
            let (Some(spec), Some(cost)) = (self.specs.get(*at), self.tokens.get(*at)) else { continue };
            if taken.len() >= most {
                break;
            }
            // One that is too large alone keeps out none that come after it.
            if *cost <= left && !shown.contains(spec.name.as_str()) {
                left -= cost;
                taken.push(*at);
            }
        }
        taken
    }
}
