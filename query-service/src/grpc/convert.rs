//! Requests into domain values: every field that breaks a rule is named, all at once.

use std::collections::HashSet;
use std::fmt::Display;

use chrono::{DateTime, Utc};
use circles_proto::circles::v1::watch_circles_response::Event;
use circles_proto::circles::v1::{
    BatchGetCirclesRequest, Circle, CircleChange, CircleChangeType, CircleFilter,
    CircleHistoryEntry, CircleOrder, GetCircleAsOfRequest, GetCircleHistoryRequest,
    GetCircleRequest, ListCirclesRequest, WatchCirclesRequest, WatchCirclesResponse, WatchProgress,
};
use prost_types::Timestamp;
use read_model::{Document, EventKind, HistoryEntry, HistoryQuery, ListQuery, Moment, Order, Told};
use service_kit::deadline::Deadline;
use service_kit::status::FieldViolation;
use shared_domain::{CircleId, NamePrefix, Sequence, Version};
use tonic::{Extensions, Request, Status};

use super::page_token;
use crate::failure::DOMAIN;
use crate::queries::Wait;

/// How many circles one call can ask for.
const MAX_IDS: usize = 1_000;
const MAX_PAGE_SIZE: i32 = 1_000;
const DEFAULT_PAGE_SIZE: u32 = 50;

const NEGATIVE: &str = "a sequence is not negative";

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
    let wait = fields.wait(message.min_sequence, request.extensions());
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
    let wait = fields.wait(message.min_sequence, request.extensions());
    fields.finish(ids.zip(wait))
}

pub(crate) fn list(request: &Request<ListCirclesRequest>) -> Result<(ListQuery, Wait), Status> {
    let message = request.get_ref();
    let mut fields = Fields::default();
    let limit = fields.page_size(message.page_size);
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
    let wait = fields.wait(message.min_sequence, request.extensions());
    fields.finish(query.zip(wait))
}

pub(crate) fn history(
    request: &Request<GetCircleHistoryRequest>,
) -> Result<(CircleId, HistoryQuery, Wait), Status> {
    let message = request.get_ref();
    let descending = message.descending;
    let mut fields = Fields::default();
    let id = fields.check("circle_id", CircleId::parse(&message.circle_id));
    let limit = fields.page_size(message.page_size);
    let after = match id {
        // A token can only be held against a history that is known.
        Some(id) if !message.page_token.is_empty() => fields.check(
            "page_token",
            page_token::decode_history(id, descending, &message.page_token),
        ),
        _ => None,
    };
    let query = limit.map(|limit| HistoryQuery {
        after,
        descending,
        limit,
    });
    let wait = fields.wait(message.min_sequence, request.extensions());
    let value = id.zip(query).zip(wait);
    fields.finish(value.map(|((id, query), wait)| (id, query, wait)))
}

pub(crate) fn as_of(
    request: &Request<GetCircleAsOfRequest>,
) -> Result<(CircleId, Moment, Wait), Status> {
    use circles_proto::circles::v1::get_circle_as_of_request::Moment as Given;
    let message = request.get_ref();
    let mut fields = Fields::default();
    let id = fields.check("circle_id", CircleId::parse(&message.circle_id));
    let moment = match &message.moment {
        Some(Given::Version(version)) => fields
            .check("version", Version::new((*version).into()))
            .map(Moment::Version),
        Some(Given::Time(time)) => fields.check("time", instant(time)).map(Moment::Time),
        None => fields.fail("moment", "either a version or a time must be given"),
    };
    let wait = fields.wait(message.min_sequence, request.extensions());
    let value = id.zip(moment).zip(wait);
    fields.finish(value.map(|((id, moment), wait)| (id, moment, wait)))
}

/// The start, and the circles; none for all of them.
pub(crate) fn watch(
    request: &Request<WatchCirclesRequest>,
) -> Result<(Option<Sequence>, Vec<CircleId>), Status> {
    let message = request.get_ref();
    let mut fields = Fields::default();
    let from = match message.from_sequence.map(u64::try_from) {
        None => Some(None),
        Some(Ok(from)) => Some(Some(Sequence::new(from))),
        Some(Err(_)) => fields.fail("from_sequence", NEGATIVE),
    };
    let ids = match message.circle_ids.len() {
        0..=MAX_IDS => fields.ids(&message.circle_ids),
        given => fields.fail("circle_ids", format!("up to {MAX_IDS} ids, not {given}")),
    };
    fields.finish(from.zip(ids))
}

/// A time as the protos carry it. One that is out of all reason counts as the last or first one.
fn instant(time: &Timestamp) -> Result<DateTime<Utc>, &'static str> {
    let nanos = u32::try_from(time.nanos).ok();
    let nanos = nanos.filter(|nanos| *nanos < 1_000_000_000);
    let nanos = nanos.ok_or("nanos must be from 0 to 999,999,999")?;
    let farthest = if time.seconds < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    Ok(DateTime::from_timestamp(time.seconds, nanos).unwrap_or(farthest))
}

/// An entry of a history as the protos carry it.
pub(crate) fn entry(entry: HistoryEntry) -> CircleHistoryEntry {
    let before = entry.before;
    let created = entry.kind == EventKind::CircleCreated;
    let name_after = entry.name.filter(|_| created || before.name.is_some());
    let capacity_after = entry
        .capacity
        .filter(|_| created || before.capacity.is_some());
    CircleHistoryEntry {
        version: entry.version.get(),
        r#type: change_type(Some(entry.kind)).into(),
        name_before: before.name.map(|name| name.to_string()),
        name_after: name_after.map(|name| name.to_string()),
        capacity_before: before.capacity.map(|capacity| capacity.get().into()),
        capacity_after: capacity_after.map(|capacity| capacity.get().into()),
        occurred_at: Some(Timestamp {
            seconds: entry.occurred_at.timestamp(),
            // Below 2^31 in leap seconds, too.
            nanos: entry.occurred_at.timestamp_subsec_nanos().cast_signed(),
        }),
        actor: entry.actor.unwrap_or_default(),
        sequence: sequence(entry.sequence),
        reason: entry
            .reason
            .map(|reason| reason.to_string())
            .unwrap_or_default(),
    }
}

/// What a watch tells, as the protos carry it.
pub(crate) fn told(told: Told) -> WatchCirclesResponse {
    let event = match told {
        Told::Progress(reached) => Event::Progress(WatchProgress {
            sequence: sequence(reached),
        }),
        Told::Change(entry) => Event::Change(CircleChange {
            sequence: sequence(entry.position.sequence),
            r#type: change_type(entry.kind).into(),
            circle_id: entry.circle_id.to_string(),
            circle: entry.document.clone().map(circle),
        }),
    };
    WatchCirclesResponse { event: Some(event) }
}

fn change_type(kind: Option<EventKind>) -> CircleChangeType {
    match kind {
        Some(EventKind::CircleCreated) => CircleChangeType::Created,
        Some(EventKind::CircleUpdated) => CircleChangeType::Updated,
        Some(EventKind::CircleDeleted) => CircleChangeType::Deleted,
        None => CircleChangeType::Corrected,
    }
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

    fn page_size(&mut self, given: i32) -> Option<u32> {
        match given {
            0 => Some(DEFAULT_PAGE_SIZE),
            size @ 1..=MAX_PAGE_SIZE => Some(size.unsigned_abs()),
            given => self.fail("page_size", format!("0 to {MAX_PAGE_SIZE}, not {given}")),
        }
    }

    fn wait(&mut self, min_sequence: Option<i64>, extensions: &Extensions) -> Option<Wait> {
        let timeout = Deadline::of(extensions).map(Deadline::left);
        match u64::try_from(min_sequence.unwrap_or_default()) {
            Ok(min) => Some(Wait {
                min: Sequence::new(min),
                timeout,
            }),
            Err(_) => self.fail("min_sequence", NEGATIVE),
        }
    }

    fn finish<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(DOMAIN.invalid_fields(self.violations)),
        }
    }
}
