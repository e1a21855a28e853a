//! Servers that tests stop, put back, and join do as they are told.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod cluster;
mod databases;
mod logs;
mod read_models;

test_support::on_every_redis! {
    cluster {
        a_cluster_has_keys_on_all_masters,
        a_master_dies_and_comes_back_with_its_keys,
    }
    databases {
        a_test_may_have_a_spare_database,
    }
    read_models {
        they_are_put_back_as_they_were,
        paused_ones_answer_later,
    }
}
