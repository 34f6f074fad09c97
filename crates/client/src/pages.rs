//! Lists across their pages.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_protocol::{
    ErrorCode, ItemProblem, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListTasksResult,
    ListToolsResult, PaginatedRequestParams, Prompt, RawJson, Resource, ResourceTemplate, ResultType, Task, Tool,
    excerpt, method,
};
use bowline_transport::BoxFuture;
use futures_core::Stream;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};

/// How many pages a list may have. A server that goes on after that is taken to go on for ever.
const MAX_PAGES: usize = 10_000;

/// How many items that could not be read are kept.
const MAX_PROBLEMS: usize = 1000;

/// An item of a list that comes in pages.
pub trait Listed: Sized + Send + Unpin + 'static {
    #[doc(hidden)]
    type Page: ResultType + Send;
    #[doc(hidden)]
    const METHOD: &'static str;
    /// Whether a server that declares the capability may yet lack the method: then the list is empty.
    #[doc(hidden)]
    const OPTIONAL: bool;
    /// What the client remembers of a page; `is_first` of a list that starts anew.
    #[doc(hidden)]
    fn note(page: &Self::Page, is_first: bool, client: &Client) {
        let _ = (page, is_first, client);
    }
    #[doc(hidden)]
    fn open(page: Self::Page) -> (Vec<Self>, Option<String>, Vec<ItemProblem>);
}

macro_rules! listed {
    ($($item:ident in $page:ident.$field:ident by $method:ident $(, optional $optional:literal)? $(, noted by $note:expr)?;)+) => {
        $(
            impl Listed for $item {
                type Page = $page;
                const METHOD: &'static str = method::$method;
                const OPTIONAL: bool = false $(|| $optional)?;

                $(fn note(page: &$page, is_first: bool, client: &Client) {
                    $note(page, is_first, client);
                })?

                fn open(page: $page) -> (Vec<Self>, Option<String>, Vec<ItemProblem>) {
                    (page.$field, page.next_cursor, page.problems)
                }
            }
        )+
    };
}

listed! {
    Tool in ListToolsResult.tools by TOOLS_LIST, noted by note_tools;
    Resource in ListResourcesResult.resources by RESOURCES_LIST;
    ResourceTemplate in ListResourceTemplatesResult.resource_templates by RESOURCES_TEMPLATES_LIST, optional true;
    Prompt in ListPromptsResult.prompts by PROMPTS_LIST;
    Task in ListTasksResult.tasks by TASKS_LIST;
}

/// What is remembered of a page of tools.
fn note_tools(page: &ListToolsResult, is_first: bool, client: &Client) {
    client.note_tools(&page.tools);
    crate::output::note_page(page, is_first, client);
}

/// The call for one page. Cursors are sent back as they came, and an empty one is a cursor like others.
pub(crate) fn page_call(method: &'static str, cursor: Option<&str>) -> Result<Call, Error> {
    let params = cursor
        .map(|cursor| RawJson::from_serialize(&PaginatedRequestParams::new().with_cursor(cursor)))
        .transpose()
        .map_err(|e| Error::new(ErrorKind::Config, format!("the cursor cannot be json: {e}")))?;
    Ok(Call { method: method.into(), params, ..Call::default() })
}

/// A list as a stream across its pages, each fetched when it is needed.
///
/// A cursor that comes twice, or more than 10,000 pages, end it with an error
/// (server/utilities/pagination); the page that repeats is not handed on.
///
/// # Cancel safety
/// Dropping it cancels the page that is under way.
#[must_use = "nothing is sent until it is polled"]
pub struct Pages<T: Listed> {
    client: Client,
    items: VecDeque<T>,
    problems: Vec<ItemProblem>,
    /// Hashes of the cursors so far: they may be of any length.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// The session that the cursors belong to (server/utilities/pagination: they are not kept beyond it).
    epoch: Option<u64>,
    state: State<T>,
}

enum State<T: Listed> {
    Before(Option<String>),
    Fetching(BoxFuture<'static, Result<(T::Page, u64), Error>>),
    Done,
}

impl<T: Listed> Pages<T> {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            items: VecDeque::new(),
            problems: Vec::new(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
            epoch: None,
            state: State::Before(None),
        }
    }

    /// The next item; `None` at the end.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// All items.
    ///
    /// # Errors
    /// The first error; items before it are lost. Use the stream to keep them.
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await {
            items.push(item?);
        }
        Ok(items)
    }

    /// Items of the pages so far that could not be read. They are left out; the others are not. At most 1,000 are kept.
    pub fn problems(&self) -> &[ItemProblem] {
        &self.problems
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            match &mut self.state {
                State::Done => return Poll::Ready(None),
                State::Before(cursor) => {
                    let (client, cursor, epoch) = (self.client.clone(), cursor.take(), self.epoch);
                    self.state = State::Fetching(Box::pin(async move {
                        let (page, epoch) = client.run_in(page_call(T::METHOD, cursor.as_deref())?, epoch).await?;
                        T::note(&page, cursor.is_none(), &client);
                        Ok((page, epoch))
                    }));
                }
                State::Fetching(page) => {
                    let page = ready!(page.as_mut().poll(cx));
                    self.state = State::Done;
                    match page {
                        Ok((page, epoch)) => {
                            self.epoch = Some(epoch);
                            if let Err(error) = self.take(page) {
                                return Poll::Ready(Some(Err(error)));
                            }
                        }
                        Err(error) if T::OPTIONAL && error.code() == Some(ErrorCode::METHOD_NOT_FOUND) => {}
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
            }
        }
    }

    fn take(&mut self, page: T::Page) -> Result<(), Error> {
        let (items, next, problems) = T::open(page);
        if let Some(cursor) = next {
            let what = if self.seen.len() >= MAX_PAGES {
                Some(format!("the list has more than {MAX_PAGES} pages"))
            } else if !self.seen.insert(self.hasher.hash_one(&cursor)) {
                Some(format!("the cursor \"{}\" came twice, so the list would not end", excerpt(&cursor, 64)))
            } else {
                None
            };
            if let Some(what) = what {
                return Err(Error::new(ErrorKind::Protocol, what)
                    .with_method(T::METHOD)
                    .with_sent(bowline_transport::Sent::Yes));
            }
            self.state = State::Before(Some(cursor));
        }
        self.items.extend(items);
        let room = MAX_PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(problems.into_iter().take(room));
        Ok(())
    }
}

impl<T: Listed> Stream for Pages<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl<T: Listed> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("method", &T::METHOD).field("pages", &self.seen.len()).finish_non_exhaustive()
    }
}
