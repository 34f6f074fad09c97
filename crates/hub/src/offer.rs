//! What members offer, by the names that are given out.

use std::sync::Arc;

use bowline_client::{Client, Listed, Pages};
use bowline_protocol::{Prompt, Resource, ResourceTemplate, Tool};

use crate::kept::{Kept, List};
use crate::seat::Seat;

/// Something that a member offers. A clone is cheap.
#[derive(Debug)]
#[non_exhaustive]
pub struct Offered<T> {
    /// Whose it is: the name of the member.
    pub member: Arc<str>,
    /// What it is called here: such as `files__read` for a tool or prompt; the URI, or template, for a resource.
    pub name: Arc<str>,
    /// What the server lists, by its own name.
    pub item: Arc<T>,
    /// What the server itself calls it.
    pub(crate) own: Arc<str>,
}

impl<T> Clone for Offered<T> {
    fn clone(&self) -> Self {
        Self {
            member: Arc::clone(&self.member),
            name: Arc::clone(&self.name),
            item: Arc::clone(&self.item),
            own: Arc::clone(&self.own),
        }
    }
}

/// A tool of one of many servers.
pub type HubTool = Offered<Tool>;

impl<T> Offered<T> {
    /// What the server itself calls it.
    pub const fn own_name(&self) -> &Arc<str> {
        &self.own
    }
}

impl Offered<Tool> {
    /// The tool by the name that is given out, as models are shown it.
    pub fn to_tool(&self) -> Tool {
        let mut tool = (*self.item).clone();
        tool.name = self.name.as_ref().to_owned();
        tool
    }
}

impl Offered<Prompt> {
    /// The prompt by the name that is given out.
    pub fn to_prompt(&self) -> Prompt {
        let mut prompt = (*self.item).clone();
        prompt.name = self.name.as_ref().to_owned();
        prompt
    }
}

/// What can be listed of all members: [`Tool`], [`Prompt`], [`Resource`] and [`ResourceTemplate`].
pub trait Offer: Listed + Sync + sealed::Sealed {
    /// What a list of them is called.
    #[doc(hidden)]
    const LIST: &'static str;
    /// Whether they are given out by another name than the server's own.
    #[doc(hidden)]
    const RENAMED: bool;
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed: Sized {
        fn kept(seat: &Seat) -> &Kept<Self>;
        fn pages(client: &Client) -> Pages<Self>
        where
            Self: Listed;
        /// The same without a hold on the bytes that it came in, which may be many more than its own.
        fn detached(self) -> Self {
            self
        }
        /// Whether the server says that it tells when its list changes.
        fn tells_changes(client: &Client) -> bool;
        /// Why it may not be used, where it may not.
        fn refused(&self, seat: &Seat) -> Option<&'static str> {
            let _ = seat;
            None
        }
        /// Takes note of a list that was read.
        fn was_read(seat: &Seat, list: &List<Self>) {
            let _ = (seat, list);
        }
    }
}

impl Offer for Tool {
    const LIST: &'static str = "tools";
    const RENAMED: bool = true;
}

impl sealed::Sealed for Tool {
    fn kept(seat: &Seat) -> &Kept<Self> {
        &seat.tools
    }

    fn pages(client: &Client) -> Pages<Self> {
        client.tools()
    }

    fn detached(mut self) -> Self {
        self.input_schema = self.input_schema.detach();
        self.output_schema = self.output_schema.map(|schema| schema.detach());
        self
    }

    fn tells_changes(client: &Client) -> bool {
        client.server().capabilities.tools.as_ref().is_some_and(|declared| declared.list_changed())
    }

    fn refused(&self, seat: &Seat) -> Option<&'static str> {
        seat.refused(&self.name, self.annotations.as_ref())
    }
}

impl Offer for Prompt {
    const LIST: &'static str = "prompts";
    const RENAMED: bool = true;
}

impl sealed::Sealed for Prompt {
    fn kept(seat: &Seat) -> &Kept<Self> {
        &seat.prompts
    }

    fn pages(client: &Client) -> Pages<Self> {
        client.prompts()
    }

    fn refused(&self, seat: &Seat) -> Option<&'static str> {
        seat.refused_prompt(&self.name)
    }

    fn tells_changes(client: &Client) -> bool {
        client.server().capabilities.prompts.as_ref().is_some_and(|declared| declared.list_changed())
    }
}

impl Offer for Resource {
    const LIST: &'static str = "resources";
    const RENAMED: bool = false;
}

impl sealed::Sealed for Resource {
    fn kept(seat: &Seat) -> &Kept<Self> {
        &seat.resources
    }

    fn pages(client: &Client) -> Pages<Self> {
        client.resources()
    }

    fn refused(&self, seat: &Seat) -> Option<&'static str> {
        seat.refused_resource(&self.uri)
    }

    fn tells_changes(client: &Client) -> bool {
        client.server().capabilities.resources.as_ref().is_some_and(|declared| declared.list_changed())
    }

    fn was_read(seat: &Seat, list: &List<Self>) {
        seat.office.with_uris(seat, |uris| {
            uris.replace(&seat.member.name, list.items.iter().map(|offered| Arc::clone(&offered.name)).collect());
        });
    }
}

impl Offer for ResourceTemplate {
    const LIST: &'static str = "resource templates";
    const RENAMED: bool = false;
}

impl sealed::Sealed for ResourceTemplate {
    fn kept(seat: &Seat) -> &Kept<Self> {
        &seat.templates
    }

    fn pages(client: &Client) -> Pages<Self> {
        client.resource_templates()
    }

    fn refused(&self, seat: &Seat) -> Option<&'static str> {
        seat.refused_resource(&self.uri_template)
    }

    fn tells_changes(client: &Client) -> bool {
        client.server().capabilities.resources.as_ref().is_some_and(|declared| declared.list_changed())
    }

    fn was_read(seat: &Seat, list: &List<Self>) {
        seat.office.with_uris(seat, |uris| {
            uris.replace_templates(&seat.member.name, list.items.iter().map(|offered| offered.name.as_ref()));
        });
    }
}
