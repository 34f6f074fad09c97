//! What an agent costs beside its model and its tools, both of which answer at once: a round of asking and calling, with a
//! short history and with a long one, and the choice among two thousand tools.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use std::future;
use std::sync::atomic::{AtomicUsize, Ordering};

use bowline_llm::{
    Agent, Answer, Arguments, Conversation, Event, Events, Everything, Features, Functions, Model, ModelError, Part,
    Request, ScriptedModel, Selection, ToolCall, Turn,
};
use bowline_protocol::{CallToolResult, Tool};
use bowline_transport::BoxFuture;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// How many rounds a run has. Its beginning and end are shared by them.
const ROUNDS: usize = 20;

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// So many tools that answer at once.
fn tools(count: usize) -> Functions {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
    (0..count).fold(Functions::new(), |tools, n| {
        let tool = Tool::new(format!("tool_{n}"), schema.clone()).with_description("Does one thing, and well");
        tools.with(tool, |_| async { CallToolResult::text("done") })
    })
}

/// A model that calls until it has done so often enough. It looks at nothing and keeps nothing, as that would cost more
/// than the agent does.
#[derive(Debug, Default)]
struct Caller(AtomicUsize);

impl Model for Caller {
    fn name(&self) -> &str {
        "caller"
    }

    fn features(&self) -> Features {
        Features::TEXT
    }

    fn stream<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Events, ModelError>> {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let part = match n % ROUNDS {
            last if last == ROUNDS - 1 => Part::text("done"),
            _ => {
                let arguments = Arguments::read(&format!(r#"{{"text": "{n}"}}"#));
                Part::Call(ToolCall::new(format!("call_{n}"), "tool_3", arguments))
            }
        };
        let mut answer = Answer::new(vec![part]);
        answer.usage.input_tokens = 1;
        Box::pin(future::ready(Ok(Events::new(stream::iter([Ok(Event::Done(answer))])))))
    }
}

/// A round with so many tools.
#[divan::bench(args = [1, 40])]
fn round(bencher: Bencher<'_, '_>, count: usize) {
    let runtime = runtime();
    let agent = Agent::builder(Caller::default(), tools(count.max(4))).approve(Everything::default()).build();
    bencher.counter(ItemsCount::new(ROUNDS)).bench_local(|| {
        let mut conversation = Conversation::new();
        let outcome = runtime.block_on(async { agent.run(&mut conversation, "go").outcome().await.unwrap() });
        assert_eq!(outcome.rounds as usize, ROUNDS);
    });
}

/// A round behind a history of some hundred thousand tokens, of one long message and of many.
#[divan::bench(args = [1, 400])]
fn round_behind_a_long_history(bencher: Bencher<'_, '_>, messages: usize) {
    let runtime = runtime();
    let agent = Agent::builder(Caller::default(), tools(4)).approve(Everything::default()).build();
    let text = "what was said before. ".repeat(20_000 / messages);
    let said: Value = (0..messages).map(|_| json!({"user": [{"text": text}]})).collect();
    let long = json!({"version": 1, "messages": said});
    let long: Conversation = serde_json::from_value(long).unwrap();
    bencher.counter(ItemsCount::new(ROUNDS)).with_inputs(|| long.clone()).bench_local_values(|mut conversation| {
        let outcome = runtime.block_on(async { agent.resume(&mut conversation).outcome().await.unwrap() });
        assert_eq!(outcome.rounds as usize, ROUNDS);
        // The history is dropped elsewhere.
        conversation
    });
}

/// What a run begins with where two thousand tools are searched first.
#[divan::bench]
fn choose_among_2000(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let model = ScriptedModel::by(|_: &Request| Turn::say("done"));
    let agent = Agent::builder(model, tools(2_000)).selection(Selection::search()).build();
    bencher.bench_local(|| {
        let mut conversation = Conversation::new();
        runtime.block_on(async { agent.run(&mut conversation, "do one thing well").outcome().await.unwrap() })
    });
}
