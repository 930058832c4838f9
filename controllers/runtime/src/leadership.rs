//! The right to write.
//!
//! Responsible for the token that each writing function asks for, so that no write compiles without someone
//! having been made leader. Knows nothing of what is written.
//!
//! A token is no fence: every write also carries the resourceVersion that it was decided on.

/// Proof that this process is the leader. Only this module can make one.
#[derive(Clone, Debug)]
pub struct Term {
    _seal: (),
}

/// The term of a process that is the only one there is: one replica, replaced by `Recreate`, so that the old
/// one is gone before the new one starts.
#[must_use]
pub fn sole() -> Term {
    Term { _seal: () }
}
