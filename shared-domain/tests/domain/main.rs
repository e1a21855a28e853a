//! The rules, tried through the public interface and without a runtime.

mod decisions;
mod examples;
mod history;
mod input_properties;
mod properties;
mod stored_forms;
mod strategies;
mod texts_and_ids;
mod values;
