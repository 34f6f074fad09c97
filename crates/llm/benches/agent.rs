//! What an agent costs beside its model and its tools, both of which answer at once: a round of asking and calling, with a
//! short history and with a long one, and the choice among two thousand tools.

#![expect(clippy::unwrap_used, reason = "benchmarks may panic")]

use bowline_llm::{Agent, Conversation, Everything, Functions, Request, ScriptedModel, Selection, Turn};
use bowline_protocol::{CallToolResult, Tool};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use serde_json::json;
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

/// A model that calls until it has done so often enough. What it was asked is not looked at: that would cost more than
/// the agent does.
fn model() -> ScriptedModel {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    ScriptedModel::by(move |_: &Request| {
        let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        counted(match n % ROUNDS {
            last if last == ROUNDS - 1 => Turn::say("done"),
            _ => Turn::call("tool_3", &format!(r#"{{"text": "{n}"}}"#)),
        })
    })
}

/// A turn whose tokens are counted already: the script would count all that it was asked.
fn counted(turn: Turn) -> Turn {
    let Turn::Answer(mut answer) = turn else { return turn };
    answer.usage.input_tokens = 1;
    Turn::Answer(answer)
}

/// A round with so many tools.
#[divan::bench(args = [1, 40])]
fn round(bencher: Bencher<'_, '_>, count: usize) {
    let runtime = runtime();
    let agent = Agent::builder(model(), tools(count.max(4))).approve(Everything::default()).build();
    bencher.counter(ItemsCount::new(ROUNDS)).bench_local(|| {
        let mut conversation = Conversation::new();
        let outcome = runtime.block_on(async { agent.run(&mut conversation, "go").outcome().await.unwrap() });
        assert_eq!(outcome.rounds as usize, ROUNDS);
    });
}

/// A round behind a history of some hundred thousand tokens. The model keeps what it was asked, and copies all of it.
#[divan::bench]
fn round_behind_a_long_history(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let agent = Agent::builder(model(), tools(4)).approve(Everything::default()).build();
    let mut long = Conversation::new();
    long.say("what was said before. ".repeat(20_000));
    bencher.counter(ItemsCount::new(ROUNDS)).with_inputs(|| long.clone()).bench_local_values(|mut conversation| {
        let outcome = runtime.block_on(async { agent.resume(&mut conversation).outcome().await.unwrap() });
        assert_eq!(outcome.rounds as usize, ROUNDS);
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
