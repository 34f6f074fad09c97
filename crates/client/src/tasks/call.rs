//! A call that may go on as a task.

use std::future::IntoFuture;
use std::time::Duration;

use bowline_protocol::{CallToolResult, Task, TaskSupport, method};
use bowline_transport::BoxFuture;
use tokio::time::Instant;

use crate::call::Call;
use crate::error::Error;
use crate::outcome::ByHand;
use crate::output;
use crate::request::{CallTool, Legs, Request};
use crate::tasks::asking::{created, runs_tools};
use crate::tasks::handle::TaskHandle;

/// A call of a tool that may go on as a task; made by [`Request::as_task`].
///
/// Awaited, it is one call like others: it ends with the tool's result, however often the server has to be asked for
/// it, and whatever the server asks on the way is answered by the installed handlers. [`start`](Self::start) gives the
/// task itself.
///
/// The limit is [`Request::max_time`] where that was set, else [`Timeouts::task`](crate::Timeouts::task).
/// [`Request::idle_timeout`] is for each request on the way.
///
/// # Cancel safety
/// Dropping the future, or the limit, has the task cancelled (`tasks/cancel`).
#[must_use = "nothing is sent until it is awaited"]
#[derive(Debug)]
pub struct TaskCall(Request<CallTool>);

/// What a call was answered with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Started {
    /// It was carried out at once.
    Complete(CallToolResult),
    /// It goes on as a task.
    Task(TaskHandle),
}

impl Request<CallTool> {
    /// Lets the call go on as a task, where the server has tasks (2025-11-25, basic/utilities/tasks; the extension
    /// `io.modelcontextprotocol/tasks` of 2026-07-28). Where it has none, or does not make one of this call, it is a
    /// plain call.
    ///
    /// In 2025-11-25 the client asks for a task, and only where the server declares it for tools and the tool is listed
    /// with `taskSupport` `optional` or `required`. A tool that was not listed yet is looked for first;
    /// [`TaskCall::support`] saves that. In 2026-07-28 the server decides.
    ///
    /// ```
    /// # use bowline_client::{Client, Error};
    /// async fn render(client: &Client) -> Result<String, Error> {
    ///     let result = client
    ///         .call("render")
    ///         .arg("scene", "harbour")
    ///         .on_progress(|p| println!("{}", p.progress))
    ///         .as_task()
    ///         .on_status(|task| println!("{}", task.status))
    ///         .await?;
    ///     Ok(result.joined_text())
    /// }
    /// ```
    pub fn as_task(mut self) -> TaskCall {
        self.task_options().wanted = true;
        TaskCall(self)
    }
}

impl TaskCall {
    /// Asks the server to keep the task for so long after its creation (2025-11-25). It may decide otherwise. Default:
    /// nothing is asked.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.0.task_options().ttl = Some(ttl);
        self
    }

    /// Says whether the tool may be called as a task (2025-11-25), for a caller who knows. Default: what the tool was
    /// listed with.
    pub fn support(mut self, support: TaskSupport) -> Self {
        self.0.task_options().support = Some(support);
        self
    }

    /// Calls `f` with each new state of the task, the first one included. It runs in the task that awaits.
    pub fn on_status(mut self, f: impl FnMut(&Task) + Send + 'static) -> Self {
        self.0.task_options().on_status = Some(Box::new(f));
        self
    }

    /// Makes the call and gives the task that it became, or its result where it became none.
    ///
    /// # Errors
    /// As for any call.
    ///
    /// # Cancel safety
    /// Dropping the future has the task cancelled. Once there is a handle, its holder decides.
    pub async fn start(self) -> Result<Started, Error> {
        let (mut legs, mut call) = self.prepared().await?;
        let result = loop {
            let began = Instant::now();
            let outcome = legs.leg.client.run_round(&mut call).await;
            if !legs.go_on(&mut call, outcome.as_ref().map(|_| false), began.elapsed()).await {
                break outcome?;
            }
        };
        match created(legs.leg.client.supervisor(), &call, &result)? {
            Some(created) => TaskHandle::created(legs.leg, &mut call, &created).map(Started::Task),
            None => {
                let result = legs.leg.client.supervisor().decode(&call.method, || result.decode())?;
                output::judge(&legs.leg.client, call.name.as_deref().unwrap_or_default(), result)
                    .await
                    .map(Started::Complete)
            }
        }
    }

    /// As [`Request::by_hand`], where the answer may also be a task.
    pub fn by_hand(self) -> ByHand<CallTool> {
        self.0.by_hand()
    }

    /// The call, with what is known of the tool.
    async fn prepared(self) -> Result<(Legs, Call), Error> {
        let (mut legs, mut call) = self.0.open().await?;
        while call.options.task().is_none_or(|task| task.support.is_none())
            && call.method == method::TOOLS_CALL
            && runs_tools(&legs.leg.client.server())
        {
            let began = Instant::now();
            match legs.leg.client.task_support(call.name.as_deref().unwrap_or_default()).await {
                Ok(None) => break,
                Ok(support) => call.options.rare_mut().task.support = support,
                Err(error) if legs.go_on(&mut call, Err(&error), began.elapsed()).await => {}
                Err(error) => return Err(error),
            }
        }
        Ok((legs, call))
    }
}

impl IntoFuture for TaskCall {
    type Output = Result<CallToolResult, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (mut legs, mut call) = self.prepared().await?;
            let result = loop {
                let began = Instant::now();
                let outcome: Result<CallToolResult, Error> = legs.leg.client.run(&mut call).await;
                let failed = outcome.as_ref().map(CallToolResult::is_error);
                if !legs.go_on(&mut call, failed, began.elapsed()).await {
                    break outcome?;
                }
            };
            output::judge(&legs.leg.client, call.name.as_deref().unwrap_or_default(), result).await
        })
    }
}
