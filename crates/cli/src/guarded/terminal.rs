//! Asking the person at the terminal, or somebody elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bowline::guard::{Answer, Approver, Deferred, Question};
use bowline::transport::BoxFuture;
use inquire::InquireError;
use tokio::sync::{Mutex, Notify};

use crate::console::Console;
use crate::elicit::is_interactive;
use crate::prompts::{Inquire, Prompts as _};
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

/// How many answers are kept for a run.
const MAX_KEPT: usize = 1_000;

/// What can be said, in the order in which it is shown.
const CHOICES: [(&str, Answer); 4] = [
    ("yes, with these arguments", Answer::Allow),
    ("always, while it is described as now", Answer::Always),
    ("no", Answer::Deny),
    ("never, while it is described as now", Answer::Never),
];

/// The person at the terminal. One question at a time is on it; what was said is good for the same call, with the same
/// arguments, in the same run, so that a benchmark asks once.
pub(crate) struct Terminal {
    console: Console,
    interrupted: Arc<Notify>,
    elsewhere: Option<Deferred>,
    /// What to do where nobody is there, where no error says so.
    without: Option<&'static str>,
    /// Shared with all others who ask the same person.
    turn: Arc<Mutex<()>>,
    said: std::sync::Mutex<HashMap<String, Answer>>,
}

impl Terminal {
    /// Who is asked where there is no terminal is asked `elsewhere`, if that is wanted.
    pub(crate) fn new(run: &Run, elsewhere: Option<Deferred>) -> Self {
        let (console, interrupted, turn) = (run.console.clone(), Arc::clone(&run.interrupted), Arc::clone(&run.asking));
        Self { console, interrupted, elsewhere, without: run.without_terminal, turn, said: std::sync::Mutex::default() }
    }

    pub(crate) const fn console(&self) -> &Console {
        &self.console
    }

    fn said(&self, what: &str) -> Option<Answer> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).get(what).copied()
    }

    async fn answer(&self, question: Question) -> Answer {
        if let Some(elsewhere) = &self.elsewhere {
            self.console.note(format!("{}: waits for `bowline guard approve`", question.title()));
            return elsewhere.ask(question).await;
        }
        if !is_interactive() {
            if let Some(without) = self.without {
                let title = question.title();
                self.console.warn(format!("{title}: not done, as there is no terminal to ask on; {without}"));
            }
            return Answer::Absent;
        }
        // What is shown of the arguments is cut and without secrets: the same text may stand for another call.
        let what = question.about_arguments.clone();
        let _turn = self.turn.lock().await;
        if let Some(said) = self.said(&what) {
            return said;
        }
        let console = self.console.clone();
        let asked = tokio::task::spawn_blocking(move || console.paused(|| ask(&console, &question)));
        let answer = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(InquireError::OperationInterrupted)) | Err(_) => {
                self.interrupted.notify_one();
                Answer::Deny
            }
            Ok(Err(_)) => Answer::Deny,
        };
        let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX_KEPT {
            all.insert(what, answer);
        }
        answer
    }
}

/// What is asked beside its title: which server of that name, with what, why, what the server says of it where it is new,
/// and how it changed.
pub(crate) fn details(question: &Question) -> Styled {
    // Questions may come out of a store, which others write as well.
    let line = |text: &str| format!("  {}", sanitize::line(text));
    let mut text = Styled::new();
    // A server of a project has its file with it.
    if !question.key.is_empty() && question.key != question.server {
        text = text.dim(line(&question.key)).line();
    }
    if let Some(arguments) = &question.arguments {
        text = text.plain(line(arguments)).line();
    }
    text = text.dim(line(&question.why)).line();
    if let Some(description) = &question.description {
        text = text.plain(line(&format!("it says: {description}"))).line();
    }
    for changed in question.change.iter().flat_map(|change| change.lines()) {
        text = text.plain(line(changed)).line();
    }
    text
}

/// Shows the question, and blocks until there is an answer.
fn ask(console: &Console, question: &Question) -> Result<Answer, InquireError> {
    let mut asked = Styled::new().line().bold(format!("May this go? {}", question.title())).line();
    asked.append(details(question));
    console.show(asked);
    let titles: Vec<String> = CHOICES.iter().map(|(title, _)| (*title).to_owned()).collect();
    // The cursor stands where a hasty key does no harm.
    let picked = Inquire.one("Answer:", None, &titles, 2)?;
    Ok(CHOICES.get(picked).map_or(Answer::Deny, |(_, answer)| *answer))
}

impl Approver for Terminal {
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer> {
        Box::pin(self.answer(question))
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Terminal")
    }
}
