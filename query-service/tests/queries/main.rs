//! The query service as its clients see it, on real Redis and real Valkey.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod configuration;
mod damage;
mod failures;
mod fields;
mod lists;
mod metrics;
mod outages;
mod past;
mod reads;
mod service;
mod tokens;
mod waits;
mod watches;
mod world;

test_support::on_every_redis! {
    reads {
        a_circle_is_read_as_it_is_now,
        a_batch_is_answered_in_the_order_of_its_ids,
        a_thousand_circles_are_read_at_once,
    }
    lists {
        every_order_lists_all_circles_page_by_page,
        every_filter_lists_what_meets_it,
        a_page_has_fifty_circles_where_nothing_is_said,
        a_prefix_is_found_in_whatever_form_it_is_written,
        a_circle_that_does_not_move_is_listed_once_while_others_do,
    }
    tokens {
        a_token_is_good_for_its_list_only,
        a_token_is_good_for_pages_of_any_size,
    }
    waits {
        what_is_reached_is_answered_at_once,
        a_query_waits_for_what_it_needs,
        a_query_waits_for_a_read_model_that_is_not_built,
        a_wait_ends_with_the_patience_of_the_service,
        a_wait_ends_with_the_deadline_of_the_client,
        a_waiting_query_is_answered_in_a_drain,
    }
    past {
        a_history_tells_what_changed,
        a_token_is_good_for_its_history_only,
        a_circle_is_read_as_it_was,
        the_past_is_waited_for_too,
        a_parked_circle_is_not_told_of,
    }
    watches {
        a_watch_tells_changes_as_they_come,
        a_watch_tells_corrections,
        a_copy_is_kept_by_a_list_and_a_watch,
        a_silent_watch_tells_its_progress,
        what_is_not_kept_is_out_of_range,
        a_client_that_does_not_read_is_cut_off,
        watches_end_when_the_service_drains,
        an_outage_is_waited_out_by_watches,
        a_thousand_watches_are_served,
    }
    outages {
        a_read_model_that_is_not_built_is_unavailable,
        a_server_that_is_down_at_the_start_is_waited_for,
        a_read_model_that_is_too_old_turns_the_health,
        all_goes_on_after_a_crash_of_the_server,
    }
    metrics {
        queries_and_what_they_wait_for_are_counted,
        watches_are_counted_while_they_last,
        a_read_model_that_is_not_built_has_no_checkpoint,
    }
    damage {
        damage_is_an_internal_error_that_tells_nothing,
    }
}
