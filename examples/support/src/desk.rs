//! What the assistant may do: categories, a limit, and the hand-over to a person.

use std::sync::Arc;

use bowline::hub::Hub;
use bowline::llm::{Agent, Approval, Asked, Bounds, HubTools};

use crate::model::SharedModel;

/// What a refund may be without a person's word, in euros.
pub(crate) const LIMIT: f64 = 50.0;

const RULES: &str = "You answer customers of a tea shop, shortly and kindly. Look an order up before you speak of it. \
    What you may not do yourself you hand over with tickets__hand_over, and say so.";

/// What a question is about, which decides the tools: a model chooses better among few, and each costs tokens.
#[derive(Debug, PartialEq, Eq)]
enum Category {
    Orders,
    Products,
}

impl Category {
    fn of(question: &str) -> Self {
        let question = question.to_lowercase();
        let is_about_orders = ["order", "refund", "parcel", "money back"].iter().any(|word| question.contains(word));
        if is_about_orders { Self::Orders } else { Self::Products }
    }

    const fn group(&self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Products => "knowledge",
        }
    }
}

/// Where customers are answered.
pub(crate) struct Desk {
    hub: Hub,
    model: SharedModel,
}

impl Desk {
    pub(crate) fn new(hub: Hub, model: SharedModel) -> Self {
        Self { hub, model }
    }

    /// An assistant for one question. Handing over is always among its tools.
    pub(crate) fn agent(&self, question: &str) -> Agent {
        let tools = HubTools::new(self.hub.clone()).group(Category::of(question).group()).group("always");
        Agent::builder(Arc::clone(&self.model), tools)
            .system(RULES)
            .approve(|asked: Asked| async move { judge(&asked) })
            .bounds(Bounds::default().with_rounds(8))
            .build()
    }
}

/// The house's rule, which no wording of a customer or of a model changes.
fn judge(asked: &Asked) -> Approval {
    if asked.tool.name.as_ref() != "orders__refund" {
        return Approval::Yes;
    }
    let euros = asked.arguments.to_value().get("euros").and_then(serde_json::Value::as_f64);
    match euros {
        Some(euros) if euros <= LIMIT => Approval::Yes,
        _ => Approval::No(format!("refunds above {LIMIT} euros are for a person: hand this over")),
    }
}

#[cfg(test)]
mod tests {
    use super::Category;

    #[test]
    fn a_question_belongs_to_one_category() {
        assert_eq!(Category::of("Where is my PARCEL?"), Category::Orders);
        assert_eq!(Category::of("Is green tea healthy?"), Category::Products);
    }
}
