//! The gRPC interface.

mod convert;
#[cfg(test)]
mod input_properties;
mod page_token;

use std::sync::Arc;

use circles_proto::circles::v1::circle_query_service_server::CircleQueryService;
use circles_proto::circles::v1::{
    BatchGetCirclesRequest, BatchGetCirclesResponse, GetCircleAsOfRequest, GetCircleAsOfResponse,
    GetCircleHistoryRequest, GetCircleHistoryResponse, GetCircleRequest, GetCircleResponse,
    ListCirclesRequest, ListCirclesResponse, WatchCirclesRequest, WatchCirclesResponse,
};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use read_model::{Feed, Found, Past, Watch};
use service_kit::auth::{Identity, expired};
use service_kit::health::Readiness;
use tonic::{Request, Response, Status};

use crate::failure;
use crate::queries::Queries;

/// Answers calls.
pub(crate) struct QueryService {
    queries: Queries,
    feed: Feed,
    readiness: Readiness,
}

impl QueryService {
    pub(crate) fn new(queries: Queries, feed: Feed, readiness: Readiness) -> Self {
        Self {
            queries,
            feed,
            readiness,
        }
    }
}

#[tonic::async_trait]
impl CircleQueryService for QueryService {
    #[tracing::instrument(name = "GetCircle", level = "debug", skip_all)]
    async fn get_circle(
        &self,
        request: Request<GetCircleRequest>,
    ) -> Result<Response<GetCircleResponse>, Status> {
        let (id, wait) = convert::get(&request)?;
        let Found { value, sequence } = self
            .queries
            .get(id, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        Ok(Response::new(GetCircleResponse {
            circle: Some(convert::circle(value.ok_or_else(failure::not_found)?)),
            sequence: convert::sequence(sequence),
        }))
    }

    #[tracing::instrument(name = "BatchGetCircles", level = "debug", skip_all)]
    async fn batch_get_circles(
        &self,
        request: Request<BatchGetCirclesRequest>,
    ) -> Result<Response<BatchGetCirclesResponse>, Status> {
        let (ids, wait) = convert::batch_get(&request)?;
        let Found { value, sequence } = self
            .queries
            .batch_get(&ids, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        let mut response = BatchGetCirclesResponse {
            sequence: convert::sequence(sequence),
            ..BatchGetCirclesResponse::default()
        };
        for (id, document) in ids.iter().zip(value) {
            match document {
                Some(document) => response.circles.push(convert::circle(document)),
                None => response.missing_circle_ids.push(id.to_string()),
            }
        }
        Ok(Response::new(response))
    }

    #[tracing::instrument(name = "ListCircles", level = "debug", skip_all)]
    async fn list_circles(
        &self,
        request: Request<ListCirclesRequest>,
    ) -> Result<Response<ListCirclesResponse>, Status> {
        let (query, wait) = convert::list(&request)?;
        let page = self
            .queries
            .list(&query, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        let next_page_token = page
            .next
            .map(|next| page_token::encode(&query, &next))
            .unwrap_or_default();
        Ok(Response::new(ListCirclesResponse {
            circles: page.documents.into_iter().map(convert::circle).collect(),
            next_page_token,
            sequence: convert::sequence(page.sequence),
        }))
    }

    #[tracing::instrument(name = "GetCircleHistory", level = "debug", skip_all)]
    async fn get_circle_history(
        &self,
        request: Request<GetCircleHistoryRequest>,
    ) -> Result<Response<GetCircleHistoryResponse>, Status> {
        let (id, query, wait) = convert::history(&request)?;
        let Found { value, sequence } = self
            .queries
            .history(id, query, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        let page = value.ok_or_else(failure::not_found)?;
        let next_page_token = page
            .next
            .map(|next| page_token::encode_history(id, query.descending, next))
            .unwrap_or_default();
        Ok(Response::new(GetCircleHistoryResponse {
            entries: page.entries.into_iter().map(convert::entry).collect(),
            next_page_token,
            sequence: convert::sequence(sequence),
        }))
    }

    #[tracing::instrument(name = "GetCircleAsOf", level = "debug", skip_all)]
    async fn get_circle_as_of(
        &self,
        request: Request<GetCircleAsOfRequest>,
    ) -> Result<Response<GetCircleAsOfResponse>, Status> {
        let (id, moment, wait) = convert::as_of(&request)?;
        let Found { value, sequence } = self
            .queries
            .as_of(id, moment, wait)
            .await
            .map_err(|failed| failure::status(&failed))?;
        match value {
            Past::Circle(document) => Ok(Response::new(GetCircleAsOfResponse {
                circle: Some(convert::circle(document)),
                sequence: convert::sequence(sequence),
            })),
            Past::Absent => Err(failure::not_found()),
            Past::NoVersion => Err(failure::no_version()),
        }
    }

    type WatchCirclesStream = BoxStream<'static, Result<WatchCirclesResponse, Status>>;

    #[tracing::instrument(name = "WatchCircles", level = "debug", skip_all)]
    async fn watch_circles(
        &self,
        request: Request<WatchCirclesRequest>,
    ) -> Result<Response<Self::WatchCirclesStream>, Status> {
        let (from, circles) = convert::watch(&request)?;
        let watch = self
            .feed
            .watch(from, circles)
            .await
            .map_err(failure::of_watch)?;
        let identity = Identity::of(request.extensions()).cloned();
        let watching = Watching {
            watch,
            readiness: self.readiness.clone(),
            identity,
        };
        Ok(Response::new(watching.messages()))
    }
}

/// A watch, and what ends it.
struct Watching {
    watch: Watch,
    readiness: Readiness,
    identity: Option<Arc<Identity>>,
}

impl Watching {
    /// What it tells, until it fails, the client's token expires, or the service drains. Nothing is told, or even
    /// looked for, before the client has room for it.
    fn messages(self) -> BoxStream<'static, Result<WatchCirclesResponse, Status>> {
        stream::unfold(Some(self), |watching| async {
            let mut watching = watching?;
            let told = watching.next().await;
            let going_on = told.is_ok().then_some(watching);
            Some((told, going_on))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<WatchCirclesResponse, Status> {
        tokio::select! {
            biased;
            () = self.readiness.draining() => Err(failure::draining()),
            () = expired(self.identity.clone()) => Err(failure::token_expired()),
            told = self.watch.next() => told.map(convert::told).map_err(failure::of_watch),
        }
    }
}
