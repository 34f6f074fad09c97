//! `bowline guard accept`: what a server has that is new or another one than was pinned is shown, and pinned as it was
//! shown once somebody said so.

use std::collections::{HashMap, HashSet};

use bowline::guard::{Change, Definition, PinKind, PinnedServer, Pins, PinsError};
use bowline::{Client, Error, ErrorKind};
use serde_json::json;

use super::the_pins;
use crate::elicit::is_interactive;
use crate::exit::{CliError, Code, Stop};
use crate::guarded::Named;
use crate::options::{Accept, Format};
use crate::output::Output;
use crate::person::Person;
use crate::sanitize;
use crate::session::{Logs, Run};
use crate::styled::Styled;

/// A definition that is not what is pinned, and how.
struct Differing {
    definition: Definition,
    change: Change,
}

/// What is to be accepted of a server.
struct Offer {
    /// Its name among the pins.
    key: String,
    /// How many definitions were looked at.
    listed: usize,
    differing: Vec<Differing>,
    /// The way that was pinned, and the one of now, where they differ.
    moved: Option<(String, String)>,
    /// The hashes of what is pinned.
    pinned: Vec<String>,
}

pub(super) async fn run(options: Accept, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let pins = the_pins(run)?.clone();
    let named = Named::of(&options.what.of);
    let (key, way) = (named.key(&run.global), named.identity());
    let builder = run.asking(&named, run.builder(Logs::Console)?)?;
    let mut listed = Vec::new();
    run.with_server_unguarded(&options.what.of, builder, async |client| {
        listed = definitions(client).await?;
        Ok(())
    })
    .await?;
    // What is pinned is what was read here and shown: the server is not asked again.
    let known = pins.servers().into_iter().find(|server| server.key == key);
    let was = known.as_ref().and_then(|known| known.identity.clone());
    let takes_way = options.way || (options.what.names.is_empty() && options.hash.is_empty());
    // The words of format 1 for the same way are none for another one.
    let is_earlier = known.as_ref().is_some_and(|known| known.is_earlier);
    let is_same = |was: &String| *was == way || (is_earlier && *was == named.earlier_identity());
    let moved = was.clone().filter(|was| !is_same(was)).map(|was| (was, way.clone()));
    let wants_way = was.is_none() || (is_earlier && moved.is_none());
    if let Some((was, is)) = moved.as_ref().filter(|_| !takes_way) {
        let (was, is) = (sanitize::excerpt(was, 300), sanitize::excerpt(is, 300));
        run.console.warn(format!(
            "the way to it is \"{is}\", and was \"{was}\" when it was pinned; that is not accepted here, --way does that"
        ));
    }
    let listed = meant(listed, &options.what.names)?;
    let offer = Offer {
        listed: listed.len(),
        differing: differing(listed, &pins, known.as_ref(), &key),
        moved: moved.filter(|_| takes_way),
        pinned: known.into_iter().flat_map(|known| known.pins).map(|(_, _, hash, _)| hash).collect(),
        key,
    };
    let differing = consent(&offer, &options.hash, run, out).await?;

    let failed = |error: PinsError| CliError::new(Code::Unexpected, error.to_string());
    if wants_way || offer.moved.is_some() {
        pins.accept_way(&offer.key, way).await.map_err(failed)?;
    }
    let accepted = differing.iter().map(|differing| differing.definition.clone());
    pins.accept(&offer.key, accepted).await.map_err(failed)?;
    told(&offer, &differing, out)
}

/// What a server has, as it would be pinned. What it has no capability for it has none of.
async fn definitions(client: &Client) -> Result<Vec<Definition>, Error> {
    fn there<T>(listed: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
        match listed {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Vec::new()),
            listed => listed,
        }
    }
    let mut all: Vec<_> = there(client.tools().all().await)?.iter().map(Definition::of_tool).collect();
    all.extend(there(client.prompts().all().await)?.iter().map(Definition::of_prompt));
    all.extend(there(client.resource_templates().all().await)?.iter().map(Definition::of_template));
    all.extend(client.server().instructions.as_deref().map(Definition::of_instructions));
    Ok(all)
}

/// The definitions of these names, or of all. Of those that are listed twice the first counts, as it does for calls.
fn meant(mut listed: Vec<Definition>, names: &[String]) -> Result<Vec<Definition>, CliError> {
    let mut seen = HashSet::new();
    listed.retain(|definition| seen.insert((definition.kind(), definition.name().to_owned())));
    if !names.is_empty() {
        listed.retain(|definition| names.iter().any(|name| name == definition.name()));
        if let Some(missing) = names.iter().find(|name| !listed.iter().any(|definition| definition.name() == *name)) {
            let message = format!("the server has nothing called `{}`", sanitize::line(missing));
            return Err(CliError::new(Code::Tool, message).hint("`bowline list --all` shows what it has"));
        }
    }
    Ok(listed)
}

/// Those that are not what is pinned.
fn differing(listed: Vec<Definition>, pins: &Pins, known: Option<&PinnedServer>, key: &str) -> Vec<Differing> {
    let pinned: HashMap<(PinKind, &str), &str> = known
        .iter()
        .flat_map(|known| &known.pins)
        .map(|(kind, name, hash, _)| ((*kind, name.as_str()), hash.as_str()))
        .collect();
    let differs = |definition: Definition| {
        let hash = pinned.get(&(definition.kind(), definition.name()));
        if hash.is_some_and(|hash| *hash == definition.hash()) {
            return None;
        }
        let change = pins.change(key, &definition).unwrap_or_else(|| Change::of_new(&definition));
        Some(Differing { definition, change })
    };
    listed.into_iter().filter_map(differs).collect()
}

/// Shows what is offered; what of it somebody wants pinned, by its hash, by `--yes` or by an answer.
async fn consent<'o>(
    offer: &'o Offer,
    hashes: &[String],
    run: &Run,
    out: &mut Output,
) -> Result<Vec<&'o Differing>, Stop> {
    let all: Vec<&Differing> = offer.differing.iter().collect();
    if all.is_empty() && offer.moved.is_none() && hashes.is_empty() {
        return Ok(all);
    }
    let text = shown(offer);
    let is_text = out.format() != Format::Json;
    if is_text {
        out.long_text(&text)?;
    }
    if !hashes.is_empty() {
        return by_hash(offer, hashes, run).map_err(Stop::from);
    }
    if run.global.yes {
        return Ok(all);
    }
    if is_interactive() {
        let before = if is_text { Styled::new() } else { text };
        if Person::new(run).says_yes(before, "Pin it as it is shown?").await {
            return Ok(all);
        }
        return Err(CliError::new(Code::Denied, "nothing was accepted, so nothing is pinned anew").into());
    }
    let detail = (!is_text).then(|| text.render(false));
    Err(CliError::new(Code::Denied, "somebody has to accept this, and there is no terminal to ask on")
        .hint("look at it, then run this again with --hash and the hash of each, or with --yes for all of it")
        .detail(detail)
        .into())
}

/// The definitions of these hashes. One that is pinned already is no fault, so that this can be run twice.
fn by_hash<'o>(offer: &'o Offer, hashes: &[String], run: &Run) -> Result<Vec<&'o Differing>, CliError> {
    let is_meant = |definition: &Definition| hashes.iter().any(|hash| hash.eq_ignore_ascii_case(definition.hash()));
    let (meant, left): (Vec<_>, Vec<_>) = offer.differing.iter().partition(|one| is_meant(&one.definition));
    let is_known = |hash: &&String| {
        let mut all = meant.iter().map(|one| one.definition.hash()).chain(offer.pinned.iter().map(String::as_str));
        all.any(|known| hash.eq_ignore_ascii_case(known))
    };
    if let Some(unknown) = hashes.iter().find(|hash| !is_known(hash)) {
        let message = format!("nothing that would be accepted has the hash `{}`", sanitize::excerpt(unknown, 80));
        return Err(CliError::new(Code::Changed, message)
            .hint("it may be another one again: run this without --hash to see what it is now"));
    }
    if !left.is_empty() {
        run.console.note(format!("{} more are not what is pinned, and are left as they are", left.len()));
    }
    Ok(meant)
}

/// What is offered, all of it harmless and bounded.
fn shown(offer: &Offer) -> Styled {
    let mut text = Styled::new();
    if let Some((was, is)) = &offer.moved {
        text = text.bold("the way to it").plain(" is another one").line();
        for (sign, way) in [('-', was), ('+', is)] {
            text = text.plain(format!("  {sign} {}", sanitize::excerpt(way, 1_000))).line();
        }
    }
    for Differing { change, .. } in &offer.differing {
        let lines = change.to_string();
        let mut lines = lines.lines();
        let what = match (change.kind, change.is_new()) {
            (PinKind::Instructions, true) => " are new",
            (PinKind::Instructions, false) => " are others",
            (_, true) => " is new",
            (_, false) => " is another one",
        };
        text = text.bold(lines.next().unwrap_or_default()).plain(what).line();
        for line in lines {
            text = text.plain(line).line();
        }
        text = text.dim(format!("  hash {}", change.now)).line();
    }
    text
}

/// Tells what was pinned.
fn told(offer: &Offer, accepted: &[&Differing], out: &mut Output) -> Result<(), Stop> {
    let (new, changed): (Vec<_>, Vec<_>) =
        accepted.iter().map(|differing| &differing.change).partition(|change| change.is_new());
    if out.format() == Format::Json {
        let way = offer.moved.as_ref().map(|(was, is)| json!({"was": was, "is": is}));
        return out.json(&json!({
            "server": offer.key, "pinned": accepted.len(), "changes": changed, "new": new, "way": way,
        }));
    }
    let key = sanitize::line(&offer.key);
    let line = if accepted.is_empty() && offer.moved.is_none() {
        format!("{} of {key} looked at: all as they were pinned", offer.listed)
    } else {
        let way = if offer.moved.is_some() { "; the way to it is accepted" } else { "" };
        format!("{} of {key} pinned: {} changed, {} new{way}", accepted.len(), changed.len(), new.len())
    };
    out.text(&Styled::new().plain(line).line())
}
