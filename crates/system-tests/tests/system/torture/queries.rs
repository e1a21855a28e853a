//! Queries over gRPC, and what they show.

use circles_proto::circles::v1::{
    self as proto, BatchGetCirclesRequest, CircleChangeType, CircleFilter, CircleOrder,
    GetCircleHistoryRequest, GetCircleRequest, ListCirclesRequest, ListCirclesResponse,
};
use system_tests::history::{Circle, Entry, Kind, Order, Page, Read, Shown};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::client::Client;
use super::timed::timed;

impl Client {
    pub(super) async fn query(&mut self) {
        let min_sequence = match self.rng.u8(0..10) {
            0..3 => None,
            3..7 => Some(self.own),
            _ => Some(self.recorder.greatest()),
        };
        match self.rng.u8(0..10) {
            0..4 => self.get(min_sequence).await,
            4..6 => self.get_some(min_sequence).await,
            6..9 => self.past(min_sequence).await,
            _ => self.list(min_sequence).await,
        }
    }

    /// Some circle that was there at some time, or never.
    fn any_id(&mut self) -> String {
        let id = match self.rng.u8(0..12) {
            0 => None,
            1 => self.recorder.gone_circle(&mut self.rng),
            _ => self.recorder.any_circle(&mut self.rng).map(|(id, _)| id),
        };
        id.unwrap_or_else(|| self.uuid())
    }

    async fn get(&mut self, min_sequence: Option<u64>) {
        let circle_id = self.any_id();
        let get = GetCircleRequest {
            circle_id: circle_id.clone(),
            min_sequence: signed(min_sequence),
        };
        let (mut client, patience) = (self.any_query_service(), self.patience());
        let invoked = self.recorder.now();
        let got = timed(get, patience, |get| client.get_circle(get)).await;
        let (sequence, circle) = match got {
            Ok(got) => (Some(got.sequence), got.circle.map(circle)),
            Err(status) if self.is_missing(&status) => (None, None),
            Err(_) => return,
        };
        let shown = Shown::Circles(vec![(circle_id, circle)]);
        self.note(invoked, min_sequence, sequence, shown);
    }

    async fn get_some(&mut self, min_sequence: Option<u64>) {
        let mut circle_ids: Vec<String> =
            (0..self.rng.usize(1..10)).map(|_| self.any_id()).collect();
        circle_ids.sort();
        circle_ids.dedup();
        let get = BatchGetCirclesRequest {
            circle_ids: circle_ids.clone(),
            min_sequence: signed(min_sequence),
        };
        let (mut client, patience) = (self.any_query_service(), self.patience());
        let invoked = self.recorder.now();
        let got = match timed(get, patience, |get| client.batch_get_circles(get)).await {
            Ok(got) => got,
            Err(status) => return self.excuse(&status),
        };
        let found: Vec<Circle> = got.circles.into_iter().map(circle).collect();
        let missing = got.missing_circle_ids.into_iter().map(|id| (id, None));
        let shown: Vec<(String, Option<Circle>)> = found
            .into_iter()
            .map(|circle| (circle.id.clone(), Some(circle)))
            .chain(missing)
            .collect();
        let mut answered: Vec<&String> = shown.iter().map(|(id, _)| id).collect();
        answered.sort();
        if !answered.into_iter().eq(&circle_ids) {
            self.recorder
                .complain(format!("{circle_ids:?} answered with {shown:?}"));
        }
        self.note(
            invoked,
            min_sequence,
            Some(got.sequence),
            Shown::Circles(shown),
        );
    }

    async fn past(&mut self, min_sequence: Option<u64>) {
        let circle_id = self.any_id();
        let descending = self.rng.bool();
        let size = self.rng.u8(1..20);
        let past = GetCircleHistoryRequest {
            circle_id: circle_id.clone(),
            page_size: size.into(),
            page_token: String::new(),
            descending,
            min_sequence: signed(min_sequence),
        };
        let (mut client, patience) = (self.any_query_service(), self.patience());
        let invoked = self.recorder.now();
        let got = timed(past, patience, |past| client.get_circle_history(past)).await;
        let (sequence, entries, more) = match got {
            Ok(got) => (
                Some(got.sequence),
                got.entries.into_iter().map(entry).collect(),
                !got.next_page_token.is_empty(),
            ),
            Err(status) if self.is_missing(&status) => (None, Vec::new(), false),
            Err(_) => return,
        };
        let shown = Shown::Past {
            circle_id,
            descending,
            size: size.into(),
            entries,
            more,
        };
        self.note(invoked, min_sequence, sequence, shown);
    }

    /// A page, or some.
    async fn list(&mut self, min_sequence: Option<u64>) {
        let (order, descending) = (self.rng.u8(0..3), self.rng.bool());
        let order = [Order::Name, Order::Capacity, Order::Creation][usize::from(order)];
        let min_capacity = (self.rng.u8(0..4) == 0).then(|| self.capacity());
        let size = self.rng.u8(1..60);
        let mut after = None;
        let mut page_token = String::new();
        for _ in 0..self.rng.u8(1..4) {
            let list = ListCirclesRequest {
                page_size: size.into(),
                page_token,
                order_by: order_by(order, descending).into(),
                filter: min_capacity.map(|least| CircleFilter {
                    min_capacity: Some(least),
                    ..Default::default()
                }),
                min_sequence: signed(min_sequence),
            };
            let (mut client, patience) = (self.any_query_service(), self.patience());
            let invoked = self.recorder.now();
            let got: ListCirclesResponse =
                match timed(list, patience, |list| client.list_circles(list)).await {
                    Ok(got) => got,
                    Err(status) => return self.excuse(&status),
                };
            let page = Page {
                order,
                descending,
                min_capacity,
                after: after.clone(),
                size: size.into(),
                circles: got.circles.into_iter().map(circle).collect(),
                more: !got.next_page_token.is_empty(),
            };
            after = page.circles.last().cloned();
            let is_last = !page.more || min_capacity.is_some();
            self.note(invoked, min_sequence, Some(got.sequence), Shown::Page(page));
            if is_last {
                return;
            }
            page_token = got.next_page_token;
        }
    }

    fn note(&self, invoked: u64, min_sequence: Option<u64>, sequence: Option<i64>, shown: Shown) {
        let returned = self.recorder.now();
        self.recorder.record_read(Read {
            invoked,
            returned,
            min_sequence,
            sequence: sequence.map(i64::unsigned_abs),
            shown,
        });
    }

    fn any_query_service(
        &mut self,
    ) -> proto::circle_query_service_client::CircleQueryServiceClient<tonic::transport::Channel>
    {
        let replica = self.rng.usize(0..self.ways.queries.len());
        self.ways.queries[replica].clone()
    }

    /// Whether there is no such circle; every other failure needs an excuse.
    fn is_missing(&self, status: &Status) -> bool {
        let reason = status.get_details_error_info().map(|info| info.reason);
        let missing =
            status.code() == Code::NotFound && reason.as_deref() == Some("CIRCLE_NOT_FOUND");
        if !missing {
            self.excuse(status);
        }
        missing
    }

    fn excuse(&self, status: &Status) {
        self.recorder.record_unanswered();
        if !is_excused(status) {
            self.recorder.complain(format!("a query: {status:?}"));
        }
    }
}

/// Whether a query may end like this while everything is killed.
pub(super) fn is_excused(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => true,
        // From the client's end of the connection; a service gives a reason.
        Code::Cancelled | Code::Unknown | Code::Internal => {
            status.get_details_error_info().is_none()
        }
        _ => false,
    }
}

fn signed(sequence: Option<u64>) -> Option<i64> {
    sequence.and_then(|sequence| sequence.try_into().ok())
}

fn order_by(order: Order, descending: bool) -> CircleOrder {
    match (order, descending) {
        (Order::Name, false) => CircleOrder::NameAsc,
        (Order::Name, true) => CircleOrder::NameDesc,
        (Order::Capacity, false) => CircleOrder::CapacityAsc,
        (Order::Capacity, true) => CircleOrder::CapacityDesc,
        (Order::Creation, false) => CircleOrder::CreateTimeAsc,
        (Order::Creation, true) => CircleOrder::CreateTimeDesc,
    }
}

pub(super) fn circle(circle: proto::Circle) -> Circle {
    Circle {
        id: circle.circle_id,
        name: circle.name,
        capacity: circle.capacity,
        version: circle.version,
    }
}

pub(super) fn kind(kind: CircleChangeType) -> Kind {
    match kind {
        CircleChangeType::Created => Kind::Created,
        CircleChangeType::Updated => Kind::Updated,
        CircleChangeType::Deleted => Kind::Deleted,
        CircleChangeType::Corrected | CircleChangeType::Unspecified => Kind::Corrected,
    }
}

fn entry(entry: proto::CircleHistoryEntry) -> Entry {
    Entry {
        version: entry.version,
        kind: kind(entry.r#type()),
        name: (entry.name_before, entry.name_after),
        capacity: (entry.capacity_before, entry.capacity_after),
        sequence: entry.sequence.unsigned_abs(),
        reason: entry.reason,
    }
}
