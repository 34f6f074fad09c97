//! An answer in the making, from pieces that come in any format.

use std::collections::HashSet;
use std::sync::Arc;

use bowline_transport::Secrets;

use crate::message::{Arguments, Opaque, Part, ToolCall};
use crate::toolbox::Toolbox;
use crate::{Answer, Event, Format, ModelError, ModelErrorKind, Stop, Usage};

/// How many parts an answer may have.
const PARTS: usize = 10_000;

/// What the pieces of one part have in common in their provider's stream, such as an index.
pub(crate) type Key = u64;

#[derive(Debug)]
pub(crate) struct Draft {
    format: Format,
    toolbox: Arc<Toolbox>,
    /// Makes the ids that are made here differ from those of answers before.
    turn: usize,
    slots: Vec<Slot>,
    ids: HashSet<String>,
    calls: usize,
    room: usize,
    events: Vec<Event>,
    /// What no error may repeat.
    secrets: Secrets,
    pub(crate) stop: Option<Stop>,
    pub(crate) usage: Usage,
    pub(crate) model: Option<String>,
    pub(crate) id: Option<String>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    kind: Kind,
    opaque: Option<serde_json::Value>,
    is_whole: bool,
}

/// What is known of a call that is not whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenCall<'d> {
    pub(crate) id: &'d str,
    pub(crate) name: &'d str,
    pub(crate) arguments: &'d str,
}

#[derive(Debug)]
enum Kind {
    Text(String),
    Reasoning(String),
    Call { index: usize, id: String, name: String, arguments: String, call: Option<ToolCall> },
    Part(Part),
}

impl Draft {
    pub(crate) fn new(format: Format, toolbox: Arc<Toolbox>, turn: usize, max_bytes: usize) -> Self {
        Self {
            format,
            toolbox,
            turn,
            slots: Vec::new(),
            ids: HashSet::new(),
            calls: 0,
            room: max_bytes,
            events: Vec::new(),
            secrets: Secrets::default(),
            stop: None,
            usage: Usage::default(),
            model: None,
            id: None,
        }
    }

    pub(crate) fn with_secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// What has to be hidden in what the provider says, before it is cut.
    pub(crate) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What came since this was asked last.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn slot(
        &mut self,
        key: Key,
        is_it: impl Fn(&Kind) -> bool,
        make: impl FnOnce(&mut Self) -> Kind,
    ) -> Result<&mut Slot, ModelError> {
        let found = self.slots.iter().rposition(|slot| slot.key == key && !slot.is_whole && is_it(&slot.kind));
        let at = match found {
            Some(at) => at,
            None => {
                let kind = make(self);
                self.add(key, kind, false)?;
                self.slots.len() - 1
            }
        };
        self.slots.get_mut(at).ok_or_else(too_many)
    }

    fn add(&mut self, key: Key, kind: Kind, is_whole: bool) -> Result<(), ModelError> {
        if self.slots.len() >= PARTS {
            return Err(too_many());
        }
        self.slots.push(Slot { key, kind, opaque: None, is_whole });
        Ok(())
    }

    /// Counts what is held.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), ModelError> {
        let room = self.room.checked_sub(bytes);
        self.room = room.ok_or_else(|| {
            ModelError::new(
                ModelErrorKind::TooLarge,
                "the model's answer is larger than the limit; raise max_answer_bytes",
            )
        })?;
        Ok(())
    }

    /// A piece of a text.
    pub(crate) fn text(&mut self, key: Key, piece: &str) -> Result<(), ModelError> {
        self.spend(piece.len())?;
        let slot = self.slot(key, |kind| matches!(kind, Kind::Text(_)), |_| Kind::Text(String::new()))?;
        if let Kind::Text(text) = &mut slot.kind {
            text.push_str(piece);
        }
        if !piece.is_empty() {
            self.events.push(Event::Text(piece.to_owned()));
        }
        Ok(())
    }

    /// A piece of what it thinks.
    pub(crate) fn reasoning(&mut self, key: Key, piece: &str) -> Result<(), ModelError> {
        self.spend(piece.len())?;
        let slot = self.slot(key, |kind| matches!(kind, Kind::Reasoning(_)), |_| Kind::Reasoning(String::new()))?;
        if let Kind::Reasoning(text) = &mut slot.kind {
            text.push_str(piece);
        }
        if !piece.is_empty() {
            self.events.push(Event::Reasoning(piece.to_owned()));
        }
        Ok(())
    }

    /// Changes what the provider wants back with the last part of this key.
    pub(crate) fn opaque(&mut self, key: Key, change: impl FnOnce(&mut serde_json::Value)) {
        if let Some(slot) = self.slots.iter_mut().rev().find(|slot| slot.key == key) {
            change(slot.opaque.get_or_insert_default());
        }
    }

    /// Whether there is a part of this key to which more can come.
    pub(crate) fn is_open(&self, key: Key) -> bool {
        self.slots.iter().any(|slot| slot.key == key && !slot.is_whole)
    }

    /// A call begins.
    pub(crate) fn begin_call(&mut self, key: Key, id: &str, name: &str) -> Result<(), ModelError> {
        self.spend(id.len() + name.len())?;
        let index = self.calls;
        self.calls += 1;
        let kind = Kind::Call { index, id: id.to_owned(), name: name.to_owned(), arguments: String::new(), call: None };
        self.add(key, kind, false)?;
        let (name, _) = self.toolbox.restore(name.to_owned(), Arguments::Broken(String::new()));
        self.events.push(Event::CallBegun { index, name });
        Ok(())
    }

    /// What is known of the call of this key that is not whole.
    pub(crate) fn open_call(&self, key: Key) -> Option<OpenCall<'_>> {
        self.slots.iter().rev().find(|slot| slot.key == key && !slot.is_whole).and_then(|slot| match &slot.kind {
            Kind::Call { id, name, arguments, .. } => Some(OpenCall { id, name, arguments }),
            _ => None,
        })
    }

    /// The tools, as the provider knows them.
    pub(crate) fn toolbox(&self) -> &Toolbox {
        &self.toolbox
    }

    /// Whether nothing came yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.stop.is_none()
    }

    /// The key of the call of this id that is not whole.
    pub(crate) fn key_of_call(&self, id: &str) -> Option<Key> {
        let is_it = |slot: &&Slot| !slot.is_whole && matches!(&slot.kind, Kind::Call { id: open, .. } if open == id);
        self.slots.iter().rev().find(is_it).map(|slot| slot.key)
    }

    /// Sets what came later of a call's id, if it is any, and its name.
    pub(crate) fn name_call(&mut self, key: Key, new_id: &str, new_name: String) -> Result<(), ModelError> {
        self.spend(new_id.len() + new_name.len())?;
        for slot in self.slots.iter_mut().rev().filter(|slot| slot.key == key && !slot.is_whole) {
            if let Kind::Call { id, name, .. } = &mut slot.kind {
                if !new_id.is_empty() {
                    new_id.clone_into(id);
                }
                *name = new_name;
                break;
            }
        }
        Ok(())
    }

    /// A piece of a call's arguments. It belongs to the call of this key that is not whole; without one it is lost, as
    /// the provider broke its own rules.
    pub(crate) fn arguments(&mut self, key: Key, piece: &str) -> Result<(), ModelError> {
        self.spend(piece.len())?;
        let open = self.slots.iter_mut().rev().find(|slot| slot.key == key && !slot.is_whole);
        if let Some(Slot { kind: Kind::Call { index, arguments, .. }, .. }) = open
            && !piece.is_empty()
        {
            arguments.push_str(piece);
            self.events.push(Event::CallArguments { index: *index, piece: piece.to_owned() });
        }
        Ok(())
    }

    /// Sets all arguments of a call, where they came whole.
    pub(crate) fn whole_arguments(&mut self, key: Key, text: &str) -> Result<(), ModelError> {
        let open = self.slots.iter_mut().rev().find(|slot| slot.key == key && !slot.is_whole);
        let Some(Slot { kind: Kind::Call { index, arguments, .. }, .. }) = open else { return Ok(()) };
        if text.is_empty() {
            // It only says that they are over.
            return Ok(());
        }
        if arguments.is_empty() {
            let index = *index;
            text.clone_into(arguments);
            self.events.push(Event::CallArguments { index, piece: text.to_owned() });
            return self.spend(text.len());
        }
        text.clone_into(arguments);
        Ok(())
    }

    /// Nothing more comes for this key. A call is put together.
    pub(crate) fn close(&mut self, key: Key) {
        let open = self.slots.iter().rposition(|slot| slot.key == key && !slot.is_whole);
        if let Some(at) = open {
            self.close_at(at, false);
        }
    }

    fn close_at(&mut self, at: usize, is_end: bool) {
        let (turn, made, is_sure) = (self.turn, self.ids.len(), self.stop.is_some() || !is_end);
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.is_whole = true;
        let opaque = slot.opaque.take().map(|value| Opaque::new(self.format, value));
        let Kind::Call { id, name, arguments, call, .. } = &mut slot.kind else {
            slot.opaque = opaque.map(|opaque| opaque.value);
            return;
        };
        if id.is_empty() || self.ids.contains(id) {
            *id = format!("call_{turn}_{made}");
        }
        self.ids.insert(id.clone());
        // Where nobody said that the call was whole, none are not the same as an object without members.
        let is_cut = !is_sure && arguments.trim().is_empty();
        let arguments = if is_cut { Arguments::Broken(String::new()) } else { Arguments::read(arguments) };
        let (name, arguments) = self.toolbox.restore(std::mem::take(name), arguments);
        let whole = ToolCall { opaque, ..ToolCall::new(id.clone(), name, arguments) };
        *call = Some(whole.clone());
        self.events.push(Event::Call(whole));
    }

    /// A part that came whole.
    pub(crate) fn part(&mut self, part: Part) -> Result<(), ModelError> {
        let bytes = match &part {
            Part::Media(media) => media.data.len(),
            Part::Opaque(opaque) => opaque.value.to_string().len(),
            _ => 0,
        };
        self.spend(bytes)?;
        self.add(Key::MAX, Kind::Part(part), true)
    }

    /// The answer as far as it came, without calls that are not whole.
    pub(crate) fn partial(&mut self) -> Answer {
        self.slots.retain(|slot| slot.is_whole || !matches!(slot.kind, Kind::Call { .. }));
        self.answer()
    }

    /// The answer, at its end.
    pub(crate) fn finish(&mut self) -> Answer {
        for at in 0..self.slots.len() {
            if self.slots.get(at).is_some_and(|slot| !slot.is_whole) {
                self.close_at(at, true);
            }
        }
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let format = self.format;
        let mut parts: Vec<Part> =
            std::mem::take(&mut self.slots).into_iter().filter_map(|slot| slot.into_part(format)).collect();
        // A call that was being written when the answer was cut may be whole by its looks alone.
        if matches!(self.stop, Some(Stop::MaxTokens | Stop::ContextFull | Stop::Refusal))
            && let Some(Part::Call(call)) = parts.last_mut()
            && let Arguments::Object(raw) = &call.arguments
        {
            let text = if raw.as_str() == "{}" { "" } else { raw.as_str() };
            call.arguments = Arguments::Broken(text.to_owned());
        }
        let has_calls = parts.iter().any(|part| matches!(part, Part::Call(_)));
        // Some providers say that they are done when they wait for results.
        let stop = match self.stop.take() {
            None | Some(Stop::EndTurn) if has_calls => Stop::ToolCalls,
            Some(Stop::ToolCalls) if !has_calls => Stop::EndTurn,
            stop => stop.unwrap_or_default(),
        };
        Answer { parts, stop, usage: self.usage, model: self.model.take(), id: self.id.take() }
    }
}

impl Slot {
    fn into_part(self, format: Format) -> Option<Part> {
        let opaque = self.opaque.map(|value| Opaque::new(format, value));
        match self.kind {
            Kind::Text(text) if text.is_empty() && opaque.is_none() => None,
            Kind::Text(text) => Some(Part::Text { text, opaque }),
            Kind::Reasoning(text) if text.is_empty() && opaque.is_none() => None,
            Kind::Reasoning(text) => Some(Part::Reasoning { text, opaque }),
            Kind::Call { call, .. } => call.map(Part::Call),
            Kind::Part(part) => Some(part),
        }
    }
}

fn too_many() -> ModelError {
    let why = "the model's answer has more parts than can be held; ask for less";
    ModelError::new(ModelErrorKind::TooLarge, why)
}
