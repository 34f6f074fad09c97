//! A person who allows calls, or does not.

use std::collections::HashSet;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use bowline::llm::{Approval, Approve, Asked};
use bowline::protocol::RawJson;
use bowline::transport::BoxFuture;
use inquire::InquireError;
use tokio::sync::{Mutex, Notify};

use super::consent::cut;
use crate::console::Console;
use crate::elicit;
use crate::json;
use crate::prompts::{Inquire, Prompts};
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

/// The places of two choices.
const NO: usize = 2;
const SHOW: usize = 4;

/// Asks on the terminal before each call that nobody has allowed yet, whatever the guard would say to it. Without a
/// terminal they are not made.
#[derive(Debug)]
pub(super) struct Approver {
    console: Console,
    interrupted: Arc<Notify>,
    /// The tools that may be called from now on, as they were when that was said.
    always: StdMutex<HashSet<String>>,
    turn: Arc<Mutex<()>>,
}

impl Approver {
    pub(super) fn new(run: &Run) -> Self {
        let (console, interrupted) = (run.console.clone(), Arc::clone(&run.interrupted));
        Self { console, interrupted, always: StdMutex::default(), turn: Arc::clone(&run.asking) }
    }

    async fn answer(&self, asked: Asked) -> Approval {
        let known = || self.always.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&identity(&asked)) {
            return Approval::Yes;
        }
        if !elicit::is_interactive() {
            let tool = sanitize::excerpt(&asked.tool.name, 80);
            self.console
                .warn(format!("{tool} is not called, as there is no terminal to ask on; --approve all allows it"));
            return Approval::No("nobody is there who could allow it".to_owned());
        }
        let _turn = self.turn.lock().await;
        let (console, tool) = (self.console.clone(), identity(&asked));
        let answered = tokio::task::spawn_blocking(move || {
            console.paused(|| {
                console.show(question(&asked));
                ask(&asked.arguments, &mut Inquire, |text| console.show(text))
            })
        });
        match answered.await {
            Ok(Ok(Said::Always)) => {
                known().insert(tool);
                Approval::Yes
            }
            Ok(Ok(Said::This(approval))) => approval,
            Ok(Err(InquireError::OperationCanceled)) => Approval::No("the user said no".to_owned()),
            Ok(Err(_)) | Err(_) => {
                // The run is given up: an answer would lead to the next question before that.
                self.interrupted.notify_one();
                std::future::pending().await
            }
        }
    }
}

impl Approve for Approver {
    fn approve(&self, asked: Asked) -> BoxFuture<'_, Approval> {
        Box::pin(self.answer(asked))
    }
}

/// A tool with all that its server says of it: who allowed it allowed no other.
fn identity(asked: &Asked) -> String {
    let tool = serde_json::to_string(&*asked.tool.tool).unwrap_or_default();
    format!("{} {tool}", asked.tool.name)
}

/// What a person says to a call.
#[derive(Debug)]
enum Said {
    This(Approval),
    Always,
}

/// What is to be called, and what it is given; of much the beginning and the end.
fn question(asked: &Asked) -> Styled {
    let arguments = json::indent(asked.arguments.as_str());
    let (server, tool) = (sanitize::excerpt(&asked.tool.server, 80), sanitize::excerpt(&asked.tool.tool.name, 120));
    let text = Styled::new().line().bold(format!("The model wants to call {tool} of {server}:")).line();
    text.plain(cut(&arguments))
}

fn ask(arguments: &RawJson, prompts: &mut dyn Prompts, mut show: impl FnMut(Styled)) -> Result<Said, InquireError> {
    let mut choices = ["Yes", "Yes, and from now on", "No", "Change what it is given"].map(str::to_owned).to_vec();
    let whole = json::indent(arguments.as_str());
    if cut(&whole) != whole {
        choices.push("Show all of it".to_owned());
    }
    // What is typed for something else must not be a yes.
    let mut said = prompts.one("Call it?", None, &choices, NO)?;
    while said == SHOW {
        show(Styled::new().plain(whole.as_str()));
        said = prompts.one("Call it?", None, &choices, NO)?;
    }
    Ok(match said {
        0 => Said::This(Approval::Yes),
        1 => Said::Always,
        3 => {
            let mut text = arguments.as_str().to_owned();
            loop {
                text = prompts.text("Arguments", Some("a JSON object"), &text)?;
                match text.parse::<RawJson>() {
                    Ok(changed) if changed.to_value().is_object() => break Said::This(Approval::Change(changed)),
                    Ok(_) => show(Styled::new().plain("an object is wanted, such as {\"name\": \"value\"}")),
                    Err(error) => show(Styled::new().plain(format!("that is not JSON: {error}"))),
                }
            }
        }
        _ => {
            let why = prompts.text("Why not?", Some("the model is told; Enter for no reason"), "")?;
            let why = if why.trim().is_empty() { "the user said no".to_owned() } else { why };
            Said::This(Approval::No(why))
        }
    })
}

#[cfg(test)]
mod tests {
    use bowline::llm::ListedTool;
    use bowline::protocol::Tool;

    use super::*;
    use crate::prompts::tests::{Said as Types, Scripted};

    fn answered(says: Vec<Types>) -> (Result<Said, InquireError>, Vec<String>) {
        let mut shown = Vec::new();
        let mut person = Scripted::new(says);
        let said = ask(&r#"{"to":"all"}"#.parse().unwrap(), &mut person, |text| shown.push(text.render(false)));
        (said, shown)
    }

    #[test]
    fn a_person_says_yes_no_always_or_something_else() {
        assert!(matches!(answered(vec![Types::One(0)]).0, Ok(Said::This(Approval::Yes))));
        assert!(matches!(answered(vec![Types::One(1)]).0, Ok(Said::Always)));
        let (said, _) = answered(vec![Types::One(2), Types::Line("not to all")]);
        assert!(matches!(said, Ok(Said::This(Approval::No(why))) if why == "not to all"));
        let (said, shown) =
            answered(vec![Types::One(3), Types::Line("{"), Types::Line("[]"), Types::Line(r#"{"to":"me"}"#)]);
        assert!(matches!(said, Ok(Said::This(Approval::Change(to))) if to.as_str() == r#"{"to":"me"}"#));
        assert!(shown[0].contains("not JSON") && shown[1].contains("an object is wanted"), "{shown:?}");
        let long: RawJson = format!(r#"{{"a":"{}"}}"#, "x".repeat(10_000)).parse().unwrap();
        let mut shown = String::new();
        let said =
            ask(&long, &mut Scripted::new(vec![Types::One(4), Types::One(0)]), |text| shown += &text.render(false));
        assert!(matches!(said, Ok(Said::This(Approval::Yes))) && shown.len() > 10_000);
        assert!(matches!(answered(vec![Types::CtrlC]).0, Err(InquireError::OperationInterrupted)));
    }

    #[test]
    fn what_is_called_is_shown_harmless_and_bounded() {
        let tool = ListedTool::new("s__t", "s\u{1b}[31m", Tool::new("t\u{202e}", RawJson::EMPTY_OBJECT));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(10_000));
        let text = question(&Asked::new(tool, long.parse().unwrap())).render(false);
        assert!(
            !text.contains(['\u{1b}', '\u{202e}']) && text.len() < 6_000 && text.contains("bytes are not shown"),
            "{text}"
        );
    }
}
