//! Which tool it is that a provider refuses a request for.

use std::sync::Arc;

use crate::{Message, Model, ModelErrorKind, Request, ToolSpec};

/// How many requests may be sent to find it. Of 10,000 tools one is found with fourteen.
const MOST_PROBES: usize = 24;

/// Asks a model for nothing, with some tools or without, to find the one that its provider refuses.
pub(super) struct Prober<'m> {
    model: &'m Arc<dyn Model>,
    tokens: u64,
}

impl<'m> Prober<'m> {
    pub(super) const fn new(model: &'m Arc<dyn Model>) -> Self {
        Self { model, tokens: 0 }
    }

    /// How many tokens the requests had that were taken, estimated.
    pub(super) const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Whether it is this tool's fault: refused with it alone, and taken without any.
    pub(super) async fn is_guilty(&mut self, tool: &Arc<ToolSpec>) -> bool {
        let without = self.is_refused(&[]).await;
        without == Some(false) && self.is_refused(std::slice::from_ref(tool)).await == Some(true)
    }

    /// Finds a tool without which a refused request may be taken, by halves: with requests that ask for nothing, of a
    /// few tokens each. None where it is not a tool's fault, or cannot be found.
    pub(super) async fn find(&mut self, tools: &[Arc<ToolSpec>]) -> Option<String> {
        // A key that is wrong, or a request that is, is refused without tools as well.
        if tools.is_empty() || self.is_refused(&[]).await? || !self.is_refused(tools).await? {
            return None;
        }
        let mut suspects = tools;
        for _ in 0..MOST_PROBES {
            let [one] = suspects else {
                let (first, second) = suspects.split_at_checked(suspects.len() / 2)?;
                suspects = if self.is_refused(first).await? { first } else { second };
                continue;
            };
            // Halves that are taken alone and refused together lead to one that is taken: it is not that one's fault.
            // And where another one is refused alone too, it may be that the model takes no tools at all.
            let is_refused_alone = self.is_refused(suspects).await?;
            let others: Vec<_> = tools.iter().filter(|other| other.name != one.name).cloned().collect();
            let is_alone_at_fault = match others.last() {
                None => true,
                Some(last) => !self.is_refused(&others).await? || !self.is_refused(std::slice::from_ref(last)).await?,
            };
            return (is_refused_alone && is_alone_at_fault).then(|| one.name.clone());
        }
        None
    }

    /// Whether a request with these tools is refused; none where that is not to be found out.
    async fn is_refused(&mut self, tools: &[Arc<ToolSpec>]) -> Option<bool> {
        let request = Request::new(vec![Message::user("Say ok.")]).with_tools(tools.to_vec()).with_max_tokens(16);
        let answer = match self.model.stream(&request).await {
            // The first event says that it was taken; the rest is not waited for.
            Ok(mut events) => events.next().await?.err(),
            Err(error) => Some(error),
        };
        match answer.map(|error| error.kind()) {
            None => {
                self.tokens = self.tokens.saturating_add(request.estimated_tokens());
                Some(false)
            }
            Some(ModelErrorKind::Refused) => Some(true),
            Some(_) => None,
        }
    }
}
