//! What concerns several modules at once.

mod deploy;
mod writes;
