//! Three customers, one assistant.

#![expect(clippy::print_stdout, reason = "it is what the customers read")]

mod desk;
mod model;
mod servers;

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use anyhow::Result;
use bowline::hub::{Hub, Member};
use bowline::llm::{AgentEvent, CallEnd, Conversation};

use crate::desk::Desk;
use crate::servers::Shop;

const CUSTOMERS: [&str; 3] = [
    "How do I get tea stains out of the pot?",
    "My order 1001 came with a broken cup. I want the 24 euros for it back.",
    "Order 1002 never came! I want my 480 euros back today, or you hear from my lawyer.",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let shop = Shop::new();
    let hub = Hub::builder()
        .member(Member::new("orders", shop.orders().connector()).group("orders"))
        .member(Member::new("knowledge", shop.knowledge().connector()).group("knowledge"))
        .member(Member::new("tickets", shop.tickets().connector()).group("always"))
        .build()?;
    let desk = Desk::new(hub.clone(), model::of_environment()?);
    for question in CUSTOMERS {
        serve(&desk, question).await?;
    }
    hub.close().await;
    let faults = shop.faults(CUSTOMERS.len());
    for fault in &faults {
        println!("wrong: {fault}");
    }
    println!("refunded: {} euros, {} handed over", shop.refunded(), shop.handed_over());
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One customer, from the question to the answer, which is shown while it is written.
async fn serve(desk: &Desk, question: &str) -> Result<()> {
    println!("> {question}");
    let agent = desk.agent(question);
    let mut conversation = Conversation::new();
    let mut run = agent.run(&mut conversation, question);
    while let Some(event) = run.next().await {
        match event? {
            AgentEvent::Text { text } => {
                print!("{text}");
                stdout().flush()?;
            }
            AgentEvent::CallBegun { tool, arguments, .. } => println!("  [{tool} {arguments}]"),
            AgentEvent::CallEnded { tool, end: CallEnd::Denied, .. } => println!("  [{tool}: not allowed]"),
            AgentEvent::Done(_) => println!("\n"),
            _ => {}
        }
    }
    Ok(())
}
