//! `bowline search` and `bowline grep`: tools of all servers of the configuration.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use bowline::hub::{SearchField, SearchHit, SearchIndex, SearchQuery};
use bowline::protocol::Tool;
use serde_json::{Value, json};

use crate::exit::Stop;
use crate::fleet::{Failures, Fleet};
use crate::kept::Kept;
use crate::options::{Format, Grep, Search};
use crate::output::Output;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;

/// How old what is searched may be before it is said.
const FRESH: Duration = Duration::from_secs(60);

/// What is searched for, and how.
pub(super) struct Wanted<'o> {
    query: SearchQuery,
    servers: &'o [String],
    group: Option<&'o str>,
    refresh: bool,
}

impl<'o> Wanted<'o> {
    pub(super) fn words(options: &'o Search) -> Self {
        Self::among(SearchQuery::new(&options.words.join(" ")), &options.among)
    }

    pub(super) fn names(options: &'o Grep) -> Self {
        Self::among(SearchQuery::glob(&options.pattern), &options.among)
    }

    fn among(query: SearchQuery, among: &'o crate::options::Among) -> Self {
        let query = query.limit(among.limit.into());
        let query = if among.read_only { query.read_only() } else { query };
        Self { query, servers: &among.server, group: among.group.as_deref(), refresh: among.refresh }
    }
}

pub(super) async fn run(wanted: &Wanted<'_>, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let fleet = Fleet::load(run);
    let selected = fleet.select(wanted.servers, wanted.group)?;
    let kept = Kept::open(&run.console);
    let mut search = Searched::of(&fleet, &kept, &selected).await;
    if !selected.is_empty() && (wanted.refresh || search.known.is_empty()) {
        search.ask(&fleet, &kept, &selected).await?;
    }
    search.tell(&selected, run);
    let hits = search.index.search(&wanted.query);
    if out.format() == Format::Json {
        return out.json(&search.to_json(&hits, &selected));
    }
    if hits.is_empty() {
        run.console.note("no tool is found");
    }
    out.long_text(&shown(&hits, out.format() == Format::Md))
}

/// What is searched, and how old it is.
struct Searched {
    index: SearchIndex,
    /// When each server was asked that is known of.
    known: BTreeMap<String, SystemTime>,
    failures: Failures,
}

impl Searched {
    /// What was kept of these servers, as far as they are what they were.
    async fn of(fleet: &Fleet, kept: &Kept, selected: &HashSet<String>) -> Self {
        let mut this = Self { index: SearchIndex::new(), known: BTreeMap::new(), failures: Failures::default() };
        for record in kept.records(selected).await {
            if fleet.fingerprint(record.server()).is_some_and(|of| record.has_fingerprint(of)) {
                this.known.insert(record.server().to_owned(), record.when());
                this.index.insert(&record);
            }
        }
        this
    }

    /// Asks these servers what they have.
    async fn ask(&mut self, fleet: &Fleet, kept: &Kept, selected: &HashSet<String>) -> Result<(), Stop> {
        fleet
            .with_hub(selected, async |hub| {
                let Self { index, known, failures } = self;
                let take = async |server: &str, tools: Vec<Tool>| {
                    let record = index.replace(server, &tools);
                    known.insert(server.to_owned(), record.when());
                    kept.keep(fleet, record).await;
                };
                fleet.read(hub.tools(), failures, take).await;
                Ok(())
            })
            .await
    }

    /// Says what is not searched, and how old the rest is.
    fn tell(&self, selected: &HashSet<String>, run: &Run) {
        let missing = self.missing(selected);
        let unsaid: Vec<&&str> = missing.iter().filter(|name| !self.failures.0.contains_key(**name)).collect();
        if !unsaid.is_empty() {
            let names = unsaid.iter().map(|name| sanitize::line(name)).collect::<Vec<_>>().join(", ");
            run.console.warn(format!("nothing is known yet of {names}; --refresh asks all servers"));
        }
        if let Some((server, age)) = self.oldest().filter(|(_, age)| *age > FRESH) {
            let server = sanitize::line(server);
            run.console.note(format!("as servers said up to {} ago ({server}); --refresh asks them", rough(age)));
        }
    }

    fn missing<'s>(&self, selected: &'s HashSet<String>) -> Vec<&'s str> {
        let mut missing: Vec<&str> =
            selected.iter().map(String::as_str).filter(|name| !self.known.contains_key(*name)).collect();
        missing.sort_unstable();
        missing
    }

    fn oldest(&self) -> Option<(&str, Duration)> {
        let ages = self.known.iter().map(|(name, when)| (name.as_str(), age(*when)));
        ages.max_by_key(|(_, age)| *age)
    }

    fn to_json(&self, hits: &[SearchHit], selected: &HashSet<String>) -> Value {
        let servers: Vec<Value> = self
            .known
            .iter()
            .map(|(server, when)| json!({"server": server, "age_seconds": age(*when).as_secs()}))
            .collect();
        let hits: Vec<Value> = hits.iter().map(hit).collect();
        json!({"hits": hits, "servers": servers, "unknown": self.missing(selected), "failures": self.failures.to_json()})
    }
}

/// A clock that was put back makes nothing older.
fn age(when: SystemTime) -> Duration {
    SystemTime::now().duration_since(when).unwrap_or_default()
}

/// A time as people say it.
fn rough(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn hit(hit: &SearchHit) -> Value {
    let fields: Vec<&str> = hit.fields().map(field).collect();
    json!({
        "server": &*hit.server,
        "tool": &*hit.tool,
        "title": hit.title.as_deref(),
        "summary": hit.summary.as_deref(),
        "score": hit.score,
        "fields": fields,
    })
}

const fn field(field: SearchField) -> &'static str {
    match field {
        SearchField::Name => "name",
        SearchField::Server => "server",
        SearchField::Title => "title",
        SearchField::Description => "description",
        SearchField::Parameter => "parameter",
        SearchField::ParameterDescription => "parameterDescription",
        _ => "other",
    }
}

/// The tools as they are called, the best first.
fn shown(hits: &[SearchHit], markdown: bool) -> Styled {
    let mut text = Styled::new();
    for hit in hits {
        let name = sanitize::line(&format!("{}.{}", hit.server, hit.tool));
        let about = hit.summary.as_deref().or(hit.title.as_deref());
        let about = about.and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
        let about = about.map(|line| sanitize::excerpt(line, 200));
        if markdown {
            let about = about.map(|text| format!(": {text}")).unwrap_or_default();
            text = text.plain(format!("- `{}`{about}\n", name.replace('`', "'")));
            continue;
        }
        text = text.bold(name).line();
        if let Some(about) = about {
            text = text.plain("    ").glimpse(about).line();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_roughly() {
        let said = [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|seconds| rough(Duration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
    }

    #[test]
    fn a_clock_that_was_put_back_makes_nothing_older() {
        assert_eq!(age(SystemTime::now() + Duration::from_secs(9_999)), Duration::ZERO);
    }
}
