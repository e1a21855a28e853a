//! Circles, their events, and the rules, as pure functions.
