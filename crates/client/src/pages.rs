//! Lists across their pages.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_protocol::{
    CacheHints, ErrorCode, ItemProblem, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListSkillsResult, ListTasksResult, ListToolsResult, PaginatedRequestParams, Prompt, RawJson, Resource,
    ResourceTemplate, ResultType, Skill, Task, Tool, excerpt, method,
};
use bowline_transport::BoxFuture;
use futures_core::Stream;

use crate::cache::Fetched;
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
    #[doc(hidden)]
    fn open(page: Self::Page) -> (Vec<Self>, Option<String>, Vec<ItemProblem>);
    /// What tells one item of a list from the others.
    #[doc(hidden)]
    fn identity(&self) -> &str;
    /// What the page says of its own life.
    #[doc(hidden)]
    fn hints(page: &Self::Page) -> CacheHints;
    /// Fetches a page; tells the session in which it came, and whether it was kept. Each item has it, and none by default,
    /// so that it is compiled here and not once more into every program that lists.
    #[doc(hidden)]
    fn fetch(client: Client, cursor: Option<String>, session: Option<u64>, fresh: bool) -> Fetching<Self::Page>;
    /// The page, if it is one of tools: the client remembers what they say, and some must not be used.
    #[doc(hidden)]
    fn as_tools(page: &mut Self::Page) -> Option<&mut ListToolsResult> {
        let _ = page;
        None
    }
}

/// A page that is under way.
type Fetching<P> = BoxFuture<'static, Result<(P, u64, bool), Error>>;

fn fetch<T: Listed>(client: Client, cursor: Option<String>, session: Option<u64>, fresh: bool) -> Fetching<T::Page> {
    Box::pin(async move {
        let mut call = page_call(T::METHOD, cursor.as_deref())?;
        call.options.fresh = fresh;
        let Fetched { result, session, was_kept } = client.page::<T>(call, session).await?;
        Ok((result, session, was_kept))
    })
}

macro_rules! listed {
    (@hints $page:ident) => {{ let _ = $page; CacheHints::new(None, None) }};
    (@hints $page:ident $hinted:ident) => { CacheHints::new($page.ttl_ms, $page.cache_scope.as_ref()) };
    ($(
        $item:ident in $page:ident.$field:ident by $method:ident and $identity:ident
        $(, hints $hinted:ident)? $(, optional $optional:literal)? $(, tools $tools:literal)?;
    )+) => {
        $(
            impl Listed for $item {
                type Page = $page;
                const METHOD: &'static str = method::$method;
                const OPTIONAL: bool = false $(|| $optional)?;

                fn open(page: $page) -> (Vec<Self>, Option<String>, Vec<ItemProblem>) {
                    (page.$field, page.next_cursor, page.problems)
                }

                fn identity(&self) -> &str {
                    &self.$identity
                }

                fn fetch(
                    client: Client,
                    cursor: Option<String>,
                    session: Option<u64>,
                    fresh: bool,
                ) -> Fetching<$page> {
                    fetch::<Self>(client, cursor, session, fresh)
                }

                fn hints(page: &$page) -> CacheHints {
                    listed!(@hints page $($hinted)?)
                }

                $(
                    fn as_tools(page: &mut $page) -> Option<&mut ListToolsResult> {
                        $tools.then_some(page)
                    }
                )?
            }
        )+
    };
}

listed! {
    Tool in ListToolsResult.tools by TOOLS_LIST and name, hints given, tools true;
    Resource in ListResourcesResult.resources by RESOURCES_LIST and uri, hints given;
    ResourceTemplate in ListResourceTemplatesResult.resource_templates by RESOURCES_TEMPLATES_LIST and uri_template,
        hints given, optional true;
    Prompt in ListPromptsResult.prompts by PROMPTS_LIST and name, hints given;
    Skill in ListSkillsResult.skills by SKILLS_LIST and uri, hints given;
    Task in ListTasksResult.tasks by TASKS_LIST and task_id;
}

/// The call for one page. Cursors are sent back as they came, and an empty one is a cursor like others.
pub(crate) fn page_call(method: &'static str, cursor: Option<&str>) -> Result<Call, Error> {
    let params = cursor
        .map(|cursor| RawJson::from_serialize(&PaginatedRequestParams::new().with_cursor(cursor)))
        .transpose()
        .map_err(|e| Error::new(ErrorKind::Config, format!("the cursor cannot be json: {e}")))?;
    let mut call = Call { method: method.into(), params, ..Call::default() };
    call.options.keep = true;
    Ok(call)
}

/// A list as a stream across its pages, each fetched when it is needed.
///
/// A cursor that comes twice, or more than 10,000 pages, end it with an error
/// (server/utilities/pagination); the page that repeats is not handed on. Where the connection is replaced between two
/// pages, a list goes on in revisions without sessions (2026-07-28), whose servers infer nothing from a connection, and
/// ends with an error in older ones.
///
/// Over Streamable HTTP of 2026-07-28, tools whose `x-mcp-header` annotations are not valid are left out, as the
/// specification demands, and are among the [`problems`](Self::problems).
///
/// With a cache ([`ClientBuilder::cache`](crate::ClientBuilder::cache)) pages that are kept and fresh are not fetched. A
/// server that refuses the cursor of such a list is asked from the start again, once; what was handed on is not handed
/// on twice.
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
    session: Option<u64>,
    /// Whether kept pages will not do.
    fresh: bool,
    /// What the pages so far say of their life.
    hints: Option<CacheHints>,
    again: Again,
    state: State<T>,
}

/// What it takes to begin a list anew after a cursor out of the cache is refused (server/utilities/caching).
#[derive(Default)]
struct Again {
    /// Whether a page was one that was kept.
    kept: bool,
    /// Whether the list was begun anew.
    done: bool,
    /// Hashes of what tells the items so far from others.
    given: HashSet<u64>,
}

enum State<T: Listed> {
    Before(Option<String>),
    Fetching(Fetching<T::Page>),
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
            session: None,
            fresh: false,
            hints: None,
            again: Again::default(),
            state: State::Before(None),
        }
    }

    /// Asks the server for every page, also for those that are kept and fresh: the list as it is now. The new pages take
    /// the place of the old ones.
    pub const fn fresh(mut self) -> Self {
        self.fresh = true;
        self
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

    /// For how long, and by whom, the list may be kept: the strictest that a page so far says (2026-07-28,
    /// server/utilities/caching). None before the first page; stale at once where a page says nothing.
    pub const fn hints(&self) -> Option<CacheHints> {
        self.hints
    }

    /// Items of the pages so far that could not be read or must not be used. They are left out; the others are not. At
    /// most 1,000 are kept.
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
                    let cursor = cursor.take();
                    self.state = State::Fetching(T::fetch(self.client.clone(), cursor, self.session, self.fresh));
                }
                State::Fetching(page) => {
                    let page = ready!(page.as_mut().poll(cx));
                    self.state = State::Done;
                    match page {
                        Ok((result, session, was_kept)) => {
                            self.session = Some(session);
                            self.again.kept |= was_kept;
                            if let Err(error) = self.take(result) {
                                return Poll::Ready(Some(Err(error)));
                            }
                        }
                        Err(error) if self.is_worth_another_start(&error) => self.start_again(&error),
                        Err(error) if T::OPTIONAL && error.code() == Some(ErrorCode::METHOD_NOT_FOUND) => {}
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
            }
        }
    }

    /// Whether the server refused a cursor that may be as old as the page that it is from.
    fn is_worth_another_start(&self, error: &Error) -> bool {
        self.again.kept && !self.again.done && !self.seen.is_empty() && error.code() == Some(ErrorCode::INVALID_PARAMS)
    }

    fn start_again(&mut self, error: &Error) {
        tracing::debug!(%error, method = T::METHOD, "a cursor of a kept page was refused; listing from the start");
        self.client.kept().forget(T::METHOD);
        self.again.done = true;
        self.fresh = true;
        self.seen.clear();
        self.session = None;
        self.state = State::Before(None);
    }

    fn take(&mut self, page: T::Page) -> Result<(), Error> {
        let hints = T::hints(&page);
        self.hints = Some(self.hints.map_or(hints, |so_far| so_far.strictest(hints)));
        let (mut items, next, problems) = T::open(page);
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
        if self.client.kept().cache.is_some() {
            let (given, hasher, done) = (&mut self.again.given, &self.hasher, self.again.done);
            items.retain(|item| given.insert(hasher.hash_one(item.identity())) || !done);
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
