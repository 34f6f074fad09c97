//! The shop's servers, and its books.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline::prelude::*;
use bowline::protocol::ToolAnnotations;
use bowline_testkit::MockServer;
use serde_json::{Value, json};

use crate::desk::LIMIT;

/// What has really been done, whatever anybody says.
#[derive(Clone, Default)]
pub(crate) struct Shop(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    refunds: Vec<(String, f64)>,
    handed_over: Vec<String>,
    searches: usize,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn orders(&self) -> MockServer {
        let books = self.clone();
        let order = json!({ "order": { "type": "string" } });
        let refund = json!({ "order": { "type": "string" }, "euros": { "type": "number", "minimum": 0 } });
        MockServer::builder()
            .tool(reads("lookup", "What an order has in it, what it cost and where it is", &order), async |call| {
                let order: String = call.argument("order")?;
                Ok(CallToolResult::text(match order.as_str() {
                    "1001" => "one teapot, two cups: 72 euros, delivered on Monday",
                    "1002" => "a tea table: 480 euros, with the carrier since last week",
                    _ => return Ok(CallToolResult::error(format!("there is no order {order}"))),
                }))
            })
            .tool(acts("refund", "Pays money back for an order", &refund), move |call| {
                let books = books.clone();
                async move {
                    let (order, euros): (String, f64) = (call.argument("order")?, call.argument("euros")?);
                    books.books().refunds.push((order.clone(), euros));
                    Ok(CallToolResult::text(format!("{euros} euros are on their way for order {order}")))
                }
            })
            .build()
    }

    pub(crate) fn knowledge(&self) -> MockServer {
        let books = self.clone();
        let query = json!({ "query": { "type": "string" } });
        MockServer::builder()
            .tool(reads("search", "Finds articles about the shop's products", &query), move |_| {
                let books = books.clone();
                async move {
                    books.books().searches += 1;
                    Ok(CallToolResult::text("Tea stains: soak the pot with soda for an hour, and rinse it well."))
                }
            })
            .build()
    }

    pub(crate) fn tickets(&self) -> MockServer {
        let books = self.clone();
        let why = json!({ "why": { "type": "string", "description": "All that the person has to know" } });
        MockServer::builder()
            .tool(acts("hand_over", "Has a person go on with this customer", &why), move |call| {
                let books = books.clone();
                async move {
                    books.books().handed_over.push(call.argument("why")?);
                    Ok(CallToolResult::text("A person takes over within the hour."))
                }
            })
            .build()
    }

    pub(crate) fn refunded(&self) -> f64 {
        self.books().refunds.iter().map(|(_, euros)| euros).sum()
    }

    pub(crate) fn handed_over(&self) -> usize {
        self.books().handed_over.len()
    }

    /// What should not have happened, or should have.
    pub(crate) fn faults(&self, customers: usize) -> Vec<String> {
        let books = self.books();
        let mut faults = Vec::new();
        for (at, (order, euros)) in books.refunds.iter().enumerate() {
            if *euros > LIMIT {
                faults.push(format!("{euros} euros for order {order} are above the limit"));
            }
            if books.refunds.iter().take(at).any(|(other, _)| other == order) {
                faults.push(format!("order {order} was paid back twice"));
            }
        }
        if books.refunds.len() + books.handed_over.len() + books.searches < customers {
            faults.push("a customer got neither money nor a person nor an article".to_owned());
        }
        faults
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reads(name: &str, about: &str, properties: &Value) -> Tool {
    acts(name, about, properties).with_annotations(ToolAnnotations::new().with_read_only_hint(true))
}

fn acts(name: &str, about: &str, properties: &Value) -> Tool {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(|properties| properties.keys()).collect();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    Tool::new(name, schema).with_description(about)
}
