//! Which tools a run shows to its model.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use super::Inner;
use super::builtin::Builtins;
use super::conversation::Conversation;
use crate::selection::{Catalog, SelectionMode};
use crate::tools::ListedTool;
use crate::{ResultPolicy, ToolSpec};

/// What is known of one list of tools.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) catalog: Catalog,
    pub(super) builtins: Builtins,
    /// How results are made fit, with the name of the tool that reads what is kept.
    pub(super) results: ResultPolicy,
    /// The same tools for a provider that searches them itself. Made once, as providers' formats are kept by address.
    deferred: OnceLock<Vec<Arc<ToolSpec>>>,
}

impl Known {
    pub(super) async fn of(tools: Vec<ListedTool>, agent: &Inner) -> (Self, Option<String>) {
        let (catalog, fault) = Catalog::of(tools, agent.embedder.as_ref()).await;
        let builtins = Builtins::of(&catalog, agent.selection.found);
        let mut results = agent.results.clone();
        results.artifact_tool.clone_from(&builtins.read.name);
        (Self { catalog, builtins, results, deferred: OnceLock::new() }, fault)
    }

    fn deferred(&self) -> &[Arc<ToolSpec>] {
        self.deferred.get_or_init(|| {
            let specs = self.catalog.specs().iter();
            specs.map(|spec| Arc::new(ToolSpec::clone(spec).with_deferred(true))).collect()
        })
    }
}

/// How many tools there are to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    Deferred,
    Search,
}

/// The tools to be shown, those that the conversation knows first; and what is wrong with the embedder.
pub(super) async fn offer(
    agent: &Inner,
    known: &Known,
    conversation: &mut Conversation,
) -> (Vec<Arc<ToolSpec>>, Option<String>) {
    let catalog = &known.catalog;
    if catalog.len() == 0 {
        return (Vec::new(), None);
    }
    let mut fault = None;
    let mut specs = Vec::new();
    match way(agent, catalog) {
        Way::Whole => {
            specs.push(Arc::clone(&known.builtins.read));
            specs.extend(catalog.specs().iter().cloned());
        }
        Way::Deferred => {
            specs.push(Arc::clone(&known.builtins.read));
            specs.extend(known.deferred().iter().cloned());
        }
        Way::Search => {
            specs.extend([&known.builtins.search, &known.builtins.call, &known.builtins.read].map(Arc::clone));
            fault = choose(agent, catalog, conversation).await;
            specs.extend(
                conversation.shown.iter().filter_map(|name| catalog.spec(name)).map(|(spec, _)| Arc::clone(spec)),
            );
        }
    }
    if !conversation.refused.is_empty() {
        specs.retain(|spec| !conversation.refused.contains(&spec.name));
    }
    (specs, fault)
}

fn way(agent: &Inner, catalog: &Catalog) -> Way {
    let features = agent.model.features();
    match agent.selection.mode {
        SelectionMode::All => Way::Whole,
        SelectionMode::Search => Way::Search,
        SelectionMode::Auto if agent.selection.is_short(catalog.len(), catalog.tokens(), features.max_tools) => {
            Way::Whole
        }
        SelectionMode::Auto if features.deferred_tools => Way::Deferred,
        SelectionMode::Auto => Way::Search,
    }
}

/// Puts the tools that fit the question behind those that the model was shown before, as far as there is room for both:
/// what is asked now comes first, what was shown last stays longest, and what stays keeps its order.
async fn choose(agent: &Inner, catalog: &Catalog, conversation: &mut Conversation) -> Option<String> {
    let (most, tokens) = (agent.selection.most, agent.selection.tokens);
    let (ranked, fault) = catalog.search(&conversation.question(), None, agent.embedder.as_ref()).await;
    let none = HashSet::new();
    let fits: Vec<(&str, u64)> = catalog
        .within(&ranked, &none, most, tokens)
        .into_iter()
        .filter_map(|at| catalog.spec(&catalog.at(at)?.name))
        .map(|(spec, cost)| (spec.name.as_str(), cost))
        .collect();
    let mut left = tokens.saturating_sub(fits.iter().map(|(_, cost)| cost).sum());
    let mut room = most.saturating_sub(fits.len());
    let wanted: HashSet<&str> = fits.iter().map(|(name, _)| *name).collect();
    let mut stays: HashSet<String> = HashSet::new();
    for name in conversation.shown.iter().rev() {
        match catalog.spec(name) {
            Some(_) if wanted.contains(name.as_str()) => {
                stays.insert(name.clone());
            }
            Some((_, cost)) if room > 0 && cost <= left => {
                (room, left) = (room - 1, left - cost);
                stays.insert(name.clone());
            }
            _ => {}
        }
    }
    conversation.shown.retain(|name| stays.contains(name));
    conversation
        .shown
        .extend(fits.iter().filter(|(name, _)| !stays.contains(*name)).map(|(name, _)| (*name).to_owned()));
    fault
}
