//! Pure decisions of fedscaler: splits, moves, schedules, conditions; no I/O and no clock.
