//! How the wire types are written down: `object!` for objects, `open_enum!` for strings with known values.

/// Defines an object of the wire, with its constructor and setters.
///
/// Members are camel-cased and come in groups:
/// - `required`: arguments of `new`;
/// - `list`: a `Vec`, also an argument of `new`; absent and null read as empty;
/// - `words`: a `Vec` of texts, also an argument of `new`; what is no text is left out;
/// - `preset`: set by `new` to what it nearly always is, with its setter;
/// - `optional`: an `Option` with its setter; absent and null read as none;
/// - `counts`: an optional whole number that is not negative; anything else reads as none;
/// - `problems`: what was wrong with items of the list, never written.
///
/// Before the braces stand the members that many types share: `_meta`, then for results the `resultType`, then the
/// cache hints. Whatever else a peer sends is kept in `extra`.
macro_rules! object {
    (
        $(#[$attr:meta])*
        pub struct $name:ident $( ($meta:ident $(, $result_type:ident $(, $ttl_ms:ident, $cache_scope:ident)?)?) )? {
            $( required { $( $(#[$rattr:meta])* $rfield:ident: $rtype:ty, )* } )?
            $( list { $( $(#[$lattr:meta])* $lfield:ident: $litem:ty, )* } )?
            $( words { $( $(#[$wattr:meta])* $wfield:ident, )* } )?
            $( preset { $( $(#[$pattr:meta])* $pfield:ident: $ptype:ty = $preset:expr => $pset:ident, )* } )?
            $( optional { $( $(#[$oattr:meta])* $ofield:ident: $otype:ty => $oset:ident, )* } )?
            $( counts { $( $(#[$cattr:meta])* $cfield:ident => $cset:ident, )* } )?
            $( problems { $problems:ident } )?
        }
    ) => {
        $(#[$attr])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", expecting = "an object")]
        #[non_exhaustive]
        pub struct $name {
            $($(
                /// What kind of result this is; none before 2026-07-28, where it means complete. Also none for what is
                /// no text, which [`Payload::kind`](crate::Payload::kind) tells apart.
                #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::word")]
                pub $result_type: Option<$crate::ResultKind>,
            )?)?
            $($( $(#[$rattr])* pub $rfield: $rtype, )*)?
            $($(
                $(#[$lattr])*
                #[serde(default, deserialize_with = "crate::lenient::list")]
                pub $lfield: Vec<$litem>,
            )*)?
            $($(
                $(#[$wattr])*
                #[serde(default, deserialize_with = "crate::lenient::texts")]
                pub $wfield: Vec<String>,
            )*)?
            $($( $(#[$pattr])* pub $pfield: $ptype, )*)?
            $($(
                $(#[$oattr])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $ofield: Option<$otype>,
            )*)?
            $($(
                $(#[$cattr])*
                #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::count")]
                pub $cfield: Option<u64>,
            )*)?
            $($($(
                /// For how long the result may be kept, in milliseconds (2026-07-28). None, or a value that is no
                /// such number: it is stale at once.
                #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::count")]
                pub $ttl_ms: Option<u64>,
                /// Who may share a kept result (2026-07-28). None, or a value that is no text: the one who asked.
                #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::word")]
                pub $cache_scope: Option<$crate::CacheScope>,
            )?)?)?
            $(
                /// The `_meta` object.
                #[serde(
                    rename = "_meta",
                    default,
                    skip_serializing_if = "Option::is_none",
                    deserialize_with = "crate::lenient::feature"
                )]
                pub $meta: Option<$crate::Meta>,
            )?
            /// Members that this library does not know.
            #[serde(flatten)]
            pub extra: $crate::Extra,
            $(
                /// Items that could not be read; they are not part of the wire form.
                #[serde(skip)]
                pub $problems: Vec<$crate::ItemProblem>,
            )?
        }

        impl $name {
            #[doc = concat!("Makes a `", stringify!($name), "` without its optional members.")]
            pub fn new(
                $($( $rfield: impl Into<$rtype>, )*)?
                $($( $lfield: impl Into<Vec<$litem>>, )*)?
                $($( $wfield: impl Into<Vec<String>>, )*)?
            ) -> Self {
                Self {
                    $($( $result_type: None, )?)?
                    $($( $rfield: $rfield.into(), )*)?
                    $($( $lfield: $lfield.into(), )*)?
                    $($( $wfield: $wfield.into(), )*)?
                    $($( $pfield: $preset, )*)?
                    $($( $ofield: None, )*)?
                    $($( $cfield: None, )*)?
                    $($($( $ttl_ms: None, $cache_scope: None, )?)?)?
                    $( $meta: None, )?
                    extra: $crate::Extra::new(),
                    $( $problems: Vec::new(), )?
                }
            }

            $($(
                #[doc = concat!("Sets [`", stringify!($pfield), "`](Self::", stringify!($pfield), ").")]
                #[must_use]
                pub fn $pset(mut self, $pfield: impl Into<$ptype>) -> Self {
                    self.$pfield = $pfield.into();
                    self
                }
            )*)?
            $($(
                #[doc = concat!("Sets [`", stringify!($ofield), "`](Self::", stringify!($ofield), ").")]
                #[must_use]
                pub fn $oset(mut self, $ofield: impl Into<$otype>) -> Self {
                    self.$ofield = Some($ofield.into());
                    self
                }
            )*)?
            $($(
                #[doc = concat!("Sets [`", stringify!($cfield), "`](Self::", stringify!($cfield), ").")]
                #[must_use]
                pub const fn $cset(mut self, $cfield: u64) -> Self {
                    self.$cfield = Some($cfield);
                    self
                }
            )*)?
            $($(
                /// Says what kind of result this is: 2026-07-28 demands it.
                #[must_use]
                pub fn with_result_type(mut self, $result_type: $crate::ResultKind) -> Self {
                    self.$result_type = Some($result_type);
                    self
                }
                $(
                    /// Says for how many milliseconds, and by whom, the result may be kept (2026-07-28).
                    #[must_use]
                    pub fn with_cache(mut self, $ttl_ms: u64, $cache_scope: $crate::CacheScope) -> Self {
                        self.$ttl_ms = Some($ttl_ms);
                        self.$cache_scope = Some($cache_scope);
                        self
                    }
                )?
            )?)?
            $(
                /// Sets the `_meta` object.
                #[must_use]
                pub fn with_meta(mut self, $meta: $crate::Meta) -> Self {
                    self.$meta = Some($meta);
                    self
                }
            )?
        }
    };
}
pub(crate) use object;

/// Defines a string with known values; any other text is kept in `Other`.
macro_rules! open_enum {
    (
        $(#[$attr:meta])*
        pub enum $name:ident {
            $( $(#[$vattr:meta])* $value:literal => $variant:ident, )+
        }
    ) => {
        $(#[$attr])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$vattr])* $variant, )+
            /// A value that this library does not know.
            Other(String),
        }

        impl $name {
            /// The values that this library knows.
            pub const KNOWN: &[Self] = &[$( Self::$variant, )+];

            /// The value as the wire has it.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $value, )+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $value => Self::$variant, )+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::lenient::text(deserializer)
            }
        }
    };
}
pub(crate) use open_enum;
