//! What each side declares that it can do.
//!
//! Absence means that it cannot; null is absence too. `true`, and an array where PHP meant an empty object, mean
//! that it can.

use crate::meta::Extra;
use crate::wire::object;

object! {
    /// What a client can do.
    ///
    /// ```
    /// use bowline_protocol::{ClientCapabilities, RootsCapability};
    ///
    /// let capabilities = ClientCapabilities::new().with_roots(RootsCapability::new().with_list_changed(true));
    /// assert_eq!(serde_json::to_string(&capabilities)?, r#"{"roots":{"listChanged":true}}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[derive(Default)]
    pub struct ClientCapabilities {
        optional {
            /// It answers `elicitation/create` (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::feature")]
            elicitation: ElicitationCapability => with_elicitation,
            /// It answers `sampling/createMessage`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            sampling: SamplingCapability => with_sampling,
            /// It answers `roots/list`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            roots: RootsCapability => with_roots,
            /// It can run requests of the server as tasks (2025-11-25).
            #[serde(deserialize_with = "crate::lenient::feature")]
            tasks: ClientTasksCapability => with_tasks,
            /// Extensions by name, with their settings (2026-07-28).
            #[serde(deserialize_with = "crate::lenient::feature")]
            extensions: Extra => with_extensions,
            /// What no specification names.
            #[serde(deserialize_with = "crate::lenient::feature")]
            experimental: Extra => with_experimental,
        }
    }
}

object! {
    /// How a client elicits. Neither mode declared means forms alone, as before 2025-11-25.
    #[derive(Default)]
    pub struct ElicitationCapability {
        optional {
            /// By forms.
            #[serde(deserialize_with = "crate::lenient::feature")]
            form: Extra => with_form,
            /// By a visit to a URL.
            #[serde(deserialize_with = "crate::lenient::feature")]
            url: Extra => with_url,
        }
    }
}

impl ElicitationCapability {
    /// Whether forms are served.
    pub const fn has_form(&self) -> bool {
        self.form.is_some() || self.url.is_none()
    }
}

object! {
    /// What a client's sampling can do beyond the plain (since 2025-11-25).
    #[derive(Default)]
    pub struct SamplingCapability {
        optional {
            /// It honours `includeContext` (deprecated).
            #[serde(deserialize_with = "crate::lenient::feature")]
            context: Extra => with_context,
            /// It takes `tools` and `toolChoice`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            tools: Extra => with_tools,
        }
    }
}

object! {
    /// What a client tells of its roots.
    #[derive(Default)]
    pub struct RootsCapability {
        optional {
            /// It says when they change (until 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::flag")]
            list_changed: bool => with_list_changed,
        }
    }
}

object! {
    /// What a client can run as a task (2025-11-25).
    #[derive(Default)]
    pub struct ClientTasksCapability {
        optional {
            /// It answers `tasks/list`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            list: Extra => with_list,
            /// It answers `tasks/cancel`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            cancel: Extra => with_cancel,
            /// The requests that may be tasks.
            #[serde(deserialize_with = "crate::lenient::feature")]
            requests: ClientTaskRequests => with_requests,
        }
    }
}

object! {
    /// The requests that a client can run as tasks (2025-11-25).
    #[derive(Default)]
    pub struct ClientTaskRequests {
        optional {
            /// Those of elicitation.
            #[serde(deserialize_with = "crate::lenient::feature")]
            elicitation: ElicitationTasks => with_elicitation,
            /// Those of sampling.
            #[serde(deserialize_with = "crate::lenient::feature")]
            sampling: SamplingTasks => with_sampling,
        }
    }
}

object! {
    /// The elicitation requests that a client can run as tasks (2025-11-25).
    #[derive(Default)]
    pub struct ElicitationTasks {
        optional {
            /// `elicitation/create`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            create: Extra => with_create,
        }
    }
}

object! {
    /// The sampling requests that a client can run as tasks (2025-11-25).
    #[derive(Default)]
    pub struct SamplingTasks {
        optional {
            /// `sampling/createMessage`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            create_message: Extra => with_create_message,
        }
    }
}

object! {
    /// What a server can do.
    #[derive(Default)]
    pub struct ServerCapabilities {
        optional {
            /// It offers tools.
            #[serde(deserialize_with = "crate::lenient::feature")]
            tools: ToolsCapability => with_tools,
            /// It offers resources.
            #[serde(deserialize_with = "crate::lenient::feature")]
            resources: ResourcesCapability => with_resources,
            /// It offers prompts.
            #[serde(deserialize_with = "crate::lenient::feature")]
            prompts: PromptsCapability => with_prompts,
            /// It completes arguments (since 2025-03-26; before, servers did so undeclared).
            #[serde(deserialize_with = "crate::lenient::feature")]
            completions: Extra => with_completions,
            /// It sends log messages.
            #[serde(deserialize_with = "crate::lenient::feature")]
            logging: Extra => with_logging,
            /// It can run requests of the client as tasks (2025-11-25).
            #[serde(deserialize_with = "crate::lenient::feature")]
            tasks: ServerTasksCapability => with_tasks,
            /// Extensions by name, with their settings (2026-07-28).
            #[serde(deserialize_with = "crate::lenient::feature")]
            extensions: Extra => with_extensions,
            /// What no specification names.
            #[serde(deserialize_with = "crate::lenient::feature")]
            experimental: Extra => with_experimental,
        }
    }
}

object! {
    /// What a server tells of its tools.
    #[derive(Default)]
    pub struct ToolsCapability {
        optional {
            /// It says when the list changes.
            #[serde(deserialize_with = "crate::lenient::flag")]
            list_changed: bool => with_list_changed,
        }
    }
}

object! {
    /// What a server tells of its resources.
    #[derive(Default)]
    pub struct ResourcesCapability {
        optional {
            /// It says when a resource changes, to those who subscribed.
            #[serde(deserialize_with = "crate::lenient::flag")]
            subscribe: bool => with_subscribe,
            /// It says when the list changes.
            #[serde(deserialize_with = "crate::lenient::flag")]
            list_changed: bool => with_list_changed,
        }
    }
}

object! {
    /// What a server tells of its prompts.
    #[derive(Default)]
    pub struct PromptsCapability {
        optional {
            /// It says when the list changes.
            #[serde(deserialize_with = "crate::lenient::flag")]
            list_changed: bool => with_list_changed,
        }
    }
}

object! {
    /// What a server can run as a task (2025-11-25).
    #[derive(Default)]
    pub struct ServerTasksCapability {
        optional {
            /// It answers `tasks/list`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            list: Extra => with_list,
            /// It answers `tasks/cancel`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            cancel: Extra => with_cancel,
            /// The requests that may be tasks.
            #[serde(deserialize_with = "crate::lenient::feature")]
            requests: ServerTaskRequests => with_requests,
        }
    }
}

object! {
    /// The requests that a server can run as tasks (2025-11-25).
    #[derive(Default)]
    pub struct ServerTaskRequests {
        optional {
            /// Those of tools.
            #[serde(deserialize_with = "crate::lenient::feature")]
            tools: ToolTasks => with_tools,
        }
    }
}

object! {
    /// The tool requests that a server can run as tasks (2025-11-25).
    #[derive(Default)]
    pub struct ToolTasks {
        optional {
            /// `tools/call`.
            #[serde(deserialize_with = "crate::lenient::feature")]
            call: Extra => with_call,
        }
    }
}

/// The flags of capabilities, with absence read as no.
macro_rules! flags {
    ($($name:ident { $($(#[$attr:meta])* $flag:ident,)+ })+) => {
        $(
            impl $name {
                $(
                    $(#[$attr])*
                    pub fn $flag(&self) -> bool {
                        self.$flag.unwrap_or(false)
                    }
                )+
            }
        )+
    };
}

flags! {
    RootsCapability {
        /// Whether it says when they change.
        list_changed,
    }
    ToolsCapability {
        /// Whether it says when the list changes.
        list_changed,
    }
    PromptsCapability {
        /// Whether it says when the list changes.
        list_changed,
    }
    ResourcesCapability {
        /// Whether it says when a resource changes, to those who subscribed.
        subscribe,
        /// Whether it says when the list changes.
        list_changed,
    }
}
