//! Parameters that several methods share.

use crate::wire::object;

object! {
    /// The parameters of a request that has none of its own.
    #[derive(Default)]
    pub struct RequestParams (meta) {}
}

object! {
    /// The parameters of a notification that has none of its own.
    #[derive(Default)]
    pub struct NotificationParams (meta) {}
}

object! {
    /// The parameters of a request for one page of a list.
    ///
    /// Specification: server/utilities/pagination.
    #[derive(Default)]
    pub struct PaginatedRequestParams (meta) {
        optional {
            /// Where the page starts: the `nextCursor` of the page before, byte for byte. An empty string is one too.
            cursor: String => with_cursor,
        }
    }
}
