//! Which call a piece of one belongs to.

use serde_json::Value;

use super::super::text;
use super::answer::{Stream, function, keep_extra};
use crate::ModelError;
use crate::draft::{Draft, OpenCall};
use crate::message::Arguments;
use crate::toolbox::Toolbox;

impl Stream {
    /// A piece of a call. Pieces belong together by their index; but one with another id or name is another call, since
    /// some servers give all calls the same index.
    pub(super) fn call(&mut self, call: &Value, draft: &mut Draft) -> Result<(), ModelError> {
        let function = function(call);
        let (id, name) = (text(call, "id"), text(function, "name"));
        let arguments = super::super::arguments(function.get("arguments"));
        let goes_on = |open: OpenCall<'_>| id.is_empty() || open.id.is_empty() || open.id == id;
        let known = || draft.key_of_call(id).filter(|_| !id.is_empty());
        let key = match call.get("index").and_then(super::super::count).or_else(known) {
            Some(key) => key,
            None if draft.open_call(self.last).is_none_or(goes_on) => self.last,
            None => self.top.saturating_add(1),
        };
        let meant = match draft.open_call(key) {
            None if id.is_empty() && name.is_empty() && arguments.is_empty() => return Ok(()),
            None => Meant::Other,
            Some(open) if !id.is_empty() && !open.id.is_empty() && id != open.id => Meant::Other,
            Some(open) => meant(open, id, name, &arguments, draft.toolbox()),
        };
        (self.last, self.top) = (key, self.top.max(key));
        match meant {
            Meant::Other => {
                draft.close(key);
                draft.begin_call(key, id, name)?;
            }
            Meant::Same(name) => draft.name_call(key, id, name)?,
        }
        keep_extra(key, call, draft)?;
        draft.arguments(key, &arguments)
    }
}

/// What a piece is of.
enum Meant {
    /// The call that is open, whose name this is as far as it came.
    Same(String),
    /// Another one.
    Other,
}

/// Whether a piece whose id does not say so is of the call that is open. Servers repeat a name with each piece, cut it
/// as they cut arguments, or begin another call with it at the same index.
fn meant(open: OpenCall<'_>, id: &str, name: &str, arguments: &str, tools: &Toolbox) -> Meant {
    let is_whole =
        |text: &str| matches!(Arguments::read(text), Arguments::Object(_)) && text.trim_start().starts_with('{');
    if name.is_empty() || open.name.is_empty() {
        return Meant::Same(if name.is_empty() { open.name } else { name }.to_owned());
    }
    if name == open.name {
        // Twice the same tool, each with all of its arguments. By the same id it is another call only where those
        // differ, and an empty object may come before them.
        let has_no_id = open.id.is_empty() && id.is_empty();
        let is_other = (has_no_id || (arguments != open.arguments && open.arguments.trim() != "{}"))
            && is_whole(arguments)
            && is_whole(open.arguments);
        return if is_other { Meant::Other } else { Meant::Same(name.to_owned()) };
    }
    if !open.arguments.is_empty() {
        // A name ends before arguments begin.
        return if !id.is_empty() && id == open.id { Meant::Same(open.name.to_owned()) } else { Meant::Other };
    }
    let joined = format!("{}{name}", open.name);
    let is_cut = tools.begins_wire_name(&joined);
    let (was_whole, is_whole) = (tools.has_wire_name(open.name), tools.has_wire_name(name));
    match (open.id.is_empty() && id.is_empty(), was_whole && is_whole) {
        _ if is_cut => Meant::Same(joined),
        (_, true) => Meant::Other,
        // All of it so far, each time.
        _ if is_whole && name.starts_with(open.name) => Meant::Same(name.to_owned()),
        (true, _) => Meant::Other,
        (false, _) => Meant::Same(joined),
    }
}
