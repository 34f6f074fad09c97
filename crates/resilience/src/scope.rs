//! Whether something is counted for a server as a whole or for each of its tools.

use std::collections::HashMap;
use std::sync::Arc;

use bowline_client::Call;
use bowline_protocol::method;

/// For how many tools something is kept apart. What is beyond that shares one place.
const MAX_KEYS: usize = 1024;

/// What a breaker or a limit is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// One for all calls.
    #[default]
    Server,
    /// One for each tool, and one for all calls of other methods. At most 1,024 tools are told apart.
    Tool,
}

impl Scope {
    /// The tool that a call is counted for; none where it is counted with the server.
    pub(crate) fn key(self, call: &Call) -> Option<&Arc<str>> {
        match self {
            Self::Tool if call.method() == method::TOOLS_CALL => call.shared_name(),
            _ => None,
        }
    }
}

/// One `T` for the server, and one for each tool.
#[derive(Debug)]
pub(crate) struct Keyed<T> {
    server: T,
    tools: HashMap<Arc<str>, T>,
}

impl<T> Keyed<T> {
    pub(crate) fn new(server: T) -> Self {
        Self { server, tools: HashMap::new() }
    }

    /// The one for a key, made where there is none yet.
    pub(crate) fn entry(&mut self, key: Option<&Arc<str>>, make: impl FnOnce() -> T) -> &mut T {
        let Some(key) = key else { return &mut self.server };
        if !self.tools.contains_key(key) {
            if self.tools.len() >= MAX_KEYS {
                return &mut self.server;
            }
            self.tools.insert(Arc::clone(key), make());
        }
        // It is there now; the other arm is what the compiler cannot know.
        self.tools.get_mut(key).unwrap_or(&mut self.server)
    }

    /// The one for a tool, if there is one.
    pub(crate) fn get(&self, tool: Option<&str>) -> Option<&T> {
        tool.map_or(Some(&self.server), |tool| self.tools.get(tool))
    }

    /// That of the server and those of tools.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.server).chain(self.tools.values())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Option<&Arc<str>>, &mut T)> {
        std::iter::once((None, &mut self.server)).chain(self.tools.iter_mut().map(|(key, value)| (Some(key), value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_beyond_the_bound_share_the_servers_place() {
        let mut keyed = Keyed::new(0_u32);
        for n in 0..MAX_KEYS + 10 {
            let key: Arc<str> = n.to_string().into();
            *keyed.entry(Some(&key), || 0) += 1;
        }
        assert_eq!((keyed.tools.len(), keyed.server), (MAX_KEYS, 10));
        let first: Arc<str> = "0".into();
        *keyed.entry(Some(&first), || 0) += 1;
        assert_eq!(keyed.get(Some("0")), Some(&2));
        assert_eq!(keyed.get(Some("x")), None);
    }

    #[test]
    fn only_calls_of_tools_are_counted_for_a_tool() {
        let call = Call::new("tools/call").with_name("t");
        assert_eq!(Scope::Tool.key(&call).map(AsRef::as_ref), Some("t"));
        assert_eq!(Scope::Server.key(&call), None);
        assert_eq!(Scope::Tool.key(&Call::new("prompts/get").with_name("t")), None);
    }
}
