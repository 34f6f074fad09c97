//! JSON values that count what is done with them.
//!
//! The library reads values through traits. These implementations hand on to the library's own for `serde_json` and
//! count on the way: what is counted is kept for the thread, since a check runs on one thread from start to end.

use std::borrow::Cow;
use std::cell::Cell;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, SerdeJson};
use serde_json::{Map, Value};

use crate::prepare::STEP;

/// What a byte of text costs where there are regular expressions: a byte may be looked at for each state of one.
const PATTERN_COST: u64 = 32;

/// The budget of the check that runs on a thread.
#[derive(Debug, Clone, Copy)]
struct Budget {
    left: u64,
    /// An address on the stack where the check began.
    base: usize,
    stack_bytes: usize,
    text_cost: u64,
    /// Whether the check is left at once when the budget is used up.
    leave: bool,
    spent: bool,
}

const NONE: Budget = Budget { left: 0, base: 0, stack_bytes: 0, text_cost: 1, leave: false, spent: false };

thread_local! {
    static BUDGET: Cell<Budget> = const { Cell::new(NONE) };
}

/// What leaves a check whose budget is used up.
pub(super) struct UsedUp;

/// What a check may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) work: u64,
    pub(super) stack_bytes: usize,
    pub(super) has_patterns: bool,
    /// Whether the check is left by unwinding when it is used up. Else it ends by failing everywhere, which bounds a
    /// mere verdict and not the collection of errors.
    pub(super) leave: bool,
}

/// Runs `check` within an allowance; `None` when it was used up, and the outcome means nothing.
pub(super) fn within<T>(allowance: Allowance, check: impl FnOnce() -> T) -> Option<T> {
    let here = 0_u8;
    let outer = BUDGET.replace(Budget {
        left: allowance.work,
        base: address(&here),
        stack_bytes: allowance.stack_bytes,
        text_cost: if allowance.has_patterns { PATTERN_COST } else { 1 },
        leave: allowance.leave,
        spent: false,
    });
    let outcome = check();
    let budget = BUDGET.replace(outer);
    (!budget.spent).then_some(outcome)
}

fn address(place: &u8) -> usize {
    std::ptr::from_ref(place) as usize
}

/// Counts; tells whether there is still budget.
fn charge(steps: u64) -> bool {
    let mut budget = BUDGET.get();
    let here = 0_u8;
    let deep = budget.base.abs_diff(address(&here)) > budget.stack_bytes;
    match budget.left.checked_sub(steps) {
        Some(left) if !deep && !budget.spent => budget.left = left,
        _ => budget.spent = true,
    }
    BUDGET.set(budget);
    if budget.spent && budget.leave {
        // No panic: no hook is called, nothing is printed. `engine` catches it.
        std::panic::resume_unwind(Box::new(UsedUp));
    }
    !budget.spent
}

fn charge_text(bytes: usize) {
    charge((bytes as u64).saturating_mul(BUDGET.get().text_cost).saturating_add(1));
}

/// How many values a value is made of; recursion is bounded by the depth of what is checked.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(members) => {
            1 + members.iter().map(|(name, member)| name.len() as u64 + size(member)).sum::<u64>()
        }
        Value::String(text) => 1 + text.len() as u64,
        _ => 1,
    }
}

/// The representation that counts.
pub(super) struct Metered;

impl Json for Metered {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        SerdeJson::prepare_key(key)
    }

    fn with_string_node<T>(buffer: &mut (), string: &str, f: impl FnOnce(&Value) -> T) -> T {
        SerdeJson::with_string_node(buffer, string, f)
    }
}

impl<'a> Node<'a, Metered> for &'a Value {
    type Object = &'a Map<String, Value>;
    type Array = &'a [Value];
    type Number = &'a serde_json::Number;

    fn as_object(&self) -> Option<&'a Map<String, Value>> {
        Node::<SerdeJson>::as_object(self)
    }

    fn as_array(&self) -> Option<&'a [Value]> {
        Node::<SerdeJson>::as_array(self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = Node::<SerdeJson>::as_string(self);
        if let Some(text) = &text {
            charge_text(text.len());
        }
        text
    }

    fn as_number(&self) -> Option<&'a serde_json::Number> {
        Node::<SerdeJson>::as_number(self)
    }

    fn as_boolean(&self) -> Option<bool> {
        Node::<SerdeJson>::as_boolean(self)
    }

    fn is_null(&self) -> bool {
        Node::<SerdeJson>::is_null(self)
    }

    fn json_type(&self) -> JsonType {
        Node::<SerdeJson>::json_type(self)
    }

    fn string_length(&self) -> Option<u64> {
        Node::<SerdeJson>::string_length(self)
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        Node::<SerdeJson>::string_length_within(self, min, max)
    }

    /// Comparing with the step counts it, and goes on with the schema's own `enum`.
    fn equals_value(&self, expected: &Value) -> bool {
        let step = match expected {
            Value::Object(members) if Map::len(members) == 1 => Map::get(members, STEP),
            _ => None,
        };
        match step {
            Some(Value::Array(own)) => {
                let fits = |expected: &Value| charge(size(expected)) && Node::<SerdeJson>::equals_value(self, expected);
                charge(1) && own.iter().any(fits)
            }
            Some(_) => charge(1),
            None => charge(size(expected)) && Node::<SerdeJson>::equals_value(self, expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Borrowed(self)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Node::<SerdeJson>::identity(self)
    }
}

impl<'a> Object<'a, Metered> for &'a Map<String, Value> {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = <Self as Object<'a, SerdeJson>>::MembersIter;

    fn len(&self) -> usize {
        Object::<SerdeJson>::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        charge(1);
        Object::<SerdeJson>::get(self, key)
    }

    fn members(&self) -> Self::MembersIter {
        let names = (*self).keys().fold(0_usize, |sum, name| sum.saturating_add(name.len()).saturating_add(1));
        charge_text(names);
        Object::<SerdeJson>::members(self)
    }
}

impl<'a> Array<'a, Metered> for &'a [Value] {
    type Node = &'a Value;
    type ElementsIter = std::slice::Iter<'a, Value>;

    fn len(&self) -> usize {
        Array::<SerdeJson>::len(self)
    }

    fn elements(&self) -> std::slice::Iter<'a, Value> {
        charge(Array::<SerdeJson>::len(self) as u64);
        Array::<SerdeJson>::elements(self)
    }

    fn is_unique(&self) -> bool {
        // Up to four times each: small lists are compared pair by pair.
        charge(self.iter().map(size).sum::<u64>().saturating_mul(4)) && Array::<SerdeJson>::is_unique(self)
    }
}
