//! Requests into domain values: every field that breaks a rule is named, all at once.

use std::collections::HashSet;
use std::fmt::Display;

use circles_proto::circles::v1::{
    BatchGetCirclesRequest, Circle, CircleFilter, CircleOrder, GetCircleRequest, ListCirclesRequest,
};
use read_model::{Document, ListQuery, Order};
use service_kit::deadline;
use service_kit::status::FieldViolation;
use shared_domain::{CircleId, NamePrefix, Sequence};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::page_token;
use crate::failure::DOMAIN;
use crate::queries::Wait;

/// How many circles one call can ask for.
const MAX_IDS: usize = 1_000;
const MAX_PAGE_SIZE: i32 = 1_000;
const DEFAULT_PAGE_SIZE: u32 = 50;

/// A circle as the protos carry it.
pub(crate) fn circle(document: Document) -> Circle {
    Circle {
        circle_id: document.id.to_string(),
        name: document.name.to_string(),
        capacity: document.capacity.get().into(),
        version: document.version.get(),
    }
}

/// A sequence as the protos carry it.
pub(crate) fn sequence(sequence: Sequence) -> i64 {
    // No log reaches 2^63 events.
    i64::try_from(sequence.get()).unwrap_or(i64::MAX)
}

pub(crate) fn get(request: &Request<GetCircleRequest>) -> Result<(CircleId, Wait), Status> {
    let message = request.get_ref();
    let mut fields = Fields::default();
    let id = fields.check("circle_id", CircleId::parse(&message.circle_id));
    let wait = fields.wait(message.min_sequence, request.metadata());
    fields.finish(id.zip(wait))
}

/// The ids come without repetitions.
pub(crate) fn batch_get(
    request: &Request<BatchGetCirclesRequest>,
) -> Result<(Vec<CircleId>, Wait), Status> {
    let message = request.get_ref();
    let mut fields = Fields::default();
    let ids = match message.circle_ids.len() {
        1..=MAX_IDS => fields.ids(&message.circle_ids),
        given => fields.fail("circle_ids", format!("1 to {MAX_IDS} ids, not {given}")),
    };
    let wait = fields.wait(message.min_sequence, request.metadata());
    fields.finish(ids.zip(wait))
}

pub(crate) fn list(request: &Request<ListCirclesRequest>) -> Result<(ListQuery, Wait), Status> {
    let message = request.get_ref();
    let mut fields = Fields::default();
    let limit = match message.page_size {
        0 => Some(DEFAULT_PAGE_SIZE),
        size @ 1..=MAX_PAGE_SIZE => Some(size.unsigned_abs()),
        given => fields.fail("page_size", format!("0 to {MAX_PAGE_SIZE}, not {given}")),
    };
    let order = match CircleOrder::try_from(message.order_by) {
        Ok(order) => Some(order_of(order)),
        Err(_) => fields.fail(
            "order_by",
            format!("there is no order {}", message.order_by),
        ),
    };
    let no_filter = CircleFilter::default();
    let filter = message.filter.as_ref().unwrap_or(&no_filter);
    let prefix = fields.check("filter.name_prefix", NamePrefix::new(&filter.name_prefix));
    if let (Some(least), Some(most)) = (filter.min_capacity, filter.max_capacity)
        && least > most
    {
        fields.fail::<()>(
            "filter.min_capacity",
            format!("it must not be above max_capacity, and {least} is above {most}"),
        );
    }
    let query = limit
        .zip(order)
        .zip(prefix)
        .map(|((limit, (order, descending)), prefix)| ListQuery {
            descending,
            name_prefix: prefix.as_str().to_owned(),
            min_capacity: filter.min_capacity,
            max_capacity: filter.max_capacity,
            ..ListQuery::new(order, limit)
        });
    // A token can only be held against a list that is known.
    let query = match query {
        Some(mut query) if !message.page_token.is_empty() => {
            let after = fields.check(
                "page_token",
                page_token::decode(&query, &message.page_token),
            );
            query.after = after;
            Some(query)
        }
        other => other,
    };
    let wait = fields.wait(message.min_sequence, request.metadata());
    fields.finish(query.zip(wait))
}

fn order_of(order: CircleOrder) -> (Order, bool) {
    match order {
        CircleOrder::Unspecified | CircleOrder::NameAsc => (Order::Name, false),
        CircleOrder::NameDesc => (Order::Name, true),
        CircleOrder::CapacityAsc => (Order::Capacity, false),
        CircleOrder::CapacityDesc => (Order::Capacity, true),
        CircleOrder::CreateTimeAsc => (Order::CreateTime, false),
        CircleOrder::CreateTimeDesc => (Order::CreateTime, true),
    }
}

/// What is wrong with a request.
#[derive(Default)]
struct Fields {
    violations: Vec<FieldViolation>,
}

impl Fields {
    /// Keeps the value, or the rule that it breaks.
    fn check<T, E: Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|rule| self.fail::<T>(field, rule)).ok()
    }

    fn fail<T>(&mut self, field: &str, rule: impl Display) -> Option<T> {
        self.violations
            .push(FieldViolation::new(field, rule.to_string()));
        None
    }

    fn ids(&mut self, texts: &[String]) -> Option<Vec<CircleId>> {
        let mut seen = HashSet::with_capacity(texts.len());
        let mut ids = Vec::with_capacity(texts.len());
        for (n, text) in texts.iter().enumerate() {
            match CircleId::parse(text) {
                Ok(id) if seen.insert(id) => ids.push(id),
                Ok(_) => {}
                Err(rule) => {
                    self.fail::<()>(&format!("circle_ids[{n}]"), rule);
                }
            }
        }
        Some(ids)
    }

    fn wait(&mut self, min_sequence: Option<i64>, metadata: &MetadataMap) -> Option<Wait> {
        let timeout = deadline::timeout(metadata);
        match u64::try_from(min_sequence.unwrap_or_default()) {
            Ok(min) => Some(Wait {
                min: Sequence::new(min),
                timeout,
            }),
            Err(_) => self.fail("min_sequence", "a sequence is not negative"),
        }
    }

    fn finish<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(DOMAIN.invalid_fields(self.violations)),
        }
    }
}
