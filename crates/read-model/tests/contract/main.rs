//! The contract of the read model, held against real servers of both kinds.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod apply;
mod damage;
mod economy;
mod feed;
mod filters;
mod follow;
mod outage;
mod pages;
mod parked;
mod past;
mod renewal;
mod repair;
mod rig;
mod setup;
mod world;

test_support::on_every_redis! {
    apply {
        a_batch_is_written_whole_and_found_again,
        an_answer_is_as_old_as_its_oldest_partition,
        only_the_expected_standing_lets_a_batch_in,
        a_batch_sent_again_changes_nothing,
        a_batch_that_does_not_fit_is_refused_whole,
        of_two_racing_projections_each_batch_counts_once,
        a_thousand_changes_fit_into_a_batch,
        a_deleted_circle_leaves_nothing_but_its_history,
        nothing_is_read_from_a_read_model_that_was_never_built,
        keys_are_those_of_the_contract,
        only_so_many_changes_are_kept,
        the_floor_is_behind_corrections_that_are_gone,
        changes_that_are_sent_again_leave_no_gap,
    }
    pages {
        every_order_and_direction_lists_all_circles_in_order,
        changes_between_pages_neither_skip_nor_repeat_what_did_not_move,
        the_last_page_has_no_successor,
        a_position_of_another_order_is_refused,
    }
    filters {
        every_filter_finds_what_it_should_in_every_order,
        a_prefix_ends_where_its_characters_end,
        a_page_that_finds_few_is_short,
        a_page_of_rare_circles_is_complete,
        looking_at_exactly_all_circles_ends_the_list,
    }
    past {
        a_history_is_read_in_both_directions,
        a_history_can_be_asked_beyond_its_ends,
        a_circle_is_shown_as_of_each_version,
        a_circle_is_shown_as_of_each_time,
        clocks_that_disagree_do_not_confuse_the_past,
    }
    parked {
        a_parked_circle_is_told_of_by_lists_only,
    }
    repair {
        nothing_is_found_where_all_is_well,
        every_damage_is_found_and_mended,
        what_never_was_is_removed,
        a_repair_keeps_a_circle_parked,
        only_the_expected_standing_lets_a_repair_in,
        a_long_history_is_mended,
        every_stray_entry_is_found,
    }
    damage {
        a_damaged_document_is_named,
        a_key_is_named_with_its_partition,
        a_document_that_looks_like_a_message_harms_nobody_else,
        an_index_that_disagrees_is_named,
        an_update_of_a_circle_that_is_not_listed_writes_nothing,
        a_key_of_another_type_fails_before_anything_is_written,
        a_damaged_history_is_named,
        a_damaged_checkpoint_is_named,
    }
    follow {
        a_hint_alone_brings_news,
        hints_of_all_partitions_are_waited_for,
        a_lost_hint_is_made_up_for,
        hints_are_heard_while_a_look_takes_long,
        a_wrong_hint_wakes_once,
        a_checkpoint_that_goes_back_is_not_waited_past,
        many_waiters_look_together,
        what_waiting_does_not_cure_is_answered,
    }
    feed {
        every_watch_is_told_everything_in_order,
        a_list_and_a_watch_from_there_miss_nothing,
        a_watch_goes_on_where_another_ended,
        a_watch_of_some_circles_is_told_of_these,
        a_silent_watch_says_how_far_it_is,
        a_watch_from_what_is_to_come_waits_for_it,
        what_is_not_kept_is_refused,
        a_watch_that_is_too_slow_is_cut_off,
        a_thousand_watches_are_one_reader,
        an_outage_is_waited_out,
    }
    renewal {
        a_watch_goes_back_with_the_log,
        what_waits_for_another_partition_is_told_after_a_loss,
        a_partition_that_lost_no_event_goes_back_too,
        a_partition_without_kept_changes_ends_no_watch,
        corrections_are_told,
        a_read_model_that_is_built_anew_is_waited_for,
        a_watch_ends_where_changes_were_lost,
        watches_end_where_more_was_lost_than_is_kept,
        a_swap_of_databases_is_not_noticed,
        read_models_are_switched_once_and_as_expected,
        a_damaged_change_ends_watches,
    }
    outage {
        a_server_that_is_down_at_the_start_is_waited_for,
        a_server_with_too_many_clients_is_waited_for,
        all_goes_on_after_a_crash_of_the_server,
        a_crash_under_a_full_queue_does_not_end_the_connection,
        a_server_that_cannot_write_now_is_transient,
    }
    setup {
        a_server_that_evicts_is_refused,
        a_node_that_evicts_is_refused,
        a_server_that_does_not_tell_is_accepted,
        missing_credentials_are_not_taken_for_an_outage,
    }
    economy {
        every_operation_is_one_command,
        a_batch_is_one_command,
        a_filter_looks_at_a_bounded_number_of_circles,
        many_gets_at_once_share_commands,
        gets_that_are_given_up_do_no_harm,
        a_get_sees_what_was_written_before,
        a_partition_that_is_behind_is_not_pressed,
        nobody_asks_while_nobody_waits,
    }
}
