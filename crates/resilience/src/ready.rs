//! The service that is ready.

use std::mem;

/// Takes the service that was found ready, and leaves a clone, which has yet to be. What waits first and calls later
/// must not call one that nobody asked whether it is ready.
pub(crate) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}
