//! What a server asks of the person.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use bowline::protocol::{ElicitRequestParams, ElicitResult, ErrorCode, ErrorObject};
use bowline::transport::BoxFuture;
use bowline::{ElicitationHandler, HandlerResult, RequestContext};
use tokio::sync::{Mutex, Notify};

use crate::console::Console;
use crate::form::{self, Answer, Form};
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

/// Asks on the terminal; declines with a word where there is none.
#[derive(Debug)]
pub(crate) struct Terminal {
    console: Console,
    interrupted: Arc<Notify>,
    /// One form at a time.
    turn: Mutex<()>,
}

/// Whether a person can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl Terminal {
    pub(crate) fn new(run: &Run) -> Self {
        Self { console: run.console.clone(), interrupted: Arc::clone(&run.interrupted), turn: Mutex::new(()) }
    }

    async fn answer(&self, request: ElicitRequestParams, server: String) -> HandlerResult<ElicitResult> {
        let ElicitRequestParams::Form(request) = request else {
            return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, "only forms can be asked for"));
        };
        let message = sanitize::line(&request.message);
        let form = match Form::new(&request.requested_schema) {
            Ok(form) => form,
            Err(reason) => {
                self.console.warn(format!("the server `{server}` asks “{message}”, but {reason}: refused"));
                return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("cannot show the form: {reason}")));
            }
        };
        if !is_interactive() {
            self.console
                .warn(format!("the server `{server}` asks “{message}”: declined, as there is no terminal to ask on"));
            return Ok(ElicitResult::decline());
        }
        let _turn = self.turn.lock().await;
        let console = self.console.clone();
        let asked = tokio::task::spawn_blocking(move || {
            console.paused(|| {
                console.show(Styled::new().line().bold(format!("The server `{server}` asks: ")).plain(message));
                console
                    .show(Styled::new().dim("Escape leaves an optional field out; nothing is sent before you say so."));
                form::ask(&form, |line| console.show(Styled::new().plain(line)))
            })
        });
        Ok(match asked.await {
            Ok(Answer::Accept(content)) => ElicitResult::accept(content),
            Ok(Answer::Decline) => ElicitResult::decline(),
            Ok(Answer::Cancel) => ElicitResult::cancel(),
            Ok(Answer::Interrupted) | Err(_) => {
                self.interrupted.notify_one();
                ElicitResult::cancel()
            }
        })
    }
}

impl ElicitationHandler for Terminal {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        let server =
            context.server().map_or_else(|| "unknown".to_owned(), |server| sanitize::excerpt(&server.name, 80));
        Box::pin(self.answer(request, server))
    }
}
