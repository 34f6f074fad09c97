//! An agent with tools of a server and of the program, and a person who is asked.
//!
//! A script stands for the model, so this runs without a provider:
//!
//! ```sh
//! cargo run -p bowline-llm --example agent
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use bowline_hub::{Hub, Member};
use bowline_llm::{
    Agent, AgentEvent, Approval, Asked, Bounds, Conversation, Functions, HubTools, ScriptedModel, Together, Turn,
};
use bowline_protocol::{CallToolResult, RawJson, Tool, ToolAnnotations};
use bowline_testkit::MockServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema: RawJson =
        r#"{"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}"#.parse()?;
    let depth = Tool::new("depth", schema.clone())
        .with_description("How deep the water is")
        .with_annotations(ToolAnnotations::new().with_read_only_hint(true));
    let book = Tool::new("book", schema).with_description("Books a berth");
    let harbour = MockServer::builder()
        .tool(depth, |_| async { Ok(CallToolResult::text("4 m")) })
        .tool(book, |_| async { Ok(CallToolResult::text("berth 7")) })
        .build();
    let hub = Hub::builder().member(Member::new("harbour", harbour.connector())).build()?;
    let own = Functions::new()
        .with(Tool::new("draught", RawJson::EMPTY_OBJECT), |_| async { CallToolResult::text("our boat draws 2 m") });

    // In a program this is a model of a provider.
    let model = ScriptedModel::new([
        Turn::calls([("harbour__depth", r#"{"at": "pier"}"#), ("draught", "{}")]),
        Turn::call("harbour__book", r#"{"at": "pier"}"#),
        Turn::say("Deep enough: berth 7 is yours."),
    ]);
    let approve = |asked: Asked| async move {
        println!("? {} {}", asked.tool.name, asked.arguments.as_str());
        Approval::Yes
    };
    let agent = Agent::builder(model, Together::new().with(own).with(HubTools::new(hub.clone())))
        .system("You are a harbour master.")
        .approve(approve)
        .bounds(Bounds::default().with_rounds(8))
        .build();

    let mut conversation = Conversation::new();
    let mut run = agent.run(&mut conversation, "Can I moor at the pier? If so, book a berth.");
    while let Some(event) = run.next().await {
        match event? {
            AgentEvent::CallBegun { tool, .. } => println!("→ {tool}"),
            AgentEvent::Text { text } => print!("{text}"),
            AgentEvent::Done(outcome) => println!("\n({} rounds, {} calls)", outcome.rounds, outcome.calls),
            _ => {}
        }
    }
    drop(run);
    hub.close().await;
    Ok(())
}
