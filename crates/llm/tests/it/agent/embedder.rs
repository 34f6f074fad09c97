//! Tools that are found by meaning, and embedders that are of no help.

use std::future::pending;

use bowline_llm::{Agent, AgentEvent, Conversation, Embedder, Everything, Functions, ScriptedModel, Selection, Turn};
use bowline_protocol::CallToolResult;
use bowline_transport::BoxFuture;

use super::{all, tool};

/// What an embedder gives for texts.
type Vectors = Result<Vec<Vec<f32>>, String>;

/// An embedder that knows one thing: that boats are ships.
enum Odd {
    Knows,
    Hangs,
    HangsLater,
    Fails,
    GivesTooFew,
    GivesNoNumbers,
}

impl Embedder for Odd {
    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Vectors> {
        let of = |text: &String| vec![f32::from(u8::from(text.contains("ship") || text.contains("boat"))), 0.1];
        let known: Vec<Vec<f32>> = texts.iter().map(of).collect();
        Box::pin(async move {
            match self {
                Self::Knows => Ok(known),
                Self::Hangs => pending().await,
                Self::HangsLater if texts.len() == 1 => pending().await,
                Self::HangsLater => Ok(known),
                Self::Fails => Err("no such model".to_owned()),
                Self::GivesTooFew => Ok(known.into_iter().skip(1).collect()),
                Self::GivesNoNumbers => Ok(vec![vec![f32::NAN]; texts.len()]),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_embedder_helps_or_is_gone_on_without() {
    for (embedder, told) in [
        (Odd::Knows, None),
        (Odd::Hangs, Some("within 60 s")),
        (Odd::HangsLater, Some("within 5 s")),
        (Odd::Fails, Some("no such model")),
        (Odd::GivesTooFew, Some("vectors for")),
        (Odd::GivesNoNumbers, None),
    ] {
        let knows = matches!(embedder, Odd::Knows);
        let names = (0..60).map(|n| format!("rope_{n}")).chain(["ship_repair".to_owned()]);
        let tools =
            names.fold(Functions::new(), |tools, name| tools.with(tool(&name), |_| async { CallToolResult::text("") }));
        // The model searches for itself, too.
        let model = ScriptedModel::new([Turn::call("search_tools", r#"{"query": "boat"}"#), Turn::say("well")]);
        let agent = Agent::builder(model.clone(), tools).approve(Everything::default());
        let agent = agent.selection(Selection::search().with_most(3)).embedder(embedder).build();
        let mut conversation = Conversation::new();
        let (events, outcome) = all(agent.run(&mut conversation, "mend the boat")).await;
        assert_eq!(outcome.text, "well");
        let notice =
            events.iter().find_map(|event| if let AgentEvent::Notice { text } = event { Some(text) } else { None });
        assert_eq!(notice.is_some(), told.is_some(), "{notice:?}");
        assert!(told.is_none_or(|told| notice.unwrap().contains(told)), "{notice:?}");
        if knows {
            let shown = &model.requests()[0].tools;
            assert!(shown.iter().any(|spec| spec.name == "ship_repair"), "{shown:?}");
        }
    }
}
