//! The scripts that read and write a partition, each in one step.

use crate::script::{Script, script};

/// Everything that is done in one step.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) apply: Script,
    pub(crate) fill: Script,
    pub(crate) latest: Script,
    pub(crate) repair: Script,
    pub(crate) rewind: Script,
    pub(crate) changes: Script,
    pub(crate) correct: Script,
    pub(crate) digest: Script,
    pub(crate) scan: Script,
    pub(crate) sweep: Script,
    pub(crate) wipe: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            apply: script!("expected.lua", "parts.lua", "apply.lua"),
            fill: script!("expected.lua", "parts.lua", "fill.lua"),
            latest: script!("latest.lua"),
            repair: script!("expected.lua", "members.lua", "repair.lua"),
            rewind: script!("expected.lua", "lost.lua", "rewind.lua"),
            changes: script!("changes.lua"),
            correct: script!("correct.lua"),
            digest: script!("members.lua", "digest.lua"),
            scan: script!("scan.lua"),
            sweep: script!("members.lua", "sweep.lua"),
            wipe: script!("lost.lua", "wipe.lua"),
        }
    }
}
