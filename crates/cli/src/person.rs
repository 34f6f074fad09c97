//! A person who says yes or no.

use std::sync::Arc;

use inquire::InquireError;
use tokio::sync::{Mutex, Notify};

use crate::console::Console;
use crate::prompts::{Inquire, Prompts as _};
use crate::session::Run;
use crate::styled::Styled;

/// The person at the terminal. One question at a time is on it.
#[derive(Debug)]
pub(crate) struct Person {
    console: Console,
    interrupted: Arc<Notify>,
    turn: Arc<Mutex<()>>,
}

impl Person {
    pub(crate) fn new(run: &Run) -> Self {
        Self { console: run.console.clone(), interrupted: Arc::clone(&run.interrupted), turn: Arc::clone(&run.asking) }
    }

    /// Shows the text, and asks. Only a yes is one; where Ctrl-C is pressed, the run is told.
    pub(crate) async fn says_yes(&self, text: Styled, question: &'static str) -> bool {
        let _turn = self.turn.lock().await;
        let console = self.console.clone();
        let answered = tokio::task::spawn_blocking(move || {
            console.paused(|| {
                console.show(text);
                Inquire.yes(question, None, Some(false))
            })
        });
        match answered.await {
            Ok(Ok(yes)) => yes,
            Ok(Err(InquireError::OperationCanceled)) => false,
            Ok(Err(_)) | Err(_) => {
                self.interrupted.notify_one();
                false
            }
        }
    }
}
