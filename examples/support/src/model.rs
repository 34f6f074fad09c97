//! Which model answers: one of a provider where the environment names it, else a script.

use std::sync::Arc;

use anyhow::Result;
use bowline::llm::{HttpModel, Model, ScriptedModel, Turn};

/// One model for all customers.
pub(crate) type SharedModel = Arc<dyn Model>;

/// `MODEL` is `FORMAT/NAME`, `MODEL_KEY` its key, `MODEL_URL` an address other than the provider's own.
pub(crate) fn of_environment() -> Result<SharedModel> {
    Ok(match HttpModel::from_env("MODEL")? {
        Some(builder) => Arc::new(builder.build()?),
        None => Arc::new(script()),
    })
}

/// What a model would say to the three customers.
fn script() -> ScriptedModel {
    ScriptedModel::new([
        Turn::call("knowledge__search", r#"{"query": "tea stains"}"#),
        Turn::say("Soak the pot with soda for an hour and rinse it well."),
        Turn::call("orders__lookup", r#"{"order": "1001"}"#),
        Turn::call("orders__refund", r#"{"order": "1001", "euros": 24}"#),
        Turn::say("I am sorry for the cup. The 24 euros are on their way to you."),
        Turn::call("orders__lookup", r#"{"order": "1002"}"#),
        Turn::call("orders__refund", r#"{"order": "1002", "euros": 480}"#),
        Turn::call("tickets__hand_over", r#"{"why": "Order 1002, 480 euros, is late; the customer wants it back."}"#),
        Turn::say("I may not pay that much back myself; a person takes over within the hour."),
    ])
}
