//! What a server asks of the person.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline::form::Form;
use bowline::protocol::{
    ElicitRequestFormParams, ElicitRequestParams, ElicitRequestUrlParams, ElicitResult, ErrorCode, ErrorObject,
};
use bowline::transport::BoxFuture;
use bowline::{ElicitationHandler, ElicitationSupport, HandlerResult, RequestContext};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::{Mutex, Notify};

use crate::browser;
use crate::console::Console;
use crate::form::{self, Answer};
use crate::prompts::Inquire;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;
use crate::visit::{self, Consent};

/// How often a wait for a key looks whether it is over.
const GLANCE: Duration = Duration::from_millis(100);

/// Asks on the terminal; declines with a word where there is none.
#[derive(Debug)]
pub(crate) struct Terminal {
    console: Console,
    interrupted: Arc<Notify>,
    /// One question at a time.
    turn: Arc<Mutex<()>>,
}

/// How a wait for a visit ended.
enum Wait {
    Over,
    Cancel,
    Interrupted,
}

/// Whether a person can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl Terminal {
    pub(crate) fn new(run: &Run) -> Self {
        Self { console: run.console.clone(), interrupted: Arc::clone(&run.interrupted), turn: Arc::clone(&run.asking) }
    }

    async fn answer(&self, request: ElicitRequestParams, context: RequestContext) -> HandlerResult<ElicitResult> {
        // The name that it has here, where it has one, is not of the server's choosing.
        let named = context.member().or_else(|| context.server().map(|server| server.name.as_str()));
        let server = sanitize::excerpt(named.unwrap_or("unknown"), 80);
        match request {
            ElicitRequestParams::Form(request) => self.form(&request, server).await,
            ElicitRequestParams::Url(request) => self.url(&request, server, &context).await,
            _ => Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, "only forms and urls can be asked for")),
        }
    }

    async fn form(&self, request: &ElicitRequestFormParams, server: String) -> HandlerResult<ElicitResult> {
        let message = sanitize::line(&request.message);
        let form = Form::new(&request.requested_schema)
            .map_err(|error| ErrorObject::new(ErrorCode::INVALID_PARAMS, error.to_string()))?;
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
                form::ask(form, &mut Inquire, |line| console.show(Styled::new().plain(line)))
            })
        });
        Ok(match asked.await {
            Ok(Answer::Accept(content)) => ElicitResult::accept(content),
            Ok(Answer::Decline) => ElicitResult::decline(),
            Ok(Answer::Cancel) => ElicitResult::cancel(),
            Ok(Answer::Interrupted) | Err(_) => self.interrupt(),
        })
    }

    async fn url(
        &self,
        request: &ElicitRequestUrlParams,
        server: String,
        context: &RequestContext,
    ) -> HandlerResult<ElicitResult> {
        let message = sanitize::line(&request.message);
        let url =
            request.visit().map_err(|error| ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("url: {error}")))?;
        if !is_interactive() {
            self.console.warn(format!(
                "the server `{server}` asks “{message}” and wants a url visited: declined, as there is no terminal to ask on"
            ));
            self.console.line(visit::describe(&url));
            return Ok(ElicitResult::decline());
        }
        let _turn = self.turn.lock().await;
        let console = self.console.clone();
        let asked = tokio::task::spawn_blocking(move || {
            console.paused(|| {
                let says = format!("The server `{server}` wants you to visit a url: ");
                console.show(Styled::new().line().bold(says).plain(message));
                visit::ask(&url, &mut Inquire, |text| console.show(text), browser::open)
            })
        });
        match asked.await {
            Ok(Consent::Accept { .. }) if context.is_awaited() => self.wait(context).await,
            Ok(Consent::Accept { .. }) => Ok(ElicitResult::accept_url()),
            Ok(Consent::Decline) => Ok(ElicitResult::decline()),
            Ok(Consent::Cancel) => Ok(ElicitResult::cancel()),
            Ok(Consent::Interrupted) | Err(_) => Ok(self.interrupt()),
        }
    }

    /// Waits until the server or the person says that the visit is over.
    async fn wait(&self, context: &RequestContext) -> HandlerResult<ElicitResult> {
        let over = Arc::new(AtomicBool::new(false));
        // Also where this future is dropped: the thread looks at it.
        let _ends = SetOnDrop(Arc::clone(&over));
        let (console, stop) = (self.console.clone(), Arc::clone(&over));
        let mut key = tokio::task::spawn_blocking(move || {
            console.paused(|| {
                console.show(Styled::new().plain("Press Enter when you are through, Escape to give up."));
                wait_for_key(&stop)
            })
        });
        let pressed = tokio::select! {
            () = context.visited() => {
                over.store(true, Ordering::Relaxed);
                // Until then the terminal is not free for the next question.
                let _ = (&mut key).await;
                Ok(Wait::Over)
            }
            pressed = &mut key => pressed,
        };
        match pressed {
            Ok(Wait::Over) => {
                context.go_on();
                Ok(ElicitResult::accept_url())
            }
            Ok(Wait::Cancel) => Ok(ElicitResult::cancel()),
            Ok(Wait::Interrupted) | Err(_) => Ok(self.interrupt()),
        }
    }

    fn interrupt(&self) -> ElicitResult {
        self.interrupted.notify_one();
        ElicitResult::cancel()
    }
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for Enter, Escape or Ctrl-C, or until `stop` is set. A terminal that fails is one that is gone.
fn wait_for_key(stop: &AtomicBool) -> Wait {
    let pressed = || -> io::Result<Wait> {
        crossterm::terminal::enable_raw_mode()?;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(Wait::Over);
            }
            if event::poll(GLANCE)?
                && let Some(wait) = read_key(&event::read()?)
            {
                return Ok(wait);
            }
        }
    };
    let pressed = pressed();
    // Where this fails there is no terminal to set right.
    let _ = crossterm::terminal::disable_raw_mode();
    pressed.unwrap_or(Wait::Cancel)
}

fn read_key(event: &Event) -> Option<Wait> {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return None };
    match code {
        KeyCode::Enter => Some(Wait::Over),
        KeyCode::Esc => Some(Wait::Cancel),
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Wait::Interrupted),
        _ => None,
    }
}

impl ElicitationHandler for Terminal {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        Box::pin(self.answer(request, context))
    }

    fn support(&self) -> ElicitationSupport {
        ElicitationSupport::default().with_url()
    }

    /// A person sees the defaults, and clears a field that is not to be sent.
    fn fills_in_defaults(&self) -> bool {
        false
    }
}
