//! Golden scenarios are in [`scenarios`] and [`refusals`], single moments in [`moments`], clusters that go in [`losses`]; what holds of every course and of any facts at all in
//! [`courses`] and [`accidents`]; [`suppositions`] holds what-ifs against what happens.

mod accidents;
mod courses;
mod losses;
mod moments;
mod plane;
mod refusals;
mod scenarios;
mod story;
mod suppositions;

use super::*;
